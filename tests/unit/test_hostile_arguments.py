"""Objects that lie about themselves, as arguments of layers, models and variables: a ValueError or TypeError of one
line, soon."""

import signal

import numpy as np
import pytest

import tconv
from hostile_values import HOSTILE, TYPE_OR_VALUE, Text, refused
from tconv import Sequential
from tconv.layers import Activation, Conv2DTranspose, ConvNDTranspose, Input, Layer

X = np.ones((1, 4, 5, 3), np.float32)


@pytest.fixture(autouse=True)
def _soon():
    def late(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "argument",
    [
        "filters", "kernel_size", "strides", "padding", "output_padding", "data_format", "dilation_rate", "activation",
        "use_bias", "kernel_regularizer", "bias_constraint", "groups", "trainable", "dtype", "input_shape", "weights",
        "no_such",
    ],
)  # fmt: skip
def test_layer_arguments(argument, value):
    kinds = TYPE_OR_VALUE if argument == "weights" else ValueError
    message = refused(lambda: Conv2DTranspose(**{"filters": 4, "kernel_size": 3, argument: HOSTILE[value]}), kinds)
    assert argument in message


@pytest.mark.parametrize("value", set(HOSTILE) - {"text", "long text"})
@pytest.mark.parametrize("make", [lambda name: Conv2DTranspose(4, 3, name=name), lambda name: Sequential(name=name)])
def test_names(make, value):
    refused(lambda: make(HOSTILE[value]), ValueError)


@pytest.mark.parametrize("value", set(HOSTILE) - {"matrix", "number"})
def test_numbers(value):
    layer, thing = Conv2DTranspose(4, 3), HOSTILE[value]
    layer.build((None, 4, 5, 3))
    refused(lambda: layer.add_loss(thing), ValueError)
    refused(lambda: layer.kernel.assign(thing), TypeError)
    refused(lambda: layer.set_weights([thing, np.ones(4)]), TypeError)
    refused(lambda: layer(thing), TypeError)
    refused(lambda: Conv2DTranspose(4, 3)(thing), TypeError)
    refused(lambda: Sequential([Conv2DTranspose(4, 3)]).predict(thing))


@pytest.mark.parametrize("value", HOSTILE)
def test_methods(value):
    layer, thing = Conv2DTranspose(4, 3, name="up"), HOSTILE[value]
    layer.build((None, 4, 5, 3))
    model = Sequential([layer])
    for method in (
        layer.set_weights,
        layer.build,
        layer.compute_output_shape,
        Conv2DTranspose.from_config,
        Conv2DTranspose(4, 3).build_from_config,
        lambda v: Conv2DTranspose(4, 3).build_from_config({"input_shape": v}),
        lambda v: ConvNDTranspose(v, 4, 3),
        Input,
        lambda v: Input((4, 4, 3), v),
        lambda v: Input(batch_shape=v),
        lambda v: Input((2,), dtype=v),
        tconv.layers.deserialize,
        Sequential,
        Sequential().add,
        Sequential.from_config,
        lambda v: Sequential(trainable=v),
        lambda v: model.predict(X, verbose=v),
        lambda v: model.predict(X, batch_size=v),
        lambda v: model.summary(v, print_fn=len),
        lambda v: model.get_layer(index=v),
        lambda v: model.get_layer(v),
        model.compute_output_shape,
        model.set_weights,
        lambda v: tconv.Variable([1.0], shape=v),
        lambda v: tconv.Variable(np.zeros, shape=v),
        lambda v: tconv.Variable([1.0], dtype=v),
        lambda v: Layer().add_weight(v),
        lambda v: Layer().add_weight((2,), "zeros", dtype=v),
        lambda v: tconv.layer_conv_2d_transpose(X, v, 3),
        lambda v: tconv.layer_conv_2d_transpose(X, 4, v),
        lambda v: tconv.layer_conv_2d_transpose(v, 4, 3),
        tconv.config.set_image_data_format,
        tconv.config.set_floatx,
        tconv.set_num_threads,
        tconv.models.model_from_json,
    ):
        if value in ("matrix", "number") and method == Sequential().add:
            continue
        refused(lambda method=method: method(thing))


@pytest.mark.parametrize("value", set(HOSTILE) - {"text", "long text"})
def test_a_weight_is_called_by_a_string(value):
    refused(lambda: Layer().add_weight((2,), "zeros", name=HOSTILE[value]), ValueError)


@pytest.mark.parametrize("argument", ["padding", "data_format"])
def test_text_of_another_class(argument):
    kernel = np.ones((3, 3, 4, 3), np.float32)
    refused(lambda: tconv.conv_transpose(X, kernel, **{argument: Text("sam")}), ValueError)
    assert tconv.conv_transpose(X, kernel, padding=Text("Same")).shape == (1, 4, 5, 4)
    assert Conv2DTranspose(4, 3, padding=Text("Same")).padding == "same"


@pytest.mark.parametrize("value", ["endless", "set", "dictionary", "missing", "generator"])
def test_what_is_no_array_is_told_what_is(value):
    message = refused(lambda: tconv.conv_transpose(HOSTILE[value], np.ones((3, 3, 4, 3))), TypeError)
    assert message.startswith("conv_transpose: x must be an array, not ")
    assert "__dlpack__" in message


def test_activations_of_hostile_layers():
    refused(lambda: Activation(HOSTILE["nested"]), ValueError)


def test_a_trainable_that_is_neither():
    refused(lambda: setattr(Conv2DTranspose(4, 3), "trainable", np.ones(3)), ValueError)


@pytest.mark.parametrize("length", [39, 1001, 2**31, 10**30])
def test_summary_of_any_length(length):
    refused(lambda: Sequential([Conv2DTranspose(4, 3)]).summary(length, print_fn=len), ValueError)
