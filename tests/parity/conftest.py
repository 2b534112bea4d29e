"""Settings of the tests against peers."""

import os

import pytest

# Read when JAX is imported. Keras compiles every operation for every shape, which takes far longer than computing it:
# without optimization the tests take a third of the time, and the arithmetic is the same.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")


@pytest.fixture
def float64(monkeypatch):
    """Keras on JAX computes in float64 where a layer says so; else it rounds to float32 in most functions."""
    jax = pytest.importorskip("jax")
    keras = pytest.importorskip("keras")
    dtypes = pytest.importorskip("keras.src.backend.common.dtypes")
    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    with jax.enable_x64(True), keras.device("cpu:0"):
        yield
