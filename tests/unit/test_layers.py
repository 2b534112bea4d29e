"""The layers: constructor, shapes, values, weights, losses."""

import inspect

import numpy as np
import pytest
from hypothesis import given

import tconv
from problems import NAMED, error_excess, problems
from tconv.layers import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, ConvNDTranspose

LAYERS = {1: Conv1DTranspose, 2: Conv2DTranspose, 3: Conv3DTranspose}
DEFAULTS = {
    "padding": "valid",
    "output_padding": None,
    "data_format": None,
    "groups": 1,
    "activation": None,
    "use_bias": True,
    "kernel_initializer": "glorot_uniform",
    "bias_initializer": "zeros",
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
    "trainable": True,
    "name": None,
    "dtype": None,
}


def layer_of(p, **more):
    """The layer of a problem, with its weights."""
    names = ("kernel_size", "strides", "padding", "output_padding", "dilation_rate", "groups", "data_format")
    arguments = {name: getattr(p, name) for name in names}
    layer = ConvNDTranspose(
        p.rank, p.filters, **arguments, use_bias=p.bias, dtype=p.dtype, allow_strided_dilation=True, **more
    )
    layer.build(p.input_shape)
    layer.set_weights([p.kernel, p.b] if p.bias else [p.kernel])
    return layer


# -------------------------------------------------------------------------------------------------- the documents


def test_documents_examples():
    x = np.random.rand(4, 10, 8, 12, 128)  # noqa: NPY002 - as the documents have it
    y = Conv3DTranspose(32, 2, 2, activation="relu")(x)
    assert y.shape == (4, 20, 16, 24, 32)
    x = np.random.rand(4, 10, 8, 128)  # noqa: NPY002 - as the documents have it
    y = tconv.layer_conv_2d_transpose(x, 32, 2, 2, activation="relu")
    assert y.shape == (4, 20, 16, 32)
    x = np.random.rand(4, 10, 128)  # noqa: NPY002 - as the documents have it
    y = Conv1DTranspose(32, 3, 2, activation="relu")(x)
    assert y.shape == (4, 21, 32)
    assert y.min() >= 0
    assert y.dtype == np.float32


@pytest.mark.parametrize("rank", LAYERS)
def test_signature_and_defaults(rank):
    parameters = inspect.signature(LAYERS[rank]).parameters
    for name, default in {**DEFAULTS, "strides": (1,) * rank, "dilation_rate": (1,) * rank}.items():
        given_default = parameters[name].default
        assert given_default == default or (name in ("strides", "dilation_rate") and given_default in (1, default)), (
            name
        )
    assert list(parameters)[:2] == ["filters", "kernel_size"]
    assert parameters["groups"].kind is inspect.Parameter.KEYWORD_ONLY
    layer = LAYERS[rank](4, 3)
    assert (layer.filters, layer.kernel_size, layer.strides, layer.dilation_rate) == (
        4,
        (3,) * rank,
        (1,) * rank,
        (1,) * rank,
    )
    assert (layer.padding, layer.output_padding, layer.data_format) == ("valid", None, "channels_last")
    assert layer.use_bias
    assert layer.trainable
    assert not layer.built
    assert layer.dtype == "float32"
    assert type(layer.kernel_initializer).__name__ == "GlorotUniform"
    assert type(layer.bias_initializer).__name__ == "Zeros"
    assert layer.activation is tconv.activations.linear


def test_aliases():
    assert tconv.layers.Convolution1DTranspose is Conv1DTranspose
    assert tconv.layers.Convolution2DTranspose is Conv2DTranspose
    assert tconv.layers.Convolution3DTranspose is Conv3DTranspose


@pytest.mark.parametrize(
    ("arguments", "output_padding", "data_format"),
    [
        ((None, "channels_first"), None, "channels_first"),  # tf.keras: output_padding, data_format
        ((1, "channels_first"), (1, 1), "channels_first"),
        (((1, 0), None), (1, 0), "channels_last"),
        (("channels_first", None), None, "channels_first"),  # Keras 3: data_format, output_padding
        (("channels_first", 1), (1, 1), "channels_first"),
        ((None, 1), (1, 1), "channels_last"),
        (("channels_first",), None, "channels_first"),
        ((1,), (1, 1), "channels_last"),
        ((None,), None, "channels_last"),
        ((None, None), None, "channels_last"),
    ],
)
def test_both_positional_orders(arguments, output_padding, data_format):
    layer = Conv2DTranspose(4, 3, 2, "same", *arguments)
    assert (layer.output_padding, layer.data_format) == (output_padding, data_format)
    layer = Conv2DTranspose(4, 3, 2, "same", *arguments, *[None] * (2 - len(arguments)), (1, 1), activation="relu")
    assert layer.dilation_rate == (1, 1)
    assert layer.activation is tconv.activations.relu


