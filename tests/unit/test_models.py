"""Sequential, configs, the composing functions."""

import json

import numpy as np
import pytest

import tconv
from tconv.layers import Activation, Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, ConvNDTranspose, Input

X = np.random.default_rng(0).standard_normal((5, 4, 4, 3)).astype(np.float32)


def decoder():
    return tconv.Sequential(
        [
            Input((4, 4, 3)),
            Conv2DTranspose(8, 4, strides=2, padding="same", activation="relu", name="one"),
            Conv2DTranspose(2, 4, strides=2, padding="same", name="two"),
            Activation("tanh", name="three"),
        ],
        name="decoder",
    )


def test_a_model_is_its_layers_one_after_the_other():
    model = decoder()
    assert model.built
    assert model.output_shape == (None, 16, 16, 2)
    assert model.input_shape == (None, 4, 4, 3)
    y = X
    for layer in model.layers:
        y = layer(y)
    np.testing.assert_array_equal(model(X), y)
    np.testing.assert_array_equal(model.predict(X, batch_size=2, verbose=0), y)
    assert model.compute_output_shape((7, 4, 4, 3)) == (7, 16, 16, 2)
    assert model.count_params() == sum(w.size for w in model.get_weights()) == 4 * 4 * (8 * 3 + 2 * 8) + 10
    assert [w.name for w in model.weights] == ["kernel", "bias"] * 2


def test_deferred_building():
    model = tconv.Sequential([Conv1DTranspose(4, 3, strides=2), Conv1DTranspose(2, 3)])
    assert not model.built
    assert model.weights == []
    assert model(np.ones((1, 5, 3))).shape == (1, 13, 2)
    assert len(model.weights) == 4
    model = tconv.Sequential([Conv1DTranspose(4, 3, strides=2), Conv1DTranspose(2, 3)])
    model.build((None, 5, 3))
    assert model.built
    assert model.output_shape == (None, 13, 2)


def test_add_and_pop():
    model = tconv.Sequential([Input((4, 4, 3))])
    model.add(Conv2DTranspose(8, 2, 2, name="a"))
    model.add(Conv2DTranspose(4, 2, 2, name="b"))
    assert model(X).shape == (5, 16, 16, 4)
    kernel = model.layers[0].kernel.numpy()
    popped = model.pop()
    assert popped.name == "b"
    assert model(X).shape == (5, 8, 8, 8)
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), kernel)
    with pytest.raises(ValueError, match="unique"):
        model.add(Conv2DTranspose(4, 2, 2, name="a"))
    with pytest.raises((ValueError, TypeError)):
        model.add("layer")
    with pytest.raises(ValueError):
        model.add(Conv3DTranspose(4, 2, 2, name="c"))
    assert [layer.name for layer in model.layers] == ["a"]
    assert model(X).shape == (5, 8, 8, 8)
    empty = tconv.Sequential()
    for wrong in (empty.pop, empty.build, lambda: empty(X)):
        with pytest.raises(ValueError):
            wrong()


def test_weights_of_a_model():
    model, other = decoder(), decoder()
    other.set_weights(model.get_weights())
    np.testing.assert_array_equal(other(X), model(X))
    with pytest.raises(ValueError):
        other.set_weights(model.get_weights()[:-1])
    np.testing.assert_array_equal(other(X), model(X))
    model.trainable = False
    assert model.trainable_weights == []
    assert len(model.weights) == 4


def test_a_model_within_a_model():
    inner = tconv.Sequential([Conv2DTranspose(8, 2, 2, name="a")], name="inner")
    model = tconv.Sequential([Input((4, 4, 3)), inner, Conv2DTranspose(4, 2, 2, name="b")])
    assert model(X).shape == (5, 16, 16, 4)
    assert len(model.weights) == 4


def test_wrong_input_to_a_model():
    model = decoder()
    for wrong in (X[..., :2], X[0], None, "x"):
        with pytest.raises((ValueError, TypeError)):
            model(wrong)


