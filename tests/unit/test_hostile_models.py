"""Models of strangers: one clear error, and nothing is imported, executed, allocated, extracted or changed."""

import functools
import io
import json
import random
import zipfile

import h5py
import pytest

import tconv
from hostile_files import archive, check_refused, hdf5, npz, safetensors
from stored_models import decoder, state
from tconv.saving import hdf5 as hdf5_writer


@pytest.fixture
def refused(tmp_path):
    return functools.partial(check_refused, tmp_path)


def keras(change=lambda config: None, weights=None, raw=None, name="config.json"):
    stream = io.BytesIO()
    config = json.loads(decoder(1).to_json())
    change(config)
    text = json.dumps(config).encode() if raw is None else raw
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("metadata.json", "{}")
        made.writestr(name, text)
        made.writestr("model.weights.h5", hdf5() if weights is None else weights)
    return stream.getvalue()


def layer(**fields):
    """The model with other entries in the config of its first layer."""
    return keras(lambda config: config["config"]["layers"][1]["config"].update(fields))


def entry(**fields):
    """The model with another first layer."""
    return keras(lambda config: config["config"]["layers"][1].update(fields))


def bomb():
    return archive([("config.json", b" " * 300_000_000)], zipfile.ZIP_DEFLATED)


LINKED = hdf5(lambda group, name: group.__setitem__(name, h5py.ExternalLink("elsewhere.h5", "/x")))
LAMBDA = {"class_name": "__lambda__", "config": {"value": "4wEAAAAAAAAA", "defaults": None, "closure": None}}
MODELS = {
    "a module": (entry(module="os", class_name="system", config={"command": "true"}), "system of module os"),
    "our own module": (entry(module="tconv.saving.files", class_name="replacing", config={}), "replacing"),
    "a builtin": (entry(module="builtins", class_name="eval", config={"source": "1"}), "eval"),
    "a Lambda layer": (entry(class_name="Lambda", config={"function": LAMBDA}), "Lambda"),
    "a lambda": (layer(activation=LAMBDA), "not executed"),
    "a lambda of Keras": (layer(activation={"value": ["4wEAAAAAAAAA", None, None]}), "not executed"),
    "a function": (layer(activation={"module": "os", "class_name": "function", "config": "system"}), "system"),
    "a method": (layer(activation="__init__"), "__init__"),
    "a class for a function": (layer(activation={"class_name": "Conv2DTranspose", "config": {}}), "Conv2DTranspose"),
    "an unregistered name": (entry(module="mine", registered_name="mine>Up"), "mine>Up"),
    "unknown keys": (layer(no_such=1), "no_such"),
    "NaN": (layer(filters=float("nan")), "filters"),
    "infinity": (layer(strides=float("inf")), "strides"),
    "negative": (layer(filters=-8), "filters"),
    "truth": (layer(filters=True), "filters"),
    "text": (layer(kernel_size="4"), "kernel_size"),
    "a list of sizes": (layer(kernel_size=[4] * 100), "kernel_size"),
    "absurd filters": (layer(filters=10**8), "shape"),
    "impossible filters": (layer(filters=10**18), "memory|shape|too big"),
    "absurd kernel": (layer(kernel_size=[30_000, 30_000]), "shape"),
    "absurd rank": (
        entry(
            module="tconv.layers", class_name="ConvNDTranspose", config={"rank": 10**9, "filters": 1, "kernel_size": 1}
        ),
        "rank",
    ),
    "a number of many digits": (keras(raw=b'{"class_name": ' + b"9" * 10_000 + b"}"), "digits|class_name"),
    "not JSON": (keras(raw=b"{nonsense}"), "no JSON"),
    "not text": (keras(raw=b"\xff\xfe"), "no JSON"),
    "not a model": (keras(raw=b"[]"), "no JSON object"),
    "nothing": (keras(raw=b"{}"), "class_name"),
    "an initializer": (keras(raw=b'{"class_name": "Zeros", "config": {}}'), "Zeros"),
    "nested text": (keras(raw=b"[" * 200_000), "nested too deeply"),
    "a long config": (keras(raw=b" " * 70_000_000), "at most"),
    "no config": (keras(name="other.json"), "no member 'config.json'"),
    "config outside": (keras(name="../config.json"), "outside"),
    "a bomb": (bomb(), "says to be 300000000 bytes"),
    "no weights": (archive([("config.json", decoder().to_json())]), "no member 'model.weights.h5'"),
    "other weights": (keras(weights=b"garbage"), "no whole HDF5"),
    "linked weights": (keras(weights=LINKED), "ExternalLink"),
    "fewer weights": (keras(weights=hdf5(lambda group, name: None)), "but the file has 1"),
    "weights alone": (hdf5(), "has weights, but no config"),
    "npz": (npz(), "no member 'config.json'"),
    "safetensors": (safetensors(), "neither a .keras nor an .h5"),
}


