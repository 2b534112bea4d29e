"""What layers refuse, with Keras' meaning."""

import numpy as np
import pytest

import tconv
from tconv.layers import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, ConvNDTranspose


class Raising:
    def __index__(self):
        raise RuntimeError("no index today")

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no array today")


LIKE_KERAS = [
    ({"filters": 0}, "Invalid value for argument `filters`. Expected a strictly positive value. Received filters=0"),
    ({"filters": -1}, "strictly positive"),
    ({"kernel_size": 0}, "including values {0} that do not satisfy `value > 0`"),
    ({"kernel_size": (2, 2)}, "The `kernel_size` argument must be a tuple of 3 integers. Received kernel_size=(2, 2)"),
    ({"kernel_size": "a"}, "The `kernel_size` argument must be a tuple of 3 integers"),
    ({"strides": -1}, "including values {-1} that do not satisfy `value > 0`"),
    ({"strides": 2, "dilation_rate": 2}, "`strides > 1` not supported in conjunction with `dilation_rate > 1`"),
    (
        {"strides": (2, 1, 1), "dilation_rate": (1, 1, 2)},
        "`strides > 1` not supported in conjunction with `dilation_rate > 1`",
    ),
    ({"strides": 2, "output_padding": 2}, "`output_padding` must be strictly less than `strides`"),
    ({"strides": 2, "output_padding": (1, 0, 2)}, "`output_padding` must be strictly less than `strides`"),
    ({"output_padding": 1}, "`output_padding` must be strictly less than `strides`"),
    ({"output_padding": -1}, "including values {-1} that do not satisfy `value >= 0`"),
    ({"padding": "causal"}, "The `padding` argument must be"),
    ({"padding": "full"}, "The `padding` argument must be"),
    (
        {"data_format": "x"},
        "The `data_format` argument must be one of {'channels_first', 'channels_last'}. Received: data_format=x",
    ),
    ({"activation": "foo"}, "foo"),
    ({"kernel_initializer": "foo"}, "foo"),
    ({"bias_initializer": "foo"}, "foo"),
    ({"kernel_regularizer": "foo"}, "foo"),
    ({"bias_regularizer": "foo"}, "foo"),
    ({"activity_regularizer": "foo"}, "foo"),
    ({"kernel_constraint": "foo"}, "foo"),
    ({"bias_constraint": "foo"}, "foo"),
    ({"group": 2}, "Unrecognized keyword arguments passed to Conv3DTranspose: {'group': 2}"),
    ({"groups": 2, "filters": 3}, "groups"),
]


@pytest.mark.parametrize(("arguments", "text"), LIKE_KERAS)
def test_what_keras_refuses(arguments, text):
    with pytest.raises(ValueError) as caught:
        Conv3DTranspose(**{"filters": 4, "kernel_size": 3, **arguments})
    assert text in str(caught.value)


COUNTS = [0, -1, True, False, 1.0, 2.5, "2", b"2", (), (1, 1, 1), (1, 0), (1, True), (1, 1.5), (1, None), {1, 2},
          {1: 1}, float("nan"), Raising(), object(), np.ones((2, 2), int), np.array([1.0, 2.0]), [[1, 1]]]  # fmt: skip
WRONG = {
    "filters": [*COUNTS, None, (4,), [4]],
    "kernel_size": [*COUNTS, None],
    "strides": [*COUNTS, None],
    "dilation_rate": [*COUNTS, None],
    "output_padding": [*COUNTS[1:10], *COUNTS[11:], (0, 2), 2, 2**63, 2**200],
    "groups": [*COUNTS, None, 3],
    "padding": ["causal", "", None, True, 1.5, (1,), (1, 1, 1), ((1, 1), (1,)), {1: 2}, b"same", Raising(), object()],
    "data_format": ["", "NHWC", 1, True, b"channels_last", object()],
    "use_bias": [None, 1, "yes", object()],
    "trainable": [None, "yes", object()],
    "activation": [3, object(), ("relu",), b"relu", {}, {"class_name": "os.system", "config": {}}],
    "kernel_initializer": [3, object(), b"zeros", {}, {"class_name": "os.system", "config": {}}],
    "kernel_regularizer": [object(), b"l2", {}, {"class_name": "os.system", "config": {}}],
    "kernel_constraint": [3, object(), b"non_neg", {}, {"class_name": "os.system", "config": {}}],
    "dtype": ["int32", "complex64", 3, object(), "float128", "mixed"],
    "name": [3, "a/b", b"name"],
    "input_shape": [3.5, "abc", (-1, 3), (1.5, 3, 3), object()],
}


@pytest.mark.parametrize(
    ("argument", "value"), [pytest.param(a, v, id=f"{a}-{i}") for a, vs in WRONG.items() for i, v in enumerate(vs)]
)
def test_wrong_arguments(argument, value):
    with pytest.raises((ValueError, TypeError)) as caught:
        Conv2DTranspose(**{"filters": 4, "kernel_size": 3, "strides": 2, argument: value})
    message = str(caught.value)
    assert len(message) < 700
    assert "\n" not in message
    words = {
        "kernel_initializer": "initializer",
        "kernel_regularizer": "regularizer",
        "kernel_constraint": "constraint",
    }
    assert words.get(argument, argument) in message, message


