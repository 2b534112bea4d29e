"""Who may know whom in the Python package."""

import ast
import sys

import pytest

from codebase.house import PACKAGE, ROOT, files, imports, module, name, offenders, own_imports, own_modules

MODULES = own_modules()
FAMILIES = {"activations", "initializers", "regularizers", "constraints", "losses", "optimizers"}
USERS_OF_THE_CORE = {"_args", "_build", "_convert", "_plan", "_pool", "_problem", "geometry", "ops"}


def room(key):
    return key.partition(".")[0]


def modules(wanted=lambda key: True):
    """A test for each module of a kind."""
    keys = sorted(filter(wanted, MODULES))
    assert keys
    return pytest.mark.parametrize("key", [pytest.param(key, id=key or "tconv") for key in keys])


@modules(lambda key: key not in USERS_OF_THE_CORE)
def test_only_the_functional_side_knows_the_core(key):
    assert "_core" not in own_imports(MODULES[key])


@modules(lambda key: key in USERS_OF_THE_CORE | {"_convert", "_registry"})
def test_the_functional_side_knows_no_layer(key):
    assert not {room(other) for other in own_imports(MODULES[key])} & {"layers", "models", "variable"}


@modules(lambda key: room(key) in FAMILIES)
def test_a_family_knows_no_other_family_and_no_layer(key):
    others = set(map(room, own_imports(MODULES[key]))) - {room(key)}
    own_affair = {"variable"} if room(key) == "optimizers" else set()
    assert not others & ((FAMILIES | {"ops", "models", "variable", "layers", "training"}) - own_affair)


@modules(lambda key: room(key) == "layers")
def test_a_layer_knows_no_model(key):
    assert not set(map(room, own_imports(MODULES[key]))) & {"models", "training", "callbacks", "__main__"}


@modules(lambda key: room(key) in ("training", "callbacks"))
def test_training_knows_layers_and_no_model(key):
    others = set(map(room, own_imports(MODULES[key])))
    assert not others & {"models", "ops", "saving", "__main__"}
    assert room(key) == "training" or not others & {"training", "layers", "optimizers"}


@modules(lambda key: room(key) not in ("bench", "__main__"))
def test_only_the_command_line_knows_the_benchmark(key):
    assert "bench" not in map(room, own_imports(MODULES[key]))


@modules(lambda key: room(key) not in ("saving", "bench"))
def test_files_are_opened_in_one_place(key):
    assert not set(imports(MODULES[key])) & {"h5py", "zipfile", "tempfile", "numpy.load"}
    assert (
        "saving" not in {text.removeprefix("tconv.") for text in imports(MODULES[key], top_level_only=True)} or not key
    )


def test_the_registry_knows_no_family():
    assert not {room(key) for key in own_imports(MODULES["_registry"])} & (FAMILIES | {"ops", "models", "layers"})


@modules()
def test_importing_tconv_imports_numpy_and_the_standard_library_only(key):
    allowed = set(sys.stdlib_module_names) | {"numpy", "tconv"}
    assert {text.partition(".")[0] for text in imports(MODULES[key], top_level_only=True)} <= allowed


@modules()
def test_nothing_named_in_a_config_can_be_imported_or_run(key):
    path = MODULES[key]
    banned = {"importlib", "pickle", "marshal", "shelve", "runpy"}
    assert not {text.partition(".")[0] for text in imports(path)} & banned
    called = {node.func.id for node in ast.walk(ast.parse(path.read_text())) if _calls_a_name(node)}
    assert not called & {"eval", "exec", "compile", "__import__", "globals"}


def _calls_a_name(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


@modules()
def test_random_numbers_come_from_an_explicit_generator(key):
    path = MODULES[key]
    assert "random" not in set(imports(path))
    assert not offenders(r"np\.random\.(?!default_rng|Generator|SeedSequence|BitGenerator|PCG64|Philox)\w+", [path])


@modules()
def test_threads_are_no_global_state(key):
    assert not offenders(r"omp_set_num_threads|threadpoolctl|environ\[[^\]]+\]\s*=(?!=)", [MODULES[key]])


def test_the_oracle_does_not_know_the_library():
    oracle = ROOT / "tests" / "reference.py"
    assert not {text for text in imports(oracle) if text.partition(".")[0] == "tconv"}


def test_every_python_file_belongs_to_a_known_place():
    assert {name(path).partition("/")[0] for path in files(".py")} <= {
        "python",
        "tests",
        "benchmarks",
        "examples",
        "docs",
    }
    assert {module(path) for path in PACKAGE.rglob("*.py")} == set(MODULES)
