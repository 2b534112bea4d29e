"""Gradients of layers and models: finite differences, adjointness, and what a pullback promises."""

import copy
import gc
import sys
import threading

import numpy as np
import pytest

import tconv
from decoder_layers import CASES
from decoder_models import MODELS, inputs_for
from tconv.layers.structure import flat, packed

KINDS = sorted({case.layer for case in CASES})
LINEAR = ("Reshape", "Flatten", "UpSampling", "ZeroPadding", "Cropping", "Add", "Concatenate", "Dropout")


def made(case, dtype="float64", **more):
    layer = getattr(tconv.layers, case.layer)(**case.arguments, name="one", dtype=dtype, **more)
    layer(case.inputs(dtype))
    randomize(layer)
    return layer


def randomize(layer, seed=2):
    rng = np.random.default_rng(seed)
    layer.set_weights(
        [rng.random(w.shape) + 0.5 if "variance" in w.name else rng.standard_normal(w.shape) for w in layer.weights]
    )


def dot(a, b):
    return sum(
        float(np.vdot(x.astype(np.float64), y.astype(np.float64))) for x, y in zip(flat(a), flat(b), strict=True)
    )


def random_like(structure, seed):
    rng = np.random.default_rng(seed)
    return packed(structure, [rng.standard_normal(a.shape).astype(a.dtype) for a in flat(structure)])


def plus(structure, other, step):
    return packed(structure, [a + step * b for a, b in zip(flat(structure), flat(other), strict=True)])


def total(layer, x, dy, training):
    """What a pullback is the gradient of. A vjp's output, so that nothing moves."""
    y, pullback = layer.vjp(x, training=training)
    return dot(y, dy) + sum(float(loss) for loss in pullback.losses)


def assert_gradients(layer, x, training=None, tolerance=2e-6):
    """Central differences along random directions of the input and of every weight."""
    y, pullback = layer.vjp(x, training=training)
    dy = random_like(y, 3)
    dx, gradients = pullback(dy)
    assert [g.shape for g in gradients] == [w.shape for w in layer.trainable_weights]
    assert [g.dtype for g in gradients] == [w.dtype for w in layer.trainable_weights]
    assert [a.shape for a in flat(dx)] == [a.shape for a in flat(x)]
    assert type(dx) is type(x)
    scale = max(1.0, dot(y, y) ** 0.5)
    step = 1e-6
    direction = random_like(x, 4)
    numeric = (
        total(layer, plus(x, direction, step), dy, training) - total(layer, plus(x, direction, -step), dy, training)
    ) / (2 * step)
    assert dot(dx, direction) == pytest.approx(numeric, rel=tolerance, abs=tolerance * scale)
    for weight, gradient in zip(layer.trainable_weights, gradients, strict=True):
        value, direction = weight.numpy(), random_like(weight.numpy(), 5)
        weight.assign(value + step * direction)
        above = total(layer, x, dy, training)
        weight.assign(value - step * direction)
        below = total(layer, x, dy, training)
        weight.assign(value)
        numeric = (above - below) / (2 * step)
        assert dot(gradient, direction) == pytest.approx(numeric, rel=tolerance, abs=tolerance * scale), weight.path


@pytest.mark.parametrize("case", CASES, ids=str)
def test_finite_differences(case):
    layer = made(case)
    for training in {*case.modes, True} if case.layer == "Dropout" else case.modes:
        assert_gradients(layer, case.inputs("float64"), training)


@pytest.mark.parametrize("case", [c for c in CASES if c.layer.startswith(("Conv", "Dense", "Batch"))], ids=str)
def test_finite_differences_with_penalties(case):
    """The regularizers of weights and output are part of the gradient."""
    names = ("beta", "gamma") if case.layer == "BatchNormalization" else ("kernel", "bias")
    penalties = {f"{name}_regularizer": tconv.regularizers.L1L2(0.1, 0.2) for name in names}
    layer = made(case, activity_regularizer=tconv.regularizers.L2(0.3), **penalties)
    if case.arguments.get("trainable", True) and layer.trainable_weights:
        _, pullback = layer.vjp(case.inputs("float64"))
        assert len(pullback.losses) == 1 + sum(w.regularizer is not None for w in layer.trainable_weights)
        layer(case.inputs("float64"))
        np.testing.assert_allclose(pullback.losses, layer.losses, rtol=1e-12)
    for training in case.modes:
        assert_gradients(layer, case.inputs("float64"), training, 1e-5)


@pytest.mark.parametrize("case", [c for c in CASES if c.layer.startswith(LINEAR)], ids=str)
def test_linear_layers_have_an_adjoint(case):
    """<layer(x), dy> == <x, dx>, exactly but for rounding, in every precision."""
    for dtype, tolerance in (("float64", 1e-13), ("float32", 1e-5), ("float16", 1e-2), ("bfloat16", 1e-1)):
        layer = made(case, dtype)
        x = case.inputs("float64")
        x = packed(x, [a.astype(layer.dtype_policy.compute) for a in flat(x)])
        for training in (False, True):
            y, pullback = layer.vjp(x, training=training)
            dy = random_like(y, 3)
            dx, gradients = pullback(dy)
            assert [a.dtype for a in flat(dx)] == [a.dtype for a in flat(x)]
            size = (dot(y, y) * dot(dy, dy)) ** 0.5
            assert dot(y, dy) == pytest.approx(dot(x, dx), rel=tolerance, abs=tolerance * size)
            assert gradients == []


