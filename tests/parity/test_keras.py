"""Real Keras 3: the same values, shapes, errors and configs from the same arguments."""

import itertools
import json
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest

import reference
import tconv

pytestmark = pytest.mark.filterwarnings("ignore")
keras = pytest.importorskip("keras")
if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
    pytest.skip("Keras before 3.15 crops wrongly in some backends", allow_module_level=True)


def numbers(shape, seed=0):
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


def on_keras(x, kernel, **arguments):
    with keras.device("cpu:0"):
        return keras.ops.convert_to_numpy(keras.ops.conv_transpose(x, kernel, **arguments))


def options():
    """(i, k, s, d, padding, op): op None, 0 .. s-1."""
    for i, k, s, d, padding in itertools.product((1, 3, 4), range(1, 6), range(1, 5), (1, 2), ("valid", "same")):
        for op in (None, *range(s)):
            yield i, k, s, d, padding, op


@pytest.mark.slow
def test_every_combination_in_one_dimension():
    """840 cases; a result without pixels, that Keras gives, is an error here."""
    count = 0
    for i, k, s, d, padding, op in options():
        x, kernel = numbers((1, i, 2), i), numbers((k, 3, 2), k)
        arguments = {"strides": s, "padding": padding, "output_padding": op, "dilation_rate": d}
        theirs = on_keras(x, kernel, **arguments)
        count += 1
        if theirs.shape[1] == 0:
            with pytest.raises(tconv.ShapeError):
                tconv.conv_transpose(x, kernel, **arguments)
            continue
        ours = tconv.conv_transpose(x, kernel, **arguments)
        np.testing.assert_array_equal(ours, theirs, err_msg=str((i, k, s, d, padding, op)))
        shape = tconv.conv_transpose_output_shape(x.shape, k, 3, **arguments)
        assert shape == theirs.shape
    assert count == 840


CASES = [
    (rank, data_format, padding, *rest)
    for rank, data_format, padding in itertools.product((2, 3), ("channels_last", "channels_first"), ("valid", "same"))
    for rest in [
        (3, 2, None, 1),
        (2, 2, 0, 1),
        (4, 3, 2, 1),
        (3, 1, None, 2),
        (2, 1, 0, 3),
        (1, 3, None, 1),
        (3, 2, 1, 2),
    ]
]


@pytest.mark.parametrize(("rank", "data_format", "padding", "k", "s", "op", "d"), CASES)
def test_ops_in_more_dimensions(rank, data_format, padding, k, s, op, d):
    spatial = (4, 5, 3)[:rank]
    x = numbers((2, 3, *spatial) if data_format == "channels_first" else (2, *spatial, 3))
    kernel = numbers((*[k] * (rank - 1), k + 1, 4, 3))
    arguments = {"strides": s, "padding": padding, "output_padding": op, "dilation_rate": d, "data_format": data_format}
    theirs = on_keras(x, kernel, **{**arguments, "strides": (s,) * rank, "dilation_rate": (d,) * rank})
    np.testing.assert_array_equal(tconv.conv_transpose(x, kernel, **arguments), theirs)


LAYERS = [
    ("Conv1DTranspose", (2, 7, 3), {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}),
    ("Conv1DTranspose", (2, 3, 7), {"filters": 4, "kernel_size": 4, "strides": 3, "data_format": "channels_first"}),
    ("Conv1DTranspose", (2, 7, 3), {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "activation": "gelu"}),
    (
        "Conv2DTranspose",
        (2, 5, 4, 3),
        {"filters": 4, "kernel_size": (3, 2), "strides": (2, 3), "output_padding": (1, 0)},
    ),
    (
        "Conv2DTranspose",
        (2, 5, 4, 3),
        {"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same", "activation": "relu"},
    ),
    (
        "Conv2DTranspose",
        (2, 5, 4, 3),
        {"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same", "output_padding": 0},
    ),
    (
        "Conv2DTranspose",
        (2, 3, 5, 4),
        {"filters": 4, "kernel_size": 3, "use_bias": False, "data_format": "channels_first"},
    ),
    (
        "Conv2DTranspose",
        (2, 5, 4, 3),
        {"filters": 4, "kernel_size": 3, "padding": "SAME", "dilation_rate": (2, 1), "activation": "elu"},
    ),
    ("Conv3DTranspose", (2, 3, 4, 2, 3), {"filters": 4, "kernel_size": 2, "strides": 2, "activation": "relu"}),
    (
        "Conv3DTranspose",
        (2, 3, 4, 2, 3),
        {"filters": 4, "kernel_size": 3, "strides": (2, 1, 3), "padding": "same", "output_padding": (1, 0, 2)},
    ),
    (
        "Conv3DTranspose",
        (2, 3, 3, 4, 2),
        {"filters": 2, "kernel_size": 3, "data_format": "channels_first", "activation": "leaky_relu"},
    ),
]


