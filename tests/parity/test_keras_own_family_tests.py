"""Keras' own tests of activations, initializers, regularizers and constraints, on tconv's.

TCONV_KERAS_SOURCE names a checkout of Keras, the folder that holds keras/src.
"""

import json
import os
from types import SimpleNamespace

os.environ.setdefault("KERAS_BACKEND", "jax")

import pytest

from parity.borrowed import cases, folder
from tconv import activations, constraints, initializers, regularizers

SOURCE = folder("TCONV_KERAS_SOURCE", "Keras")
pytest.importorskip("keras")
backend, random, testing = (pytest.importorskip(f"keras.src.{name}") for name in ("backend", "random", "testing"))
pytestmark = pytest.mark.filterwarnings("ignore")

# Of a layer that tconv has not. Of the folders' files, initializer_test.py is about JAX' meshes of devices alone.
LEFT_OUT = ["RandomInitializersTest.test_mha_query_projection_variance"]


class Case(testing.TestCase):
    """Keras' test case, whose test of configs goes through tconv's functions."""

    def run_class_serialization_test(self, instance, custom_objects=None):
        families = (initializers, regularizers, constraints)
        (family,) = [module for module in families if type(instance).__module__.startswith(module.__name__)]
        config = instance.get_config()
        again = [
            type(instance).from_config(config),
            family.deserialize(json.loads(json.dumps(family.serialize(instance))), custom_objects),
        ]
        for revived in again:
            assert type(revived) is type(instance)
            assert json.dumps(revived.get_config()) == json.dumps(config)
            assert set(dir(revived)) == set(dir(instance))


def _with_seeds(module):
    """A module of Keras whose SeedGenerator is tconv's."""
    return SimpleNamespace(**{**vars(module), "SeedGenerator": initializers.SeedGenerator})


ANSWERS = {
    "keras.src.activations": activations,
    "keras.src.initializers": initializers,
    "keras.src.regularizers": regularizers,
    "keras.src.constraints": constraints,
    "keras.src.backend": SimpleNamespace(**{**vars(backend), "random": _with_seeds(backend.random)}),
    "keras.src.random": _with_seeds(random),
    "keras.src.testing": SimpleNamespace(**{**vars(testing), "TestCase": Case}),
    "keras.src.initializers.random_initializers.compute_fans": initializers.compute_fans,
    "keras.src.regularizers.regularizers.validate_float_arg": lambda value, name: regularizers._factor(name, value),
    "conftest.skip_if_backend": lambda *_: lambda test: test,  # the backend is tconv
}

for _file in (
    "activations/activations_test.py",
    "initializers/constant_initializers_test.py",
    "initializers/random_initializers_test.py",
    "regularizers/regularizers_test.py",
    "constraints/constraints_test.py",
):
    globals().update(cases(SOURCE / "keras" / "src" / _file, ANSWERS, LEFT_OUT))


def test_no_file_is_empty():
    """A class for each file, and one more for the regularizers' arguments."""
    assert sum(name.endswith("Test") for name in globals()) == 6
