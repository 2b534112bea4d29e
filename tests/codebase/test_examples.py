"""Users find a true example for everything: in docstrings, in README.md, in docs/."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import tconv
from codebase.house import ROOT, fenced, files, name

MODULES = [
    "tconv",
    *(info.name for info in pkgutil.walk_packages(tconv.__path__, "tconv.") if info.name != "tconv._core"),
]
PAGES = [path for path in files(".md") if fenced(path, "python")]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def public():
    """The functions and classes that users reach: of tconv and its modules, not of a module's own helpers."""
    found = {}
    for name_ in [text for text in MODULES if text.count(".") < 2 and not text.rpartition(".")[2].startswith("_")]:
        module = importlib.import_module(name_)
        own = [text for text, value in vars(module).items() if getattr(value, "__module__", None) == name_]
        for text in getattr(module, "__all__", [text for text in own if not text.startswith("_")]):
            member = getattr(module, text)
            if inspect.isfunction(member) or inspect.isclass(member):
                found.setdefault(member, pytest.param(member, id=f"{name_}.{text}"))
    return list(found.values())


PUBLIC = public()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages(page, capsys):
    names = {}
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for number, block in enumerate(fenced(page, "python")):
        if ">>>" in block:
            example = doctest.DocTestParser().get_doctest(block, names, f"{page.name}[{number}]", str(page), 0)
            runner.run(example, clear_globs=False)
            names.update(example.globs)
        else:
            exec(compile(block, f"{page.name}[{number}]", "exec"), names)
    assert runner.summarize(verbose=False).failed == 0, capsys.readouterr().out


@pytest.mark.parametrize("member", PUBLIC)
def test_public_names_are_explained(member):
    assert inspect.getdoc(member), "a docstring is missing"


@pytest.mark.parametrize("member", [entry for entry in PUBLIC if inspect.isfunction(entry.values[0])])
def test_public_functions_have_an_example(member):
    assert ">>>" in inspect.getdoc(member)


def test_all_that_is_offered_exists():
    for module in map(importlib.import_module, MODULES):
        for text in getattr(module, "__all__", ()):
            assert hasattr(module, text), (module.__name__, text)


def test_the_example_upsamples_better_than_nearest_neighbour(monkeypatch):
    pytest.importorskip("skimage")
    monkeypatch.syspath_prepend(ROOT / "examples")
    example = importlib.import_module("upsample")
    truth = example.photograph()
    small = example.reduced(truth)
    large = example.upsample(example.upsampling_layer(3), small)
    assert large.shape == truth.shape
    assert example.psnr(large, truth) > example.psnr(example.nearest(small), truth) + 1


def test_the_example_of_training_learns(monkeypatch):
    pytest.importorskip("skimage")
    monkeypatch.syspath_prepend(ROOT / "examples")
    example = importlib.import_module("super_resolution")
    x, y = example.patches(example.photograph(name)[:144, :192] for name in ("coffee", "chelsea"))
    assert x.shape == (2 * 3 * 3 * 4, 24, 24, 1)
    assert y.shape == (len(x), 48, 48, 1)
    model, _ = example.trained(x, y, epochs=6, verbose=0)
    losses = model.history.history["loss"]
    assert losses[-1] < losses[0]
    assert example.picture(model).shape == (224, 4 * 224 + 3 * 8, 3)
    model.set_weights([0 * weight for weight in model.get_weights()])
    ((bicubic, ours),) = example.judged(model, ["astronaut"]).values()
    assert ours == bicubic
