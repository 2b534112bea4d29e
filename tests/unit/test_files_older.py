"""The HDF5 layout of Keras 2 and tf.keras, as tf.keras 2.9 wrote it."""

import json
import os

import h5py
import numpy as np
import pytest

import tconv
from stored_models import decoder, named, randomized, same, state
from tconv.layers import BatchNormalization, Conv1DTranspose, Input

INITIALIZER = {"class_name": "GlorotUniform", "config": {"seed": None}}


def tf_config(name, filters, **more):
    """A Conv2DTranspose as tf.keras 2.9 describes it."""
    return {
        "class_name": "Conv2DTranspose",
        "config": {
            "name": name,
            "trainable": True,
            "dtype": "float32",
            "filters": filters,
            "kernel_size": {"class_name": "__tuple__", "items": [3, 3]},
            "strides": [1, 1],
            "padding": "valid",
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "groups": 1,
            "activation": "linear",
            "use_bias": True,
            "kernel_initializer": INITIALIZER,
            "bias_initializer": {"class_name": "Zeros", "config": {}},
            "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.01}},
            "bias_regularizer": None,
            "activity_regularizer": None,
            "kernel_constraint": None,
            "bias_constraint": None,
            "output_padding": None,
            **more,
        },
    }


def write(path, layers, config=None, chunked=False, inside=True):
    """Layers' arrays by their names, as tf.keras wrote a full model or, not `inside`, weights alone."""
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights") if inside else file
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
            file.attrs["training_config"] = "{}"
            file.create_group("optimizer_weights")["iteration"] = 3
        names = [name.encode() for name in layers]
        if chunked:
            for number, name in enumerate(names):
                group.attrs[f"layer_names{number}"] = [name]
        else:
            group.attrs["layer_names"] = names
        for name, arrays in layers.items():
            inner = group.create_group(name)
            inner.attrs["weight_names"] = np.array([key.encode() for key in arrays])
            for key, array in arrays.items():
                inner[key] = array
    return path


def arrays_of(model):
    """The arrays of `decoder` by layer, under the names that tf.keras gave them."""
    found = {key: weight.numpy() for key, weight in named(model).items()}
    layers = {"input": {}, "one": {}, "inner": {}, "two": {}}
    for key, array in found.items():
        layers[key.partition("/")[0]][f"{key.removeprefix('inner/')}:0"] = array
    return layers


def test_a_model_of_tf_keras(tmp_path):
    source = tconv.Sequential(
        [Input((4, 4, 3)), tconv.layers.Conv2DTranspose(4, 3, name="a"), tconv.layers.Conv2DTranspose(2, 3, name="b")]
    )
    randomized(source, 0)
    a, b = source.layers
    config = {
        "class_name": "Sequential",
        "config": {
            "name": "decoder",
            "layers": [tf_config("a", 4, batch_input_shape=[None, 4, 4, 3]), tf_config("b", 2)],
        },
    }
    layers = {
        "a": {"a/kernel:0": a.kernel.value, "a/bias:0": a.bias.value},
        "b": {"b/kernel:0": b.kernel.value, "b/bias:0": b.bias.value},
    }
    again = tconv.saving.load_model(write(tmp_path / "m.h5", layers, config))
    x = np.ones((1, 4, 4, 3), np.float32)
    np.testing.assert_array_equal(again(x), source(x))
    assert again.name == "decoder"
    assert again.layers[0].kernel_regularizer.l2 == pytest.approx(0.01)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_weights_by_order(tmp_path, inside, chunked):
    source, model = decoder(0), decoder(1)
    model.load_weights(write(tmp_path / "w.h5", arrays_of(source), inside=inside, chunked=chunked))
    assert same(source, model)


def test_weights_by_name(tmp_path):
    source, model, before = decoder(0), decoder(1), decoder(1)
    layers = {name: arrays for name, arrays in reversed(arrays_of(source).items()) if name != "inner"}
    path = write(tmp_path / "w.h5", layers)
    with pytest.raises(ValueError, match="the model has 3 layers with weights, it 2"):
        model.load_weights(path)
    model.load_weights(path, by_name=True)
    for name, weight in named(model).items():
        wanted = before if name.startswith("inner") else source
        np.testing.assert_array_equal(weight.value, named(wanted)[name].value)


