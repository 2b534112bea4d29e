"""The layers of a decoder with arguments and inputs that are wrong: one clear sentence, soon."""

import numpy as np
import pytest

import tconv
from decoder_layers import CASES
from hostile_values import HOSTILE, refused

layers = tconv.layers
FIRST = {case.layer: case for case in reversed(CASES)}
ARGUMENTS = [
    ("Dense", "units"),
    ("Dense", "activation"),
    ("Dense", "use_bias"),
    ("Dense", "quantization_config"),
    *(("Conv2D", name) for name in ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate")),
    ("Conv2D", "groups"),
    ("Conv1D", "padding"),
    *(("BatchNormalization", name) for name in ("axis", "momentum", "epsilon", "center", "scale", "gamma_initializer")),
    ("BatchNormalization", "renorm"),
    ("Dropout", "rate"),
    ("Dropout", "noise_shape"),
    ("Dropout", "seed"),
    ("ReLU", "max_value"),
    ("ReLU", "threshold"),
    ("LeakyReLU", "negative_slope"),
    ("Reshape", "target_shape"),
    ("Flatten", "data_format"),
    ("UpSampling1D", "size"),
    ("UpSampling2D", "size"),
    ("UpSampling2D", "interpolation"),
    ("UpSampling3D", "size"),
    ("ZeroPadding1D", "padding"),
    ("ZeroPadding2D", "padding"),
    ("ZeroPadding3D", "data_format"),
    ("Cropping1D", "cropping"),
    ("Cropping2D", "cropping"),
    ("Cropping3D", "cropping"),
    ("Concatenate", "axis"),
    ("Add", "no_such"),
]
LEGAL = {  # what is hostile elsewhere
    ("BatchNormalization", "momentum", "number"),
    ("BatchNormalization", "epsilon", "number"),
    ("ReLU", "max_value", "number"),
    ("ReLU", "threshold", "number"),
    ("LeakyReLU", "negative_slope", "number"),
    ("BatchNormalization", "gamma_initializer", "matrix"),
}


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(("layer", "argument"), ARGUMENTS)
def test_arguments(layer, argument, value):
    arguments = {**FIRST[layer].arguments, argument: HOSTILE[value]}
    if (layer, argument, value) in LEGAL:
        getattr(layers, layer)(**arguments)
        return
    message = refused(lambda: getattr(layers, layer)(**arguments))
    assert argument in message or argument.rpartition("_")[2] in message


@pytest.mark.parametrize("value", sorted(set(HOSTILE) - {"matrix", "number"}))
@pytest.mark.parametrize("layer", sorted(FIRST))
def test_inputs_and_shapes(layer, value):
    one, thing = getattr(layers, layer)(**FIRST[layer].arguments), HOSTILE[value]
    refused(lambda: one(thing))
    refused(lambda: one.compute_output_shape(thing))
    refused(lambda: one.vjp(thing))
    refused(lambda: one.build(thing))
    if layer in ("Add", "Concatenate"):
        refused(lambda: one([thing, thing]))


@pytest.mark.parametrize("value", HOSTILE)
def test_models(value):
    thing = HOSTILE[value]
    x = layers.Input((4,))
    model = tconv.Model(x, layers.Dense(2)(x))
    for use in (
        lambda v: tconv.Model(v, x),
        lambda v: tconv.Model(x, v),
        lambda v: tconv.Model([x, v], x),
        lambda v: tconv.Model({"a": x, "b": v}, x),
        model,
        model.vjp,
        model.predict,
        model.compute_output_shape,
        lambda v: model({"x": v}),
        lambda v: layers.Add()([x, v]),
        type(model).from_config,
    ):
        refused(lambda use=use: use(thing))
    _, pullback = model.vjp(np.ones((2, 4)))
    refused(lambda: pullback(thing))


@pytest.mark.parametrize("layer", sorted(FIRST))
def test_unknown_arguments_and_config_keys(layer):
    case = FIRST[layer]
    message = refused(lambda: getattr(layers, layer)(**case.arguments, surprise=1), ValueError)
    assert "surprise" in message
    config = {**getattr(layers, layer)(**case.arguments).get_config(), "surprise": 1}
    assert "surprise" in refused(lambda: getattr(layers, layer).from_config(config), ValueError)
