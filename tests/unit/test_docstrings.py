"""Every example of the package's docstrings runs and says what it says."""

import doctest
import importlib
import pkgutil

import pytest

import tconv

MODULES = ["tconv", *(m.name for m in pkgutil.walk_packages(tconv.__path__, "tconv."))]


@pytest.fixture(autouse=True)
def _defaults_again():
    yield
    tconv.config.set_image_data_format("channels_last")
    tconv.config.set_floatx("float32")
    tconv.config.set_epsilon(1e-7)
    tconv.set_num_threads(None)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


DECORATED = sorted(
    name for name in tconv.activations.__all__ if hasattr(getattr(tconv.activations, name), "__wrapped__")
)


@pytest.mark.parametrize("name", DECORATED)
def test_examples_of_decorated_functions(name):
    """doctest.testmod passes them over: their code lies in the decorator's module."""
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(tconv.activations, name), name, globs={})
    assert runner.run(example).attempted > 0
    assert not runner.failures


@pytest.mark.parametrize("name", sorted(tconv.__all__))
def test_public_functions_and_classes_have_an_example(name):
    found = getattr(tconv, name)
    if callable(found) and not (isinstance(found, type) and issubclass(found, Exception)):
        examples = doctest.DocTestFinder(recurse=False).find(found, name)
        assert any(test.examples for test in examples), f"{name} has no example"