def test_none_initializers_are_the_documented_defaults():
    layer = Conv2DTranspose(4, 3, kernel_initializer=None, bias_initializer=None)
    layer.build((None, 5, 5, 3))
    assert not layer.bias.numpy().any()
    assert layer.kernel.numpy().any()


# ---------------------------------------------------------------------------------------------------------- values


@given(problems(ranks=(1, 2, 3, 4), dtypes=("float32", "float64"), empty=False, unbatched=False))
def test_a_layer_computes_what_the_oracle_computes(p):
    strides = p.per_axis(p.strides)
    p = p.but(output_shape=None)
    if p.output_padding is not None:  # layers demand output_padding < stride
        p = p.but(output_padding=[min(o, s - 1) for o, s in zip(p.per_axis(p.output_padding), strides, strict=True)])
    if not p.is_legal:
        p = p.but(padding="valid", output_padding=None)
    layer = layer_of(p)
    y = layer(p.x)
    assert y.dtype == np.dtype(p.dtype)
    assert error_excess(p, y, *p.expected(), p.terms) <= 1
    assert layer.compute_output_shape(p.input_shape) == y.shape == p.output
    np.testing.assert_array_equal(tconv.conv_transpose(p.x, p.kernel, p.b, **p.geometry), y)
    np.testing.assert_array_equal(
        layer.convolution_op(p.x, p.kernel), tconv.conv_transpose(p.x, p.kernel, **p.geometry)
    )


def test_compute_output_shape_keeps_none():
    layer = Conv2DTranspose(4, 3, strides=2, padding="same")
    assert layer.compute_output_shape((None, None, 5, 3)) == (None, None, 10, 4)
    assert not layer.built
    first = Conv2DTranspose(4, 3, strides=2, data_format="channels_first")
    assert first.compute_output_shape((None, 3, None, 5)) == (None, 4, None, 11)