@pytest.mark.parametrize(("name", "shape", "arguments"), LAYERS)
def test_layers(name, shape, arguments):
    """Weights copied across; shapes, values, configs both ways."""
    theirs, ours = getattr(keras.layers, name)(**arguments), getattr(tconv.layers, name)(**arguments)
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    expected = keras.ops.convert_to_numpy(theirs(x))
    ours.build(shape)
    assert [w.shape for w in ours.get_weights()] == [tuple(w.shape) for w in theirs.get_weights()]
    weights = [np.random.default_rng(2).standard_normal(w.shape).astype(np.float32) for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    expected = keras.ops.convert_to_numpy(theirs(x))
    np.testing.assert_allclose(ours(x), expected, rtol=1e-5, atol=1e-4)
    assert ours.count_params() == theirs.count_params()
    unknown = (None, *shape[1:])
    assert ours.compute_output_shape(unknown) == tuple(theirs.compute_output_shape(unknown))
    channel = 1 if arguments.get("data_format") == "channels_first" else len(shape) - 1
    unknown = tuple(n if axis == channel else None for axis, n in enumerate(shape))
    assert ours.compute_output_shape(unknown) == tuple(theirs.compute_output_shape(unknown))

    config = json.loads(json.dumps(keras.saving.serialize_keras_object(theirs)))
    loaded = tconv.layers.deserialize(config)
    loaded.build(shape)
    loaded.set_weights(weights)
    np.testing.assert_array_equal(loaded(x), ours(x))
    config = json.loads(json.dumps(tconv.layers.serialize(ours)))
    back = keras.saving.deserialize_keras_object(config)
    assert back.built
    back.set_weights(weights)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(back(x)), expected, rtol=1e-6)
    for key, value in theirs.get_config().items():
        assert key == "name" or json.dumps(back.get_config()[key]) == json.dumps(value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_regularizer": {"L2": {"l2": 0.5}}, "bias_regularizer": {"L1": {"l1": 0.25}}},
        {"kernel_constraint": {"MaxNorm": {"max_value": 3, "axis": [0, 1]}}, "bias_constraint": {"NonNeg": {}}},
        {"activity_regularizer": {"L1L2": {"l1": 0.5, "l2": 0.25}}},
        {"kernel_initializer": {"HeNormal": {"seed": 3}}, "bias_initializer": {"Constant": {"value": 2.0}}},
        {"kernel_initializer": {"VarianceScaling": {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}}},
        {"dtype": "mixed_float16"},
        {"dtype": "float64", "trainable": False},
    ],
)
def test_configs_both_ways(arguments):
    def made(module):
        names = ("regularizer", "constraint", "initializer")
        families = {name: getattr(module, f"{name}s") for name in names}
        made = {}
        for key, value in arguments.items():
            if isinstance(value, dict):
                ((name, config),) = value.items()
                value = getattr(families[key.rsplit("_", 1)[1]], name)(**config)
            made[key] = value
        return module.layers.Conv2DTranspose(4, 3, name="up", **made)

    def plain(config):
        return {k: v for k, v in json.loads(json.dumps(config)).items() if k != "groups"}

    theirs, ours = made(keras), made(tconv)
    loaded = tconv.layers.Conv2DTranspose.from_config(json.loads(json.dumps(theirs.get_config())))
    assert plain(loaded.get_config()) == plain(ours.get_config())
    back = keras.layers.Conv2DTranspose.from_config(json.loads(json.dumps(ours.get_config())))
    assert plain(back.get_config()) == plain(theirs.get_config())
    assert [k for k in ours.get_config() if k != "groups"] == list(theirs.get_config())
    tconv.layers.deserialize(keras.saving.serialize_keras_object(theirs))
    keras.saving.deserialize_keras_object(tconv.layers.serialize(ours))


