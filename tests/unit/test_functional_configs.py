"""Configs of functional models that are hostile, or not of one."""

import json

import numpy as np
import pytest

import tconv
from decoder_models import MODELS

layers = tconv.layers


class Told(layers.Layer):
    """Remembers what it was told about training."""

    told = None

    def call(self, inputs, training=None):
        self.told = training
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape


def good():
    return json.loads(MODELS[4](tconv).to_json())


def broken():
    """(what, how): a change that makes the config none."""
    yield "no layers", lambda c: c["config"].pop("layers")
    yield "no outputs", lambda c: c["config"].pop("output_layers")
    yield "empty outputs", lambda c: c["config"].update(output_layers=[])
    yield "unknown key", lambda c: c["config"].update(surprise=1)
    yield "layers are no list", lambda c: c["config"].update(layers={"a": 1})
    yield "a layer is a number", lambda c: c["config"]["layers"].append(3)
    yield "a layer has no name", lambda c: c["config"]["layers"][1].pop("name")
    yield "a name twice", lambda c: c["config"]["layers"].append(c["config"]["layers"][1])
    yield "an unknown class", lambda c: c["config"]["layers"][1].update(class_name="Lambda")
    yield "a module", lambda c: c["config"]["layers"][1].update(module="os", class_name="system")
    yield "an unknown input", lambda c: c["config"].update(input_layers=[["nowhere", 0, 0]])
    yield "an output that is not there", lambda c: c["config"].update(output_layers=[["crop", 1, 0]])
    yield "a negative call", lambda c: c["config"].update(output_layers=[["crop", -1, 0]])
    yield "an output of one", lambda c: c["config"].update(output_layers=[["crop", 0, 1]])
    yield "a history of two", lambda c: c["config"].update(output_layers=[["crop", 0]])
    yield "a history of text", lambda c: c["config"].update(output_layers=[["crop", "0", "0"]])
    yield "a circle", lambda c: _history(c, 1, ["crop", 0, 0])
    yield "from nothing", lambda c: _history(c, 1, ["nothing", 0, 0])
    yield "no history", lambda c: _history(c, 1, None)
    yield "a huge call", lambda c: _history(c, 1, ["x", 10**30, 0])
    yield "calls are no list", lambda c: c["config"]["layers"][1].update(inbound_nodes=5)
    yield "a call of nothing", lambda c: c["config"]["layers"][1].update(inbound_nodes=[[]])
    yield "a call of text", lambda c: c["config"]["layers"][1].update(inbound_nodes=["x"])
    yield "two arguments", lambda c: c["config"]["layers"][1]["inbound_nodes"][0]["args"].append([1, 2])
    yield "kwargs are a list", lambda c: _options(c, [1])
    yield "an unknown option", lambda c: _options(c, {"shape": 1})
    yield "options that are no names", lambda c: _options(c, {"a" * 10**6: 1})
    yield "training is text", lambda c: _options(c, {"training": "yes"})
    yield "training is a list", lambda c: _options(c, {"training": [True]})
    yield "training is a number", lambda c: _options(c, {"training": 2})
    yield (
        "a tensor among the options",
        lambda c: _options(c, {"training": c["config"]["layers"][1]["inbound_nodes"][0]}),
    )
    yield "a deep mask", lambda c: _options(c, {"mask": [[None]]})
    yield "a mask", lambda c: _options(c, {"mask": [1]})
    yield "a tuple of absurd extents", lambda c: c["config"]["layers"][0]["config"].update(batch_shape=[None, "x"])


def _options(config, options):
    config["config"]["layers"][1]["inbound_nodes"][0]["kwargs"] = options


def _history(config, layer, value):
    config["config"]["layers"][layer]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = value


@pytest.mark.parametrize(("what", "how"), list(broken()), ids=lambda value: value if isinstance(value, str) else "")
def test_hostile_configs(what, how):
    config = good()
    how(config)
    with pytest.raises((ValueError, TypeError)) as error:
        tconv.models.model_from_json(json.dumps(config))
    assert len(str(error.value)) < 1000


def test_not_a_models_json():
    for text in ("{}", "[]", "3", json.dumps(good()["config"]["layers"][1]), '{"class_name": "Functional"}'):
        with pytest.raises(ValueError):
            tconv.models.model_from_json(text)


def test_custom_layers_in_a_config():
    x = layers.Input((3,), name="x")
    model = tconv.Model(x, Told(name="told")(x, training=True))
    with pytest.raises(ValueError, match="custom_objects"):
        tconv.models.model_from_json(model.to_json())
    again = tconv.models.model_from_json(model.to_json(), custom_objects={"Told": Told})
    again(np.ones((1, 3)))
    assert again.get_layer("told").told is True


@pytest.mark.parametrize("make", [*MODELS, lambda module: module.Sequential([module.layers.Dense(3, name="a")])])
def test_clones(make):
    model = make(tconv)
    clone = tconv.models.clone_model(model)
    assert clone.to_json() == model.to_json()
    assert not {id(w) for w in clone.weights} & {id(w) for w in model.weights}
    assert type(clone) is type(model)


def test_clones_of_layers_of_ones_own():
    x = layers.Input((3,), name="x")
    model = tconv.Sequential([x, tconv.Model(x, Told(name="told")(x))])
    assert type(tconv.models.clone_model(model).layers[0].get_layer("told")) is Told
    for wrong in (layers.Dense(3), None, "model", type(model)):
        with pytest.raises(ValueError, match="clone_model"):
            tconv.models.clone_model(wrong)