def test_inputs_of_any_kind():
    layer = Conv1DTranspose(2, 3)
    x = np.arange(12).reshape(1, 4, 3)
    y = layer(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(layer(x.tolist()), y)
    np.testing.assert_array_equal(layer(x.astype(np.float64)), y)
    assert Conv1DTranspose(2, 3, dtype="float64")(x).dtype == np.float64
    assert Conv1DTranspose(2, 3, dtype="float16")(x).dtype == np.float16


def test_mixed_precision():
    layer = Conv1DTranspose(2, 3, dtype="mixed_float16")
    y = layer(np.ones((1, 4, 3), np.float32))
    assert y.dtype == np.float16
    assert layer.kernel.dtype == np.float32
    assert (layer.dtype, layer.compute_dtype) == ("float32", "float16")


def test_empty_batch():
    assert Conv2DTranspose(4, 3, strides=2)(np.ones((0, 5, 5, 3))).shape == (0, 11, 11, 4)


def test_a_layer_builds_once_and_then_checks():
    layer = Conv2DTranspose(4, 3)
    layer(np.ones((1, 5, 5, 3)))
    kernel = layer.kernel.numpy()
    assert layer(np.ones((2, 9, 4, 3))).shape == (2, 11, 6, 4)
    np.testing.assert_array_equal(layer.kernel.numpy(), kernel)
    layer.build((None, 7, 7, 3))
    np.testing.assert_array_equal(layer.kernel.numpy(), kernel)
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3"):
        layer(np.ones((1, 5, 5, 4)))
    with pytest.raises(ValueError):
        layer.build((None, 7, 7, 4))
    np.testing.assert_array_equal(layer.kernel.numpy(), kernel)


# --------------------------------------------------------------------------------------------------------- weights


def test_weights():
    layer = Conv2DTranspose(4, (3, 2), name="up")
    assert layer.weights == []
    assert layer.get_weights() == []
    layer.build((None, 5, 5, 3))
    assert [w.name for w in layer.weights] == ["kernel", "bias"]
    assert [w.path for w in layer.weights] == ["up/kernel", "up/bias"]
    assert layer.kernel.shape == (3, 2, 4, 3)
    assert layer.bias.shape == (4,)
    assert layer.count_params() == 76
    assert layer.weights == [layer.kernel, layer.bias] == layer.trainable_weights
    assert layer.non_trainable_weights == []
    layer.trainable = False
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 2
    no_bias = Conv2DTranspose(4, 3, use_bias=False)
    no_bias.build((None, 5, 5, 3))
    assert no_bias.bias is None
    assert len(no_bias.weights) == 1
    grouped = Conv2DTranspose(4, 3, groups=2)
    grouped.build((None, 5, 5, 6))
    assert grouped.kernel.shape == (3, 3, 2, 6)


def test_count_params_unbuilt():
    with pytest.raises(ValueError, match="isn't built"):
        Conv2DTranspose(4, 3).count_params()


def test_variables_are_read_only():
    layer = Conv2DTranspose(4, 3)
    layer.build((None, 5, 5, 3))
    for array in (layer.kernel.value, np.asarray(layer.kernel), layer.kernel[0], np.asarray(layer.kernel)[...]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises((TypeError, AttributeError)):
        layer.kernel[0] = 0
    array = np.ones(layer.kernel.shape, np.float32)
    layer.kernel.assign(array)
    array[...] = 7
    assert (layer.kernel.numpy() == 1).all()
    copy = layer.kernel.numpy()
    copy[...] = 9
    got = layer.get_weights()[0]
    got[...] = 9
    assert (layer.kernel.numpy() == 1).all()


@pytest.mark.parametrize("how", ["assign", "set_weights", "attribute", "rebuilt config", "out of place"])
def test_no_stale_weights(how):
    """Whatever was packed for the old weights is not used for the new ones."""
    p = NAMED["vae"].but(batch=1)
    layer, other = layer_of(p), p.but(seed=9)
    old = layer(p.x)
    if how == "assign":
        layer.kernel.assign(other.kernel)
        layer.bias.assign(other.b)
    elif how == "set_weights":
        layer.set_weights([other.kernel, other.b])
    elif how == "attribute":
        for variable, value in zip(layer.weights, (other.kernel, other.b), strict=True):
            variable.assign(value)
            layer(p.x)
    elif how == "rebuilt config":
        layer = type(layer).from_config(layer.get_config())
        layer.build(p.input_shape)
        layer(p.x)
        layer.set_weights([other.kernel, other.b])
    else:
        kernel = layer.kernel.numpy()
        kernel[...] = other.kernel
        layer.set_weights([kernel, other.b])
        kernel[...] = 0
    expected = tconv.conv_transpose(p.x, other.kernel, other.b, **p.geometry)
    np.testing.assert_array_equal(layer(p.x), expected)
    assert not np.array_equal(old, expected)
    layer.set_weights([p.kernel, p.b])
    np.testing.assert_array_equal(layer(p.x), old)


def test_wrong_weights():
    layer = Conv2DTranspose(4, 3)
    layer.build((None, 5, 5, 3))
    before = layer.get_weights()
    with pytest.raises(ValueError, match="weight list of length 1, but the layer was expecting 2 weights"):
        layer.set_weights(before[:1])
    with pytest.raises(ValueError, match="not compatible with provided weight shape"):
        layer.set_weights([before[0] + 1, np.ones(5)])
    with pytest.raises((ValueError, TypeError)):
        layer.set_weights([before[0] + 1, "bias"])
    for variable, kept in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), kept)  # nothing was set halfway
    with pytest.raises(ValueError, match="shape"):
        layer.kernel.assign(np.ones((3, 3, 4, 2)))
    with pytest.raises((TypeError, ValueError)):
        layer.kernel.assign("ones")


def test_names():
    first, second = Conv2DTranspose(1, 1), Conv2DTranspose(1, 1)
    assert first.name.startswith("conv2d_transpose")
    assert second.name.startswith("conv2d_transpose_")
    assert first.name != second.name
    assert Conv3DTranspose(1, 1).name.startswith("conv3d_transpose")
    assert Conv1DTranspose(1, 1, name="mine").name == "mine"
    for name in ("a/b", 3, ""):
        with pytest.raises((ValueError, TypeError)):
            Conv1DTranspose(1, 1, name=name)


def test_input_shape_and_initial_weights():
    model = tconv.Sequential([Conv2DTranspose(4, 3, input_shape=(5, 6, 3))])
    assert model.built
    assert model.output_shape == (None, 7, 8, 4)
    layer = Conv1DTranspose(1, 2, weights=[np.full((2, 1, 1), 3.0), [5.0]])
    assert layer(np.ones((1, 1, 1))).ravel().tolist() == [8, 8]