def test_a_sequential_of_either_loads_in_the_other():
    def made(module):
        layers = module.layers
        return module.Sequential(
            [
                layers.Input((4, 4, 3)),
                layers.Conv2DTranspose(8, 4, 2, "same", activation="relu", name="one"),
                layers.Conv2DTranspose(2, 3, 2, "same", name="two"),
                layers.Activation("tanh", name="three"),
            ],
            name="decoder",
        )

    theirs, ours = made(keras), made(tconv)
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(theirs(x))
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(x), expected, rtol=1e-5, atol=1e-5)
    loaded = tconv.models.model_from_json(theirs.to_json())
    loaded.set_weights(theirs.get_weights())
    np.testing.assert_array_equal(loaded(x), ours(x))
    back = keras.models.model_from_json(ours.to_json())
    back.set_weights(ours.get_weights())
    np.testing.assert_allclose(keras.ops.convert_to_numpy(back(x)), expected, rtol=1e-6)


NAMES = (
    "relu relu6 leaky_relu elu selu celu sigmoid hard_sigmoid log_sigmoid tanh silu swish hard_silu exponential linear "
    "softplus softsign gelu mish softmax log_softmax"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_activations(name):
    z = np.concatenate([np.linspace(-8, 8, 61), [-50, 50]]).astype(np.float32).reshape(7, 9)
    theirs = keras.ops.convert_to_numpy(getattr(keras.activations, name)(keras.ops.convert_to_tensor(z)))
    np.testing.assert_allclose(tconv.activations.get(name)(z), theirs, rtol=2e-6, atol=3e-7)
    assert tconv.activations.serialize(tconv.activations.get(name)) == keras.activations.serialize(
        keras.activations.get(name)
    )


WRONG = [
    {"filters": 0}, {"kernel_size": 0}, {"kernel_size": (2, 2)}, {"kernel_size": "a"}, {"strides": -1},
    {"strides": 2, "dilation_rate": 2}, {"strides": 2, "output_padding": 2}, {"output_padding": -1},
    {"padding": "causal"},
    {"data_format": "x"}, {"activation": "foo"}, {"kernel_initializer": "foo"}, {"no_such": 2},
]  # fmt: skip


@pytest.mark.parametrize("arguments", WRONG, ids=str)
def test_both_refuse(arguments):
    for module in (keras, tconv):
        with pytest.raises(ValueError):
            module.layers.Conv3DTranspose(**{"filters": 4, "kernel_size": 3, **arguments})


def test_gradients_against_jax():
    jax = pytest.importorskip("jax")
    x, kernel = numbers((2, 5, 4, 3)), numbers((3, 4, 2, 3))
    arguments = {"strides": (2, 3), "padding": "same"}

    def loss(x, kernel):
        y = keras.ops.conv_transpose(x, kernel, **arguments)
        return (y * dy).sum()

    shape = tconv.conv_transpose_output_shape(x.shape, (3, 4), 2, **arguments)
    dy = numbers(shape, 5)
    with keras.device("cpu:0"):
        dx, dkernel = jax.grad(loss, (0, 1))(x, kernel) if keras.backend.backend() == "jax" else (None, None)
    if dx is None:
        pytest.skip("Keras runs on another backend")
    np.testing.assert_array_equal(tconv.conv_transpose_grad_input(dy, kernel, x.shape, **arguments), dx)
    np.testing.assert_array_equal(tconv.conv_transpose_grad_kernel(x, dy, kernel.shape, **arguments), dkernel)


def test_the_oracle_itself_agrees_with_keras():
    x, kernel = numbers((2, 5, 3)), numbers((4, 2, 3))
    axes = [reference.resolve(5, 4, 3, 1, "same")]
    np.testing.assert_array_equal(
        reference.forward(x, kernel, axes=axes), on_keras(x, kernel, strides=3, padding="same")
    )
