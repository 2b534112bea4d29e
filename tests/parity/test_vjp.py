"""Gradients of layers and models, in float64: those that JAX finds through real Keras."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest

import tconv
from decoder_layers import CASES
from decoder_models import MODELS, inputs_for
from tconv.layers.structure import flat

pytestmark = pytest.mark.filterwarnings("ignore")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")
if keras.backend.backend() != "jax":
    pytest.skip("JAX differentiates", allow_module_level=True)


def of_keras(model, x, dy, training):
    """y, the gradients of sum(y * dy) + sum(losses) by x and by every trainable weight, and the moved weights."""

    def value(x, trained):
        state = [v.value for v in model.non_trainable_variables]
        y, state, losses = model.stateless_call(trained, state, x, return_losses=True, training=training)
        total = sum((a * b).sum() for a, b in zip(jax.tree.leaves(y), dy, strict=True))
        return total + sum(losses), (y, state)

    trained = [v.value for v in model.trainable_variables]
    (_, (y, state)), (dx, gradients) = jax.jit(jax.value_and_grad(value, (0, 1), has_aux=True))(x, trained)
    return jax.tree.leaves(y), jax.tree.leaves(dx), gradients, state


def assert_same(ours, theirs, x, training):
    rng = np.random.default_rng(2)
    values = [
        rng.random(w.shape) + 0.5 if "variance" in w.name else 0.5 * rng.standard_normal(w.shape) for w in ours.weights
    ]
    ours.set_weights(values)
    theirs.set_weights(values)
    y, pullback = ours.vjp(x, training=training)
    slopes = [rng.standard_normal(a.shape) for a in flat(y)]
    dy = dict(zip(sorted(y), slopes, strict=True)) if isinstance(y, dict) else slopes if len(slopes) > 1 else slopes[0]
    dx, gradients = pullback(dy)
    given = x if isinstance(x, (list, dict)) else jax.numpy.asarray(x)
    y_theirs, dx_theirs, gradients_theirs, state = of_keras(theirs, given, slopes, training)
    found, expected = [*flat(y), *flat(dx), *gradients], [*y_theirs, *dx_theirs, *gradients_theirs]
    for a, b in zip(found, expected, strict=True):
        b = np.asarray(b)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10 * max(1, np.abs(b).max(initial=0)))
    moved = {id(variable): value for variable, value in pullback.updates}
    for variable, value in zip(ours.non_trainable_variables, state, strict=True):
        np.testing.assert_allclose(moved.get(id(variable), variable.value), value, rtol=1e-9, atol=1e-12)


def penalties(case):
    """Every kind of penalty that the layer takes."""
    more = {"activity_regularizer": ("L2", 0.3)}
    if case.has_kernel:
        more |= {"kernel_regularizer": ("L1", 0.1), "bias_regularizer": ("L2", 0.2)}
    if case.layer == "BatchNormalization":
        more |= {"beta_regularizer": ("L1", 0.1), "gamma_regularizer": ("L2", 0.2)}
    return more


def some(layer):
    """At most three cases of a layer; tests/property differentiates all of them."""
    cases = [case for case in CASES if case.layer == layer]
    return cases[:: 1 + (len(cases) - 1) // 3]


RUNS = [
    (case, training) for layer in {case.layer: 0 for case in CASES} for case in some(layer) for training in case.modes
]


@pytest.mark.parametrize(("case", "training"), RUNS, ids=str)
def test_layers(float64, case, training):
    made = []
    for module in (tconv, keras):
        more = {"kernel_initializer": "zeros"} if case.has_kernel else {}  # JAX compiles random ones for each shape
        more |= {k: getattr(module.regularizers, name)(v) for k, (name, v) in penalties(case).items()}
        layer = getattr(module.layers, case.layer)(**case.arguments, dtype="float64", name="one", **more)
        symbols = [module.layers.Input(batch_shape=shape, dtype="float64") for shape in case.shapes]
        outputs = layer(symbols if case.several else symbols[0])
        made.append(module.Model(symbols, outputs))
    assert_same(*made, case.inputs("float64"), training)


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_models(float64, make):
    """In training, but for the one with Dropout, which draws other numbers."""
    made = []
    for module in (tconv, keras):
        module.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        try:
            made.append(make(module))
        finally:
            module.config.set_floatx("float32")
            keras.config.set_dtype_policy("float32")
    x = inputs_for(make, made[0], 3, np.float64)
    assert_same(*made, x, training=make.__name__ != "several")