@pytest.mark.parametrize("case", MODELS)
def test_hostile_models(refused, case):
    refused(*MODELS[case], whole=True)


def test_nested_models(refused):
    config = json.loads(decoder().to_json())
    inner = {"class_name": "Sequential", "config": {"layers": []}}
    text = json.dumps(inner).replace("[]", "[%s]")
    made = "null"
    for _ in range(300):
        made = text % made
    assert config
    refused(keras(raw=made.encode()), "nested too deeply|identifier|layer", whole=True)


def functional(name, **changed):
    """A functional model in which one layer's entry says something else: its calls, its module or an argument."""
    image = tconv.layers.Input((4, 4, 3), name="image")
    x = tconv.layers.UpSampling2D(2, name="up")(tconv.layers.Conv2D(2, 3, name="conv")(image))
    flat = tconv.layers.Flatten(name="flat")(tconv.layers.ZeroPadding2D(1, name="pad")(x))
    model = tconv.Model(image, tconv.layers.Reshape((5, 1), name="shape")(tconv.layers.Dense(5, name="dense")(flat)))
    config = json.loads(model.to_json())
    found = next(layer for layer in config["config"]["layers"] if layer["name"] == name)
    for key, value in changed.items():
        (found if key in ("inbound_nodes", "module", "class_name") else found["config"])[key] = value
    stream = io.BytesIO()
    hdf5_writer.write(stream, model)
    return keras(raw=json.dumps(config).encode(), weights=stream.getvalue())


def taking(layer, call=0):
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [], "keras_history": [layer, call, 0]}}
    return [{"args": [tensor], "kwargs": {}}]


FUNCTIONAL = {
    "absurd up": (functional("up", size=[10**9, 10**9]), "beyond|shape"),
    "absurd padding": (functional("pad", padding=[[10**18, 0], [0, 0]]), "beyond|shape"),
    "absurd units": (functional("dense", units=10**12), "shape"),
    "absurd input": (functional("image", batch_shape=[None, 10**18, 10**18, 3]), "beyond|shape"),
    "a long input": (functional("image", batch_shape=[None] * 100_000), "at most 64"),
    "a long shape": (functional("shape", target_shape=[-1] * 100_000), "at most 63 integers"),
    "an operation on numbers": (
        functional("conv", module="keras.src.ops.numpy", class_name="Add", inbound_nodes=[{"args": [1, 2]}]),
        "tensors alone",
    ),
    "an operation on a number": (
        functional("conv", module="keras.src.ops.numpy", class_name="Concatenate", inbound_nodes=[{"args": 7}]),
        "must be a list",
    ),
    "an operation on nothing": (
        functional("conv", module="keras.src.ops.numpy", class_name="Add", inbound_nodes=[7]),
        "tensors alone",
    ),
    "an operator": (functional("conv", module="keras.src.ops.numpy"), "write it as a layer"),
    "a circle": (functional("conv", inbound_nodes=taking("conv")), "in a circle"),
    "a circle of two": (functional("conv", inbound_nodes=taking("up")), "in a circle"),
    "a call that is not there": (functional("conv", inbound_nodes=taking("image", 10**30)), "nowhere"),
    "a layer that is not there": (functional("conv", inbound_nodes=taking("x")), "no layer of this name"),
    "no calls": (functional("conv", inbound_nodes=[]), "nowhere|no call"),
    "no list": (functional("conv", inbound_nodes=7), "must be a list"),
    "nested": (functional("conv", inbound_nodes=json.loads("[" * 400 + "]" * 400)), "tensor|nested"),
}


@pytest.mark.parametrize("case", FUNCTIONAL)
def test_hostile_functional_models(refused, case):
    refused(*FUNCTIONAL[case], whole=True)


# --------------------------------------------------------------------------------------------------------- any damage


@pytest.mark.parametrize("make", [npz, safetensors, hdf5, keras])
def test_any_damage_is_one_error_or_none(tmp_path, make):
    """Cut off anywhere, or with bytes changed anywhere: a ValueError and nothing changed, or weights that are there."""
    content, path = make(), tmp_path / "damaged"
    source, whole, model = random.Random(0), make is keras, decoder(0)
    for number in range(300):
        damaged = bytearray(content)
        if number % 3 == 0:
            del damaged[source.randrange(len(content)) :]
        else:
            for _ in range(source.choice((1, 2, 8))):
                at = source.randrange(len(content) - 8)
                damaged[at : at + source.choice((1, 4, 8))] = source.randbytes(source.choice((1, 4, 8)))
        path.write_bytes(damaged)
        before = state(model)
        try:
            (tconv.saving.load_model if whole else model.load_weights)(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
            assert state(model) == before
