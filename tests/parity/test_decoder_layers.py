"""Real Keras 3: every layer of a decoder gives the same values, shapes, weights, errors and configs."""

import functools
import json
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest

import tconv
from decoder_layers import CASES, WRONG

pytestmark = pytest.mark.filterwarnings("ignore")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")
if keras.backend.backend() != "jax":
    pytest.skip("compared on JAX, which has every layer in float64", allow_module_level=True)

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


# Every case; of three axes every second one: JAX compiles them for long, and ranks share all code here.
VALUES = [case for number, case in enumerate(CASES) if "3D" not in case.layer or number % 2]
FIRST = [next(case for case in CASES if case.layer == name) for name in sorted({case.layer for case in CASES})]


def plain(config):
    """As JSON has it."""
    return json.loads(json.dumps(config))


def same(ours, theirs):
    """Whether two configs say the same; Keras 3.15 writes the axes of initializers even if None, factors in float32."""
    if isinstance(theirs, dict):
        optional = {"input_axes", "output_axes"}
        keys = set(ours) | set(theirs)
        return all(same(ours.get(key), theirs.get(key)) for key in keys) and set(ours) ^ set(theirs) <= optional
    if isinstance(theirs, float) and isinstance(ours, float):
        return abs(ours - theirs) <= 1e-6 * abs(theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return type(ours) is type(theirs) and ours == theirs


def made(module, case, **more):
    """The layer; its kernel starts as zeros, since JAX would compile random numbers for each shape."""
    start = {"kernel_initializer": "zeros"} if case.has_kernel else {}
    return getattr(module.layers, case.layer)(**{"name": "one", **start, **case.arguments, **more})


def random_weights(layer):
    """Values for all weights; variances are positive."""
    rng = np.random.default_rng(2)
    return [rng.random(w.shape) + 0.5 if "variance" in w.name else rng.standard_normal(w.shape) for w in layer.weights]


def assert_same_values(case, dtype):
    theirs, ours = made(keras, case, dtype=dtype), made(tconv, case, dtype=dtype)
    x = case.inputs(dtype)
    for layer in (theirs, ours):
        layer.build([array.shape for array in x] if case.several else x.shape)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert [w.name for w in ours.trainable_weights] == [w.name for w in theirs.trainable_weights]
    assert ours.count_params() == theirs.count_params()
    weights = random_weights(ours)
    theirs.set_weights(weights)
    ours.set_weights(weights)
    for training in case.modes:
        options = {} if training is None else {"training": training}
        call = functools.partial(theirs, **options)
        expected = np.asarray(call(x) if theirs.non_trainable_variables else jax.jit(call)(x))  # compiled as one
        y = ours(x, **options)
        assert y.dtype == expected.dtype == np.dtype(dtype)
        scale = max(1.0, float(np.abs(expected).max(initial=0)))
        np.testing.assert_allclose(y, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)
        for ours_now, theirs_now in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(ours_now, theirs_now, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("case", VALUES, ids=str)
def test_values_and_weights(float64, case):
    assert_same_values(case, "float64")


@pytest.mark.parametrize("case", FIRST, ids=str)
def test_values_in_float32(case):
    assert_same_values(case, "float32")


def unknown(shape, axes):
    return tuple(None if axis in axes else extent for axis, extent in enumerate(shape))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_output_shapes(case):
    theirs, ours = made(keras, case), made(tconv, case)
    for axes in {(0,), case.may_be_unknown}:
        shape = [unknown(one, axes) for one in case.shapes] if case.several else unknown(case.shapes[0], axes)
        assert ours.compute_output_shape(shape) == tuple(theirs.compute_output_shape(shape)), axes
        symbols = [tconv.layers.Input(batch_shape=unknown(one, axes)) for one in case.shapes]
        expected = [keras.layers.Input(batch_shape=unknown(one, axes)) for one in case.shapes]
        y, wanted = ours(symbols if case.several else symbols[0]), theirs(expected if case.several else expected[0])
        assert y.shape == tuple(wanted.shape)
        assert y.dtype == wanted.dtype


@pytest.mark.parametrize("case", CASES, ids=str)
def test_configs_both_ways(case):
    theirs, ours = made(keras, case), made(tconv, case)
    assert same(plain(ours.get_config()), plain(theirs.get_config()))
    assert list(ours.get_config()) == list(theirs.get_config())
    for built in (False, True) if case in FIRST else (True,):
        if built:
            for module, layer in ((tconv, ours), (keras, theirs)):
                symbols = [module.layers.Input(batch_shape=shape) for shape in case.shapes]
                layer(symbols if case.several else symbols[0])
        written, expected = tconv.layers.serialize(ours), keras.saving.serialize_keras_object(theirs)
        assert same(plain(written), plain(expected))
        loaded = tconv.layers.deserialize(plain(expected))
        assert plain(loaded.get_config()) == plain(ours.get_config())
        back = keras.saving.deserialize_keras_object(plain(written))
        assert plain(back.get_config()) == plain(theirs.get_config())


@pytest.mark.parametrize("case", FIRST, ids=lambda case: case.layer)
def test_defaults_are_the_same(case):
    needed = {"Dense": (4,), "Reshape": ((-1,),), "Dropout": (0.5,), "Activation": ("relu",), "Concatenate": ()}
    arguments = needed.get(case.layer, (4, 3) if case.layer.startswith("Conv") else ())
    theirs, ours = (getattr(module.layers, case.layer)(*arguments, name="one") for module in (keras, tconv))
    assert same(plain(ours.get_config()), plain(theirs.get_config()))


@pytest.mark.parametrize(("layer", "arguments", "shape"), WRONG, ids=str)
def test_both_refuse(layer, arguments, shape):
    kinds = []
    for module, known in ((keras, (ValueError, TypeError, IndexError)), (tconv, (ValueError, TypeError))):
        with pytest.raises(known) as error:
            one = getattr(module.layers, layer)(**arguments)
            several = isinstance(shape, list)
            one([np.ones(s, np.float32) for s in shape] if several else np.ones(shape, np.float32))
        kinds.append(error.type)
    assert kinds[1] is not TypeError or kinds[0] is TypeError


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "bfloat16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    ("name", "training"),
    [
        *((name, False) for name in ("Dense", "Conv2D", "BatchNormalization", "UpSampling2D", "Add")),
        ("BatchNormalization", True),
    ],
)
def test_narrow_policies(name, policy, training):
    case = next(case for case in CASES if case.layer == name)
    theirs, ours = made(keras, case, dtype=policy), made(tconv, case, dtype=policy)
    x = case.inputs("float32")
    theirs(x)
    ours(x)
    weights = random_weights(ours)
    theirs.set_weights(weights)
    ours.set_weights(weights)
    options = {"training": training} if name == "BatchNormalization" else {}
    expected = np.asarray(theirs(x, **options))
    y = ours(x, **options)
    assert y.dtype.name == expected.dtype.name
    assert [w.dtype.name for w in ours.weights] == [w.dtype for w in theirs.weights]
    wide = expected.astype(np.float32)
    step = 2.0**-10 if "bfloat16" not in policy else 2.0**-7
    np.testing.assert_allclose(y.astype(np.float32), wide, rtol=4 * step, atol=4 * step * np.abs(wide).max())


def test_dropout_in_training():
    """The numbers differ; what is done with them does not."""
    x = np.random.default_rng(0).standard_normal((200, 50)).astype(np.float32)
    for noise_shape in (None, (200, 1), (None, 1)):
        for module in (keras, tconv):
            y = np.asarray(module.layers.Dropout(0.25, noise_shape=noise_shape, seed=3)(x, training=True))
            kept = y != 0
            assert 0.6 < kept.mean() < 0.9
            np.testing.assert_allclose(y[kept], x[kept] / 0.75, rtol=1e-6)
            assert noise_shape is None or (kept == kept[:, :1]).all()
    for module in (keras, tconv):
        layer = module.layers.Dropout(0.5, seed=3)
        assert [v.name for v in layer.variables] == ["seed_generator_state"]
        assert (np.asarray(layer.variables[0]) == [3, 0]).all()
        layer(x, training=True)
        assert (np.asarray(layer.variables[0]) == [3, 1]).all()
        assert layer.weights == []


@pytest.mark.parametrize("case", FIRST, ids=lambda case: case.layer)
def test_regularizers_and_losses(case):
    """`losses` of both, activity first, divided by the batch size."""
    penalties = {"activity_regularizer": "l2"}
    if case.has_kernel:
        penalties |= {"kernel_regularizer": "l1", "bias_regularizer": "l2"}
    if case.layer == "BatchNormalization":
        penalties |= {"beta_regularizer": "l1", "gamma_regularizer": "l2"}
    theirs, ours = (made(module, case, **penalties) for module in (keras, tconv))
    x = case.inputs("float32")
    theirs(x)
    ours(x)
    weights = random_weights(ours)
    theirs.set_weights(weights)
    ours.set_weights(weights)
    theirs(x)
    ours(x)
    np.testing.assert_allclose([float(v) for v in ours.losses], [float(v) for v in theirs.losses], rtol=1e-5)
    assert same(plain(ours.get_config()), plain(theirs.get_config()))
    assert list(ours.get_config()) == list(theirs.get_config())
    loaded = tconv.layers.deserialize(plain(tconv.layers.serialize(ours)))
    assert plain(loaded.get_config()) == plain(ours.get_config())