WRONG_INPUTS = [
    (np.ones((5, 5, 3)), "expected min_ndim=4, found ndim=3"),
    (np.ones((1, 1, 5, 5, 3)), "ndim"),
    (np.ones(()), "ndim"),
    (3.0, "ndim"),
    (np.ones((1, 5, 5, 0)), "3"),
    (
        np.ones((1, 5, 5, 4)),
        "expected axis -1 of input shape to have value 3, but received input with shape (1, 5, 5, 4)",
    ),
]


@pytest.mark.parametrize(("x", "text"), WRONG_INPUTS)
def test_wrong_inputs(x, text):
    layer = Conv2DTranspose(4, 3, name="up")
    layer.build((None, 5, 5, 3))
    with pytest.raises(ValueError) as caught:
        layer(x)
    assert text in str(caught.value)
    assert "up" in str(caught.value)


@pytest.mark.parametrize(
    "x",
    [None, "text", Raising(), object(), np.ones((1, 5, 5, 3), complex), [[1, 2], [3]], np.ones((1, 5, 5, 3), object)],
)
def test_inputs_that_are_no_arrays(x):
    layer = Conv2DTranspose(4, 3, name="up")
    layer.build((None, 5, 5, 3))
    with pytest.raises((TypeError, ValueError), match="up"):
        layer(x)


def test_a_failed_build_leaves_the_layer_unbuilt():
    layer = Conv2DTranspose(4, 3, groups=2)
    with pytest.raises(ValueError):
        layer(np.ones((1, 5, 5, 3)))  # 3 channels in 2 groups
    assert not layer.built
    assert layer.weights == []
    assert layer(np.ones((1, 5, 5, 4))).shape == (1, 7, 7, 4)


@pytest.mark.parametrize(
    "shape",
    [
        None,
        3,
        "abc",
        (None, 5, 3),
        (None, 5, 5, 5, 3),
        (None, 5, 5, None),
        (None, 5, 5, -3),
        (None, -5, 5, 3),
        (None, 5.5, 5, 3),
    ],
)
def test_wrong_build_shapes(shape):
    for method in ("build", "compute_output_shape"):
        if method == "compute_output_shape" and isinstance(shape, tuple) and shape[-1] is None:
            continue
        layer = Conv2DTranspose(4, 3)
        with pytest.raises((ValueError, TypeError)) as caught:
            getattr(layer, method)(shape)
        assert not isinstance(caught.value, IndexError)
        assert not layer.built


def test_an_output_without_pixels():
    layer = Conv1DTranspose(2, 2, strides=2, padding="same", output_padding=0)
    with pytest.raises(ValueError):
        layer(np.ones((1, 1, 3)))
    assert layer(np.ones((1, 2, 3))).shape == (1, 2, 2)


def test_strided_dilation_on_request():
    with pytest.raises(ValueError, match="not supported in conjunction"):
        Conv2DTranspose(4, 3, strides=2, dilation_rate=2)
    layer = Conv2DTranspose(4, 3, strides=2, dilation_rate=2, allow_strided_dilation=True)
    assert layer(np.ones((1, 5, 5, 3))).shape == (1, 13, 13, 4)


def test_huge_layers():
    with pytest.raises((MemoryError, ValueError)):
        Conv2DTranspose(2**40, 3)(np.ones((1, 5, 5, 3)))
    with pytest.raises((MemoryError, ValueError)):
        Conv2DTranspose(2, 2**31)(np.ones((1, 5, 5, 3)))
    with pytest.raises((MemoryError, ValueError)):
        Conv1DTranspose(1, 1, strides=2**61)(np.ones((1, 2, 1)))


@pytest.mark.parametrize("argument", ["filters", "kernel_size", "strides", "dilation_rate", "groups"])
@pytest.mark.parametrize("value", [2**31, 2**62, 2**63, 2**200])
def test_huge_arguments(argument, value):
    """Refused at the latest when there are shapes; never an overflow."""
    with pytest.raises((ValueError, MemoryError)):
        Conv2DTranspose(**{"filters": 4, "kernel_size": 3, argument: value})(np.ones((1, 5, 5, 4)))


@pytest.mark.parametrize("rank", [0, -1, True, 1.0, "2", None, 10**6])
def test_wrong_ranks(rank):
    with pytest.raises((ValueError, TypeError), match="rank"):
        ConvNDTranspose(rank, 4, 3)


@pytest.mark.parametrize("thing", [tconv.layers.Conv2DTranspose, "layer", 3, b"x", object()])
def test_r_functions_refuse_other_objects(thing):
    with pytest.raises((TypeError, ValueError)):
        tconv.layer_conv_2d_transpose(thing, 4, 3)