# ---------------------------------------------------------------------------------------------------------- losses


def test_regularizers_and_losses():
    layer = Conv2DTranspose(
        4, 3, kernel_regularizer=tconv.regularizers.L2(0.5), bias_regularizer="l1", activity_regularizer="l2",
        bias_initializer="ones",
    )  # fmt: skip
    assert layer.losses == []
    y = layer(np.ones((2, 5, 5, 3)))
    activity, kernel, bias = (float(loss) for loss in layer.losses)
    assert activity == pytest.approx(0.01 * float(np.sum(np.square(y, dtype=np.float64))) / 2, rel=1e-5)
    assert kernel == pytest.approx(0.5 * float(np.sum(np.square(layer.kernel.numpy(), dtype=np.float64))), rel=1e-5)
    assert bias == pytest.approx(0.04, rel=1e-5)
    layer(np.ones((2, 5, 5, 3)))
    assert len(layer.losses) == 3
    layer.trainable = False
    assert len(layer.losses) == 1


def test_add_loss():
    class Lossy(tconv.layers.Layer):
        def call(self, inputs):
            self.add_loss(3.0)
            return inputs

    layer = Lossy()
    layer(np.ones((1, 2)))
    assert [float(loss) for loss in layer.losses] == [3]
    model = tconv.Sequential([tconv.layers.Input((2,)), Lossy(), Lossy()])
    model(np.ones((1, 2)))
    assert len(model.losses) == 2
    with pytest.raises((ValueError, TypeError)):
        layer.add_loss("much")


# ------------------------------------------------------------------------------------------------------- subclassing


def test_subclass_overrides_call():
    class Scaled(Conv2DTranspose):
        def call(self, inputs):
            return super().call(inputs) * 2

    layer = Scaled(4, 3)
    x = np.ones((1, 5, 5, 3), np.float32)
    y = layer(x)
    plain = Conv2DTranspose(4, 3)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(y, 2 * plain(x))
    assert layer.name.startswith("scaled")


def test_activation_of_any_kind():
    x = np.random.default_rng(0).standard_normal((1, 5, 5, 3)).astype(np.float32)
    for activation in ("relu", tconv.activations.relu, lambda z: np.maximum(z, 0)):
        layer = Conv2DTranspose(4, 3, activation=activation)
        y = layer(x)
        np.testing.assert_array_equal(y, np.maximum(tconv.conv_transpose(x, layer.kernel.value, layer.bias.value), 0))


@pytest.mark.parametrize(
    ("name", "value"),
    [("activation", tconv.activations.relu), ("padding", "same"), ("strides", (3, 3)), ("dilation_rate", (2, 2))],
)
def test_a_prepared_call_ends_when_an_attribute_is_set(name, value):
    x = np.random.default_rng(0).standard_normal((1, 4, 4, 3))
    layer = tconv.layers.Conv2DTranspose(2, 3, allow_strided_dilation=True)
    for _ in range(3):
        layer(x.astype(np.float32))
    setattr(layer, name, value)
    fresh = tconv.layers.Conv2DTranspose(2, 3, **{name: value})
    fresh.build(x.shape)
    fresh.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(x.astype(np.float32)), fresh(x))


def test_a_prepared_call_forgets_the_losses_before_it():
    x = np.ones((1, 4, 4, 3), np.float32)
    layer = tconv.layers.Conv2DTranspose(2, 3)
    for _ in range(3):
        layer(x)
    layer.add_loss(1.0)
    assert layer.losses == [1.0]
    layer(x)
    assert layer.losses == []


def test_a_call_of_a_subclass_is_never_passed_by():
    class Doubled(tconv.layers.Conv2DTranspose):
        def call(self, inputs):
            return 2 * super().call(inputs)

    x = np.ones((1, 4, 4, 3), np.float32)
    layer = Doubled(2, 3, kernel_initializer="ones")
    assert [float(layer(x)[0, 3, 3, 0]) for _ in range(3)] == [54.0] * 3


@pytest.mark.parametrize("other", ["shape", "dtype", "order", "list"])
def test_a_prepared_call_takes_what_it_was_prepared_for_only(other):
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32)
    layer = tconv.layers.Conv2DTranspose(2, 3, strides=2)
    expected = [layer(x) for _ in range(3)][-1]
    inputs = {"shape": x[:1], "dtype": x.astype(np.float64), "order": np.asfortranarray(x), "list": x.tolist()}[other]
    np.testing.assert_array_equal(layer(inputs), expected[: len(inputs)])
