"""Real Keras 3: functional models have the same layers, values and configs, and load in each other."""

import json
import os
import re

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest

import tconv
from decoder_models import MODELS, TF_KERAS_JSON, inputs_for

pytestmark = pytest.mark.filterwarnings("ignore")
keras = pytest.importorskip("keras")


def arrays(outputs):
    """Outputs of either as NumPy arrays, in the order of their names or places."""
    if isinstance(outputs, dict):
        outputs = [outputs[key] for key in sorted(outputs)]
    return [np.asarray(output) for output in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def assert_same_values(ours, theirs, tolerance=2e-5):
    ours, theirs = arrays(ours), arrays(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1, np.abs(b).max(initial=0)))


def with_weights(model, *others):
    """Gives all models the same random weights."""
    rng = np.random.default_rng(3)
    values = [
        rng.random(w.shape) + 0.5 if "variance" in w.path else 0.3 * rng.standard_normal(w.shape) for w in model.weights
    ]
    for one in (model, *others):
        one.set_weights(values)


def without(config):
    """A config as JSON has it, without what only Keras writes: how it was not compiled, the axes of initializers."""
    if isinstance(config, dict):
        dropped = {"compile_config", "input_axes", "output_axes"}
        return {key: without(value) for key, value in config.items() if key not in dropped}
    return [without(value) for value in config] if isinstance(config, (list, tuple)) else config


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_the_same_model_on_both(make):
    """In training it is compared together with its gradients, in test_vjp.py."""
    ours, theirs = make(tconv), make(keras)
    x = inputs_for(make, ours)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert [w.path for w in ours.trainable_weights] == [w.path for w in theirs.trainable_weights]
    numbered = r"seed_generator_\d+"  # by how many there were before
    assert [v.path for v in ours.variables] == [re.sub(numbered, "seed_generator", v.path) for v in theirs.variables]
    assert ours.count_params() == theirs.count_params()
    assert ours.input_shape == theirs.input_shape
    assert ours.output_shape == theirs.output_shape
    with_weights(ours, theirs)
    expected = theirs(x)
    assert_same_values(ours(x), expected)
    assert_same_values(ours.predict(x, batch_size=2), expected)
    assert_same_values(ours(x, training=False), expected)


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_json_both_ways(make):
    ours, theirs = make(tconv), make(keras)
    x = inputs_for(make, ours)
    loaded, back = tconv.models.model_from_json(theirs.to_json()), keras.models.model_from_json(ours.to_json())
    with_weights(ours, theirs, loaded, back)
    expected = theirs(x)
    assert_same_values(loaded(x), expected)
    assert_same_values(back(x), expected)
    assert without(json.loads(ours.to_json())) == without(json.loads(theirs.to_json()))
    assert json.loads(loaded.to_json()) == json.loads(ours.to_json())


@pytest.mark.parametrize("name", TF_KERAS_JSON)
def test_tf_keras_json(name):
    """What tf.keras 2.9 wrote loads here as it is; Keras 3 needs some help, and gives the same."""
    text = json.dumps(TF_KERAS_JSON[name])
    ours = tconv.models.model_from_json(text)
    theirs = keras.Model.from_config(json.loads(text.replace('"axis": [3]', '"axis": 3'))["config"])
    rng = np.random.default_rng(0)
    x = [rng.standard_normal([2 if n is None else n for n in t.shape]).astype(np.float32) for t in ours.inputs]
    with_weights(ours, theirs)
    assert_same_values(ours(x if len(x) > 1 else x[0]), theirs(x if len(x) > 1 else x[0]))


def test_operations_of_keras_that_layers_compute():
    image = keras.layers.Input((4, 4, 3), name="image")
    x = keras.layers.Conv2DTranspose(3, 1, name="up")(image)
    y = keras.ops.concatenate([x + image, x], axis=-1)
    theirs = keras.Model(image, y + y)
    ours = tconv.models.model_from_json(theirs.to_json())
    ours.set_weights(theirs.get_weights())
    assert [type(layer).__name__ for layer in ours.layers] == [
        "InputLayer",
        "Conv2DTranspose",
        "Add",
        "Concatenate",
        "Add",
    ]
    values = np.random.default_rng(0).normal(size=(2, 4, 4, 3))
    assert_same_values(ours(values), theirs(values))


def test_an_operation_with_a_number_is_refused():
    image = keras.layers.Input((4,), name="image")
    text = keras.Model(image, image + 1.0).to_json()
    with pytest.raises(ValueError, match="takes tensors alone"):
        tconv.models.model_from_json(text)


def test_a_model_of_a_part():
    for module in (keras, tconv):
        whole = MODELS[0](module)
        layer = whole.get_layer("down2")
        part = module.Model(whole.input, layer.output)
        rest = module.Model(layer.output, whole.get_layer("bottom").output)
        x = np.random.default_rng(0).standard_normal((2, *whole.input_shape[1:])).astype(np.float32)
        bottom = module.Model(whole.inputs, whole.get_layer("bottom").output)
        assert_same_values(rest(part(x)), bottom(x), 1e-6)
        assert next(type(layer).__name__ for layer in rest.layers) == "InputLayer"


def refused(module):
    layers = module.layers
    a, b = layers.Input((3,), name="a"), layers.Input((3,), name="b")
    y = layers.Dense(2, name="dense")(a)
    yield lambda: module.Model([], y)
    yield lambda: module.Model(a, [])
    yield lambda: module.Model(b, y)
    yield lambda: module.Model(a, layers.Add()([y, layers.Dense(2)(b)]))
    yield lambda: module.Model(np.ones((2, 3)), y)
    yield lambda: module.Model(a, np.ones((2, 3)))
    yield lambda: module.Model(a, layers.Dense(2, name="dense")(y))
    yield lambda: module.Model(a, y)(np.ones((2, 4)))
    yield lambda: module.Model([a, b], layers.Add()([a, b]))([np.ones((2, 3))] * 3)
    yield lambda: module.Model({"a": a, "b": b}, layers.Add()([a, b]))({"a": np.ones((2, 3))})
    yield lambda: layers.Dense(4)([a, b])
    yield lambda: layers.Add()(a)
    yield lambda: layers.Concatenate(axis=1)([a, layers.Input((2, 3))])
    yield lambda: layers.Conv2D(4, 3)(a)


@pytest.mark.parametrize("number", range(14))
def test_both_refuse(number):
    for module in (keras, tconv):
        with pytest.raises((ValueError, TypeError)):
            list(refused(module))[number]()


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_summary(make, monkeypatch):
    """Every line of Keras' table is in ours, colours aside."""
    monkeypatch.setenv("COLUMNS", "140")
    lines = {}
    for module in (keras, tconv):
        said = []
        make(module).summary(line_length=120, print_fn=said.append)
        lines[module] = [line.rstrip() for text in said for line in text.splitlines()]
    assert [line for line in lines[keras] if line.startswith(("│", "┃"))] == [
        line for line in lines[tconv] if line.startswith(("│", "┃"))
    ]