# --------------------------------------------------------------------------------------------------------- configs

KEYS = [
    *("name", "trainable", "dtype", "filters", "kernel_size", "strides", "padding", "output_padding", "data_format"),
    *("dilation_rate", "activation", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer"),
    *("bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint"),
]
EVERYTHING = {
    "filters": 4,
    "kernel_size": (3, 2),
    "strides": (2, 1),
    "padding": "same",
    "output_padding": (1, 0),
    "data_format": "channels_first",
    "activation": "relu",
    "use_bias": True,
    "kernel_initializer": "he_normal",
    "bias_initializer": "ones",
    "kernel_regularizer": tconv.regularizers.L2(1e-4),
    "bias_regularizer": "l1",
    "activity_regularizer": tconv.regularizers.L1L2(0.1, 0.2),
    "kernel_constraint": tconv.constraints.MaxNorm(3, axis=[0, 1]),
    "bias_constraint": "non_neg",
    "name": "up",
    "dtype": "float64",
    "trainable": False,
}


def test_config_is_keras_3s():
    layer = Conv3DTranspose(
        4,
        (3, 2, 2),
        2,
        "same",
        activation="relu",
        kernel_regularizer=tconv.regularizers.L2(1e-4),
        bias_constraint="non_neg",
        name="up3",
    )
    config = layer.get_config()
    assert [k for k in config if k != "groups"] == KEYS
    written = json.loads(json.dumps(config))
    assert written["dtype"] == {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float32"},
        "registered_name": None,
    }
    assert written["kernel_size"] == [3, 2, 2]
    assert written["strides"] == [2, 2, 2]
    assert written["padding"] == "same"
    assert written["output_padding"] is None
    assert written["data_format"] == "channels_last"
    assert written["activation"] == "relu"
    assert written["kernel_regularizer"] == {
        "module": "keras.regularizers",
        "class_name": "L2",
        "config": {"l2": 0.0001},
        "registered_name": None,
    }
    initializer = written["kernel_initializer"]
    assert (initializer["module"], initializer["class_name"]) == ("keras.initializers", "GlorotUniform")
    assert initializer["config"]["seed"] is None
    serialized = tconv.layers.serialize(layer)
    assert (serialized["module"], serialized["class_name"], serialized["registered_name"]) == (
        "keras.layers",
        "Conv3DTranspose",
        None,
    )
    assert "build_config" not in serialized
    layer.build((None, 5, 6, 7, 3))
    assert json.loads(json.dumps(tconv.layers.serialize(layer)))["build_config"] == {"input_shape": [None, 5, 6, 7, 3]}


@pytest.mark.parametrize("through_json", [False, True])
def test_config_round_trip(through_json):
    layer = Conv2DTranspose(**EVERYTHING)
    config = layer.get_config()
    again = Conv2DTranspose.from_config(json.loads(json.dumps(config)) if through_json else config)
    assert json.dumps(again.get_config()) == json.dumps(config)
    for name in (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "output_padding",
        "data_format",
        "name",
        "dtype",
        "trainable",
    ):
        assert getattr(again, name) == EVERYTHING[name]
    assert again.kernel_regularizer.get_config() == layer.kernel_regularizer.get_config()
    through = tconv.layers.deserialize(tconv.layers.serialize(layer))
    assert type(through) is Conv2DTranspose
    assert through.get_config() == config


def test_configs_of_what_keras_has_not():
    layer = ConvNDTranspose(
        4, 6, 2, groups=3, padding=((1, 0),) * 4, strides=2, dilation_rate=2, allow_strided_dilation=True
    )
    again = tconv.layers.deserialize(json.loads(json.dumps(tconv.layers.serialize(layer))))
    x = np.random.default_rng(0).standard_normal((1, 3, 2, 3, 2, 3)).astype(np.float32)
    y = layer(x)
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), y)
    assert again.get_config() == layer.get_config()