def test_trainable_weights_come_before_the_others(tmp_path):
    """In a model within the model, that is not the order of its layers."""
    inner = tconv.Sequential([BatchNormalization(name="n"), Conv1DTranspose(2, 1, name="c")], name="inner")
    model = randomized(tconv.Sequential([Input((4, 2)), inner]), 0)
    names = ("gamma", "beta", "kernel", "bias", "moving_mean", "moving_variance")
    found = {weight.name: weight.numpy() + 1 for weight in model.weights}
    model.load_weights(write(tmp_path / "w.h5", {"inner": {name: found[name] for name in names}}))
    assert all(np.array_equal(weight.value, found[weight.name]) for weight in model.weights)


def remove(path, where):
    with h5py.File(path, "a") as file:
        del file[where]


def link(path, where, target):
    with h5py.File(path, "a") as file:
        del file[where]
        file[where] = target


def attribute(path, where, name, value):
    with h5py.File(path, "a") as file:
        file[where].attrs[name] = value


KERNEL = "model_weights/one/one/kernel:0"
HOSTILE = {
    "a missing layer": (lambda p: remove(p, "model_weights/one"), "it has no /model_weights/one"),
    "a missing array": (lambda p: remove(p, KERNEL), "it has no .*kernel:0"),
    "linked weights": (lambda p: link(p, "model_weights", h5py.ExternalLink("other.h5", "/")), "ExternalLink"),
    "a linked layer": (lambda p: link(p, "model_weights/one", h5py.SoftLink("/model_weights/two")), "SoftLink"),
    "a linked array": (lambda p: link(p, KERNEL, h5py.ExternalLink("other.h5", "/x")), "ExternalLink"),
    "a name upwards": (lambda p: attribute(p, "model_weights", "layer_names", [b"../x"]), r"it has no|ExternalLink"),
    "a name twice": (lambda p: attribute(p, "model_weights", "layer_names", [b"one", b"one"]), "twice"),
    "no list": (lambda p: attribute(p, "model_weights", "layer_names", 3.0), "no list"),
    "no text": (lambda p: attribute(p, "model_weights", "layer_names", [1, 2]), "no text"),
    "no UTF-8": (lambda p: attribute(p, "model_weights", "layer_names", np.array([b"\xff\xfe"])), "utf-8"),
    "an empty list": (lambda p: attribute(p, "model_weights", "layer_names", h5py.Empty("S1")), "layers with weights"),
    "more arrays": (
        lambda p: attribute(p, "model_weights/two", "weight_names", [b"two/kernel:0", b"two/bias:0", b"x"]),
        "it has no",
    ),
    "fewer arrays": (
        lambda p: attribute(p, "model_weights/two", "weight_names", [b"two/kernel:0"]),
        "'two' has 2 weights in the model and 1 in the file",
    ),
    "arrays exchanged": (
        lambda p: attribute(p, "model_weights/two", "weight_names", [b"two/bias:0", b"two/kernel:0"]),
        r"'two/bias:0' has shape \(2,\) in the file",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files(tmp_path, case):
    path, model = write(tmp_path / "w.h5", arrays_of(decoder(1))), decoder(0)
    change, match = HOSTILE[case]
    change(path)
    before = state(model)
    with pytest.raises(ValueError, match=match) as caught:
        model.load_weights(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert state(model) == before
    assert os.listdir(tmp_path) == ["w.h5"]


@pytest.mark.parametrize(
    ("config", "match"),
    [
        (None, "no model_config"),
        ([], "no JSON object"),
        (
            {"class_name": "Sequential", "config": [{"class_name": "Lambda", "config": {"function": ["4wEA"]}}]},
            "Lambda",
        ),
        (
            {"class_name": "Sequential", "config": {"name": "x", "layers": [tf_config("a", 10**9)]}},
            "layers with weights",
        ),
        ({"class_name": "__tuple__", "items": [1]}, "no JSON object"),
    ],
)
def test_hostile_models(tmp_path, config, match):
    path = write(tmp_path / "m.h5", arrays_of(decoder()), config)
    with pytest.raises(ValueError, match=match):
        tconv.saving.load_model(path)


def test_a_config_that_is_no_text(tmp_path):
    path = write(tmp_path / "m.h5", arrays_of(decoder()))
    for value, match in (
        (3, "no text"),
        (np.bytes_(b"\xff"), "utf-8"),
        ("{", "no JSON"),
        ("[" * 20_000, "nested too deeply"),
    ):
        attribute(path, "/", "model_config", value)
        with pytest.raises(ValueError, match=match):
            tconv.saving.load_model(path)