@pytest.mark.parametrize("case", [c for c in CASES if c.layer.startswith(("Conv", "Dense"))], ids=str)
def test_kernel_layers_have_adjoints(case):
    """Without bias and activation: <y, dy> == <x, dx> == <kernel, dkernel>, in float32 too."""
    if case.layer == "Concatenate":
        return
    plain = case._replace(arguments={**case.arguments, "activation": None, "use_bias": False})
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-4)):
        layer = made(plain, dtype)
        x = case.inputs(dtype)
        y, pullback = layer.vjp(x)
        dy = random_like(y, 3)
        dx, (dkernel,) = pullback(dy)
        size = (dot(y, y) * dot(dy, dy)) ** 0.5
        assert dot(y, dy) == pytest.approx(dot(x, dx), rel=tolerance, abs=tolerance * size)
        assert dot(y, dy) == pytest.approx(dot(layer.kernel.value, dkernel), rel=tolerance, abs=tolerance * size)


FIRST = [next(case for case in CASES if case.layer == kind) for kind in KINDS]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_output_is_the_calls(case):
    layer = made(case, "float32")
    x = case.inputs("float32")
    y, _ = layer.vjp(x)
    np.testing.assert_allclose(y, layer(x), rtol=1e-5, atol=1e-5)
    if case.layer != "Dropout" and True in case.modes:
        y, _ = layer.vjp(x, training=True)
        np.testing.assert_allclose(y, layer(x, training=True), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("case", FIRST, ids=lambda case: case.layer)
def test_a_pullback_is_pure(case):
    """Same gradients every time, whatever is done with the weights, from any thread; nothing is changed."""
    layer = made(case)
    x = case.inputs("float64")
    kept = copy.deepcopy(x)
    before = layer.get_weights()
    y, pullback = layer.vjp(x, training=True)
    for a, b in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    dy = random_like(y, 3)
    dy_kept = copy.deepcopy(dy)
    dx, gradients = pullback(dy)
    randomize(layer, 9)
    results = [pullback(dy)]
    threads = [threading.Thread(target=lambda: results.append(pullback(dy))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for again, more in results:
        for a, b in zip([*flat(dx), *gradients], [*flat(again), *more], strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip([*flat(x), *flat(dy)], [*flat(kept), *flat(dy_kept)], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", FIRST, ids=lambda case: case.layer)
def test_updates_are_what_a_call_would_have_done(case):
    one, two = made(case), made(case)
    x = case.inputs("float64")
    y, pullback = one.vjp(x, training=True)
    for variable, value in pullback.updates:
        variable.assign(value)
    if case.layer == "Dropout":
        assert [variable.name for variable, _ in pullback.updates] == ["seed_generator_state"]
    expected = two(x, training=True)
    np.testing.assert_allclose(flat(y)[0], expected, rtol=1e-12, atol=1e-12)
    for a, b in zip(one.variables, two.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_frozen_and_unwanted():
    layer = made(next(case for case in CASES if case.layer == "Conv2DTranspose"), kernel_regularizer="l2")
    x = next(case for case in CASES if case.layer == "Conv2DTranspose").inputs("float64")
    y, pullback = layer.vjp(x, input_gradient=False)
    dx, gradients = pullback(y)
    assert dx is None
    assert len(gradients) == 2
    layer.bias.trainable = False
    assert len(layer.vjp(x)[1](y)[1]) == 1
    layer.trainable = False
    y, pullback = layer.vjp(x)
    dx, gradients = pullback(y)
    assert dx.shape == x.shape
    assert gradients == []
    assert pullback.losses == []


def test_a_layer_that_is_not_trained_keeps_no_input():
    """What a pullback holds on to is the input, if the kernel's gradient needs it, and what the activation needs."""
    x = np.ones((2, 50, 50, 8), np.float32)
    for trainable in (True, False):
        layer = tconv.layers.Conv2D(4, 3, trainable=trainable)
        layer(x)
        source = x.copy()
        before = sys.getrefcount(source)
        _, pullback = layer.vjp(source)
        gc.collect()
        assert (sys.getrefcount(source) > before) == trainable
        del pullback


def test_mixed_precision():
    """Gradients come in the weights' dtype, dx in the computing one."""
    layer = tconv.layers.Conv2DTranspose(3, 3, strides=2, activation="relu", dtype="mixed_float16")
    y, pullback = layer.vjp(np.ones((2, 4, 4, 5)))
    dx, gradients = pullback(np.ones_like(y))
    assert (y.dtype, dx.dtype) == (np.float16, np.float16)
    assert [g.dtype for g in gradients] == [np.float32, np.float32]


def test_wrong_dy():
    layer = tconv.layers.Dense(3)
    y, pullback = layer.vjp(np.ones((2, 4)))
    for wrong in (np.ones((2, 4)), np.ones((3,)), "x", None, [y, y]):
        with pytest.raises((ValueError, TypeError)):
            pullback(wrong)
    with pytest.raises(TypeError, match="derivative"):
        tconv.layers.Dense(3, activation=lambda z: z).vjp(np.ones((2, 4)))
    with pytest.raises(ValueError):
        layer.vjp(tconv.layers.Input((4,)))


# ---------------------------------------------------------------------------------------------------------- models


def model_of(make):
    """In float64: the configs say float32."""
    tconv.config.set_floatx("float64")
    try:
        model = make(tconv)
    finally:
        tconv.config.set_floatx("float32")
    randomize(model)
    return model


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_models(make, training):
    model = model_of(make)
    for layer in model.layers:
        if hasattr(layer, "kernel_regularizer") and layer.trainable:
            layer.activity_regularizer = tconv.regularizers.L2(0.01)
            layer.kernel.regularizer = tconv.regularizers.L1L2(0.01, 0.02)
    assert_gradients(model, inputs_for(make, model, 2, np.float64), training, 1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_sequential(training):
    tconv.config.set_floatx("float64")
    try:
        layers = tconv.layers
        model = tconv.Sequential(
            [
                layers.Input((6,)),
                layers.Dense(2 * 2 * 4, activation="silu", kernel_regularizer="l2"),
                layers.Reshape((2, 2, 4)),
                layers.BatchNormalization(),
                layers.Dropout(0.3, seed=1),
                layers.Conv2DTranspose(3, 3, 2, "same", activation="relu", activity_regularizer="l1"),
                layers.Conv2D(2, 3, padding="same", activation="tanh"),
            ]
        )
    finally:
        tconv.config.set_floatx("float32")
    assert_gradients(model, np.random.default_rng(0).standard_normal((3, 6)), training, 1e-5)


def test_frozen_layers_of_a_model():
    """No gradient is asked of what lies before the first layer that is trained."""
    model = model_of(MODELS[0])
    x = inputs_for(MODELS[0], model, 2, np.float64)
    y, pullback = model.vjp(x)
    dy = random_like(y, 1)
    everything = dict(zip([w.path for w in model.trainable_weights], pullback(dy)[1], strict=True))
    for layer in model.layers[:7]:
        layer.trainable = False
    y, pullback = model.vjp(x, input_gradient=False)
    dx, gradients = pullback(dy)
    assert dx is None
    paths = [w.path for w in model.trainable_weights]
    assert 0 < len(paths) < len(everything)
    for path, gradient in zip(paths, gradients, strict=True):
        np.testing.assert_allclose(gradient, everything[path], rtol=1e-12, atol=1e-12)


def test_several_outputs_take_none_for_zeros():
    make = next(make for make in MODELS if make.__name__ == "of_dictionaries")
    model = model_of(make)
    x = inputs_for(make, model, 2, np.float64)
    y, pullback = model.vjp(x)
    zeros = {"wide": np.zeros_like(y["wide"]), "narrow": y["narrow"]}
    for a, b in zip(pullback({"wide": None, "narrow": y["narrow"]})[1], pullback(zeros)[1], strict=True):
        np.testing.assert_array_equal(a, b)
    for wrong in (y["wide"], {"wide": y["wide"]}, {"wide": y["wide"], "thin": y["narrow"]}):
        with pytest.raises(ValueError):
            pullback(wrong)


# --------------------------------------------------------------------------------------------------- layers of users


class Scale(tconv.layers.Layer):
    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), "ones", name="factor", regularizer="l2")
        self.inner = tconv.layers.Dense(input_shape[-1], activation="tanh", kernel_regularizer="l2", dtype=self.dtype)

    def call(self, inputs):
        return self.inner(inputs) * self.factor.value

    def call_vjp(self, inputs, *, training=None, input_gradient=True):
        factor = self.factor.value
        hidden, back = self.inner.vjp(inputs, training=training)
        weights = self.inner.trainable_weights

        def pullback(dy):
            dx, gradients = back(dy * factor)
            return dx, [(self.factor, (dy * hidden).sum(axis=0)), *zip(weights, gradients, strict=True)]

        return hidden * factor, pullback


def test_layers_of_users():
    """Penalties are counted once, by the outermost vjp."""
    layer = Scale(dtype="float64")
    layer(np.ones((2, 3)))
    randomize(layer)
    assert len(layer.losses) == 2
    assert_gradients(layer, np.random.default_rng(0).standard_normal((4, 3)))
    x = tconv.layers.Input((3,), dtype="float64")

    class Doubled(tconv.layers.Dense):
        def call(self, inputs):
            return super().call(inputs) * 2

    with pytest.raises(NotImplementedError, match="call_vjp"):
        Doubled(3).vjp(np.ones((2, 3)))
    with pytest.raises(NotImplementedError):
        layer_without = type("Plain", (tconv.layers.Layer,), {"call": lambda self, inputs: inputs})()
        layer_without.vjp(np.ones((2, 3)))
    assert x.shape == (None, 3)