def test_tf_keras_configs_load():
    config = {
        "name": "up",
        "trainable": True,
        "dtype": "float32",
        "filters": 4,
        "kernel_size": [3, 3, 3],
        "strides": [2, 2, 2],
        "padding": "same",
        "data_format": "channels_last",
        "groups": 1,
        "activation": "relu",
        "use_bias": True,
        "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
        "bias_initializer": {"class_name": "Zeros", "config": {}},
        "kernel_regularizer": None,
        "bias_regularizer": None,
        "activity_regularizer": None,
        "kernel_constraint": None,
        "bias_constraint": None,
        "output_padding": None,
    }
    layer = tconv.layers.deserialize({"class_name": "Conv3DTranspose", "config": config})
    assert layer(np.ones((1, 2, 2, 2, 3))).shape == (1, 4, 4, 4, 4)
    assert layer.name == "up"
    assert layer.dilation_rate == (1, 1, 1)


@pytest.mark.parametrize(
    "config",
    [
        None,
        3,
        "os.system",
        {},
        {"class_name": "Conv2DTranspose"},
        {"class_name": "NoSuchLayer", "config": {}},
        {"module": "os", "class_name": "system", "config": {"command": "true"}},
        {
            "module": "mypackage.layers",
            "class_name": "Conv2DTranspose",
            "config": {"filters": 1, "kernel_size": 1},
            "registered_name": "mine>Conv",
        },
        {"class_name": "Conv2DTranspose", "config": {"filters": 4, "kernel_size": 3, "no_such": 1}},
        {"class_name": "Conv2DTranspose", "config": {"filters": "4", "kernel_size": 3}},
        {
            "class_name": "Conv2DTranspose",
            "config": {"filters": 4, "kernel_size": 3, "activation": {"class_name": "function", "config": "os.system"}},
        },
        {
            "class_name": "Conv2DTranspose",
            "config": {"filters": 4, "kernel_size": 3},
            "build_config": {"input_shape": [None, 5, 5, "x"]},
        },
    ],
)
def test_hostile_layer_configs(config):
    with pytest.raises((ValueError, TypeError)):
        tconv.layers.deserialize(config)


def test_model_json():
    model = decoder()
    text = model.to_json()
    again = tconv.models.model_from_json(text)
    assert again.built
    assert [layer.name for layer in again.layers] == ["one", "two", "three"]
    assert again.name == "decoder"
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(X), model(X))
    assert json.loads(again.to_json()) == json.loads(text)
    for wrong in ("", "[]", "{}", "null", '{"class_name": "Conv2DTranspose", "config": {}}', "[" * 100_000):
        with pytest.raises((ValueError, TypeError)):
            tconv.models.model_from_json(wrong)


def test_summary_names_what_there_is(capsys):
    decoder().summary()
    said = capsys.readouterr().out
    for word in ("decoder", "one", "two", "16", "Conv2DTranspose", "392", "258", "650"):
        assert word in said, said


# ---------------------------------------------------------------------------------------------------- R's functions


def test_composing_functions():
    makers = {1: tconv.layer_conv_1d_transpose, 2: tconv.layer_conv_2d_transpose, 3: tconv.layer_conv_3d_transpose}
    for rank, make in makers.items():
        layer = make(None, 4, 3, 2, "same", activation="relu", name=f"r{rank}")
        assert isinstance(layer, tconv.layers.Layer)
        assert layer.rank == rank
        assert layer.strides == (2,) * rank
        assert layer.padding == "same"
        assert layer.name == f"r{rank}"
        assert not layer.built
        x = np.ones((2, *[3] * rank, 2))
        assert make(x, 4, 3, 2, "same").shape == (2, *[6] * rank, 4)
        model = tconv.Sequential([Input(x.shape[1:])])
        assert make(model, filters=4, kernel_size=3, strides=2) is model
        assert make(model, 1, 1) is model
        assert model(x).shape == (2, *[7] * rank, 1)
        with pytest.raises(ValueError):
            make(None, 0, 3)
        with pytest.raises(TypeError):
            make()
