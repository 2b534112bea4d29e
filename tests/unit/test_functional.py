"""Functional models: symbolic tensors, order, copies, memory, threads, hostile configs."""

import copy
import json
import pickle
import threading
import weakref

import numpy as np
import pytest

import tconv
from decoder_models import MODELS, inputs_for
from tconv.layers.structure import flat

layers = tconv.layers


def same(a, b):
    for one, other in zip(flat(a), flat(b), strict=True):
        np.testing.assert_array_equal(one, other)


# ------------------------------------------------------------------------------------------------- symbolic tensors


def test_symbolic_tensors():
    x = layers.Input((None, 4), batch_size=2, dtype="float64", name="x")
    assert (x.shape, x.dtype, x.name, x.ndim) == ((2, None, 4), "float64", "x", 3)
    y = layers.Dense(3, dtype="mixed_float16", name="dense")(x)
    assert (y.shape, y.dtype, y.name) == ((2, None, 3), "float16", "dense")
    assert repr(y) == "<SymbolicTensor shape=(2, None, 3), dtype=float16, name=dense>"
    assert y.node.layer.output is y
    assert y.node.layer.input is x


@pytest.mark.parametrize(
    "use", [np.asarray, bool, iter, list, lambda x: x + 1, lambda x: np.ones(3) * x, lambda x: np.sin(x)]
)
def test_symbolic_tensors_have_no_values(use):
    with pytest.raises(TypeError):
        use(layers.Input((3,)))


def test_symbolic_and_other_inputs_do_not_mix():
    with pytest.raises(ValueError, match="symbolic"):
        layers.Add()([layers.Input((3,)), np.ones((1, 3))])


def test_the_layer_s_call_on_arrays_stays_the_same():
    dense = layers.Dense(3)
    y = dense(layers.Input((4,)))
    assert dense.built
    assert y.shape == (None, 3)
    x = np.ones((2, 4), np.float32)
    model = tconv.Model(dense.input, y)
    same(model(x), dense(x))


def test_unknown_output_shape():
    class Odd(layers.Layer):
        def call(self, inputs):
            return inputs

    with pytest.raises(NotImplementedError, match="compute_output_shape"):
        Odd()(layers.Input((3,)))


def test_composing_functions_take_symbolic_tensors():
    y = tconv.layer_conv_2d_transpose(layers.Input((4, 4, 3)), 8, 2, 2)
    assert y.shape == (None, 8, 8, 8)


# ------------------------------------------------------------------------------------------------------------ models


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("how", ["deepcopy", "pickle", "json", "config"])
def test_copies(make, how):
    """A copy computes the same, has weights of its own, and can be taken apart like the model itself."""
    model = make(tconv)
    x = inputs_for(make, model)
    other = {
        "deepcopy": lambda: copy.deepcopy(model),
        "pickle": lambda: pickle.loads(pickle.dumps(model)),
        "json": lambda: tconv.models.model_from_json(model.to_json()),
        "config": lambda: type(model).from_config(model.get_config()),
    }[how]()
    other.set_weights(model.get_weights())
    y = model(x)
    same(flat(other(x)), flat(y))
    assert json.loads(other.to_json()) == json.loads(model.to_json())
    assert not {id(w) for w in other.weights} & {id(w) for w in model.weights}
    part = tconv.Model(other.inputs, other.layers[-1].output)
    assert part.name != other.name
    part(x)
    for variable in other.weights:
        variable.assign(variable.numpy() + 1)
    same(flat(model(x)), flat(y))


def test_structure():
    model = MODELS[2](tconv)
    assert model.input_names == ["a", "b"]
    assert model.output_names == ["inner", "flat"]
    assert [t.shape for t in model.inputs] == model.input_shape == [(None, 8, 8, 3), (None, 4)]
    assert model.input == model.inputs
    assert isinstance(model, tconv.Model)
    assert isinstance(model, tconv.layers.Layer)
    assert type(model).__name__ == "Functional"
    assert model.get_layer("shared") is model.get_layer(index=2)
    assert model.built
    assert model.compute_output_shape([(5, 8, 8, 3), (5, 4)]) == [(5, 8, 8, 2), (5, 512)]
    again = model([layers.Input((8, 8, 3)), layers.Input((4,))])
    assert [t.shape for t in again] == [(None, 8, 8, 2), (None, 512)]


def test_inputs_by_name_and_by_order():
    make = MODELS[3]
    model = make(tconv)
    x = inputs_for(make, model)
    y = model(x)
    same(model({**x, "more": None}), y)
    for wrong in ([x["a_right"], x["z_left"]], x["a_right"], {"a_right": x["a_right"]}):
        with pytest.raises(ValueError, match="a_right"):
            model(wrong)
    make = MODELS[2]
    model = make(tconv)
    a, b = inputs_for(make, model)
    same(model({"a": a, "b": b}), model((a, b)))
    for wrong in (a, [a], [a, b, b], {"a": a}, [a, b[:, :2]], [a[0], b], [a, "b"], [a, None]):
        with pytest.raises((ValueError, TypeError)):
            model(wrong)


def test_one_input_in_a_list():
    model = MODELS[4](tconv)
    x = inputs_for(MODELS[4], model)
    same(model([x]), model(x))
    same(model(x.tolist()), model(x))
    same(model.predict([x], batch_size=2), model(x))


def test_predict_refuses_different_numbers_of_examples():
    model = MODELS[2](tconv)
    a, b = inputs_for(MODELS[2], model)
    with pytest.raises(ValueError, match="number of examples"):
        model.predict([a, b[:2]])
    with pytest.raises(ValueError):
        model.predict([a, b], batch_size=0)


def test_an_input_that_nothing_needs():
    a, b = layers.Input((3,), name="a"), layers.Input((2,), name="b")
    model = tconv.Model([a, b], layers.ReLU(name="relu")(a))
    assert [layer.name for layer in model.layers] == ["a", "b", "relu"]
    x = np.ones((2, 3), np.float32)
    same(model([x, np.ones((2, 2))]), x)
    y, pullback = model.vjp([x, np.ones((2, 2))])
    dx, _ = pullback(y)
    assert [a.shape for a in dx] == [(2, 3), (2, 2)]
    assert not dx[1].any()
    again = tconv.models.model_from_json(model.to_json())
    assert again.input_names == ["a", "b"]


def test_an_output_that_is_an_input():
    a = layers.Input((3,))
    model = tconv.Model(a, [a, layers.Dense(2)(a)])
    x = np.ones((2, 3), np.float32)
    same(model(x)[0], x)
    _, pullback = model.vjp(x)
    dx, _ = pullback([np.ones((2, 3)), None])
    same(dx, np.ones((2, 3)))


def test_a_part_of_a_sequential():
    model = tconv.Sequential([layers.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    part = tconv.Model(model.input, model.get_layer("a").output)
    x = np.ones((2, 4), np.float32)
    same(tconv.Model(part.output, model.output)(part(x)), model(x))
    model.add(layers.Dense(1))
    assert model.output.shape == (None, 1)
    with pytest.raises(AttributeError):
        _ = tconv.Sequential([layers.Dense(3)]).input
    with pytest.raises(AttributeError):
        _ = layers.Dense(3).output


def test_weights_and_trainable():
    model = MODELS[0](tconv)
    assert len(model.weights) == 27
    assert len(model.trainable_weights) == 19
    model.trainable = False
    assert model.trainable_weights == []
    assert len(model.non_trainable_weights) == 27
    frozen = tconv.Model(model.input, model.output, trainable=False)
    assert not frozen.trainable
    config = json.loads(tconv.models.model_from_json(frozen.to_json()).to_json())["config"]
    assert config["trainable"] is False


def test_a_model_of_ones_own():
    class Twice(tconv.Model):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.one = layers.Dense(units)
            self.two = layers.Dense(units)

        def call(self, inputs):
            return self.two(self.one(inputs))

    model = Twice(3, name="twice")
    x = np.ones((5, 3), np.float32)
    assert model(x).shape == (5, 3)
    assert len(model.weights) == 4
    same(model.predict(x, batch_size=2), model(x))
    assert [layer.name for layer in model.layers] == [model.one.name, model.two.name]


# ---------------------------------------------------------------------------------------------------------- training


class Spy(layers.Layer):
    """Says what it was told about training."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def call(self, inputs, training=None):
        self.seen.append(training)
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape


class Around(layers.Layer):
    """Has a layer within, and nothing to do with training itself."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape


def test_training_reaches_every_layer():
    """As in Keras: what the model is told comes before what a layer was called with; calls within calls hear of it."""
    plain, told, deep = Spy(), Spy(), Spy()
    x = layers.Input((3,))
    y = Around(Around(deep))(told(plain(x), training=False))
    model = tconv.Model(x, y)
    for spy in (plain, told, deep):
        spy.seen.clear()
    ones = np.ones((1, 3))
    for options in ({}, {"training": True}, {"training": False}):
        model(ones, **options)
    assert plain.seen == deep.seen == [None, True, False]
    assert told.seen == [False, True, False]
    outer = tconv.Sequential([layers.Input((3,)), model])
    outer(ones, training=True)
    assert (plain.seen[-1], told.seen[-1], deep.seen[-1]) == (True, True, True)


def test_values_are_let_go():
    """No value lives longer than the last step that takes it."""
    alive = []

    class Watched(layers.Layer):
        def call(self, inputs):
            gone = sum(reference() is None for reference in alive)
            outputs = inputs + 1
            alive.append(weakref.ref(outputs))
            self.gone = gone
            return outputs

        def compute_output_shape(self, input_shape):
            return input_shape

    x = layers.Input((3,))
    y = x
    watched = [Watched() for _ in range(6)]
    for layer in watched:
        y = layer(y)
    model = tconv.Model(x, y)
    del alive[:]
    model(np.ones((2, 3)))
    assert [layer.gone for layer in watched] == [0, 0, 1, 2, 3, 4]


def test_a_deep_model():
    """Hundreds of layers: nothing is done by recursion."""
    x = layers.Input((2,), name="x")
    y = x
    for number in range(700):
        y = layers.ReLU(name=f"relu{number}")(y)
    model = tconv.Model(x, y)
    ones = np.ones((1, 2), np.float32)
    for one in (
        model,
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        tconv.models.model_from_json(model.to_json()),
    ):
        same(one(ones), ones)
    y, pullback = model.vjp(ones)
    same(pullback(y)[0], ones)


def test_threads():
    """A model is called and differentiated from several threads: each has its own losses and updates."""
    model = MODELS[0](tconv)
    model.get_layer("up2").activity_regularizer = tconv.regularizers.L2(0.1)
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((2, 16, 12, 3)).astype(np.float32) for _ in range(4)]
    expected = []
    for x in inputs:
        y, pullback = model.vjp(x, training=True)
        expected.append((y, pullback(y), [value for _, value in pullback.updates], pullback.losses))
    failures = []

    def work(number):
        try:
            for _ in range(3):
                y, pullback = model.vjp(inputs[number], training=True)
                wanted = expected[number]
                same(y, wanted[0])
                dx, gradients = pullback(y)
                same([dx, *gradients], [wanted[1][0], *wanted[1][1]])
                same([value for _, value in pullback.updates], wanted[2])
                np.testing.assert_array_equal(pullback.losses, wanted[3])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# ----------------------------------------------------------------------------------------------------------- configs


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
    yield "kwargs are a list", lambda c: c["config"]["layers"][1]["inbound_nodes"][0].update(kwargs=[1])
    yield "an unknown option", lambda c: c["config"]["layers"][1]["inbound_nodes"][0].update(kwargs={"shape": 1})
    yield "a mask", lambda c: c["config"]["layers"][1]["inbound_nodes"][0].update(kwargs={"mask": [1]})
    yield "a tuple of absurd extents", lambda c: c["config"]["layers"][0]["config"].update(batch_shape=[None, "x"])


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
    model = tconv.Model(x, Spy(name="spy")(x, training=True))
    with pytest.raises(ValueError, match="custom_objects"):
        tconv.models.model_from_json(model.to_json())
    again = tconv.models.model_from_json(model.to_json(), custom_objects={"Spy": Spy})
    again(np.ones((1, 3)))
    assert again.get_layer("spy").seen[-1] is True


# ----------------------------------------------------------------------------------------------------------- Dropout


def test_dropout_seeds():
    x = np.ones((50, 20), np.float32)
    one, two, other = (layers.Dropout(0.5, seed=seed) for seed in (1, 1, 2))
    first, second = one(x, training=True), one(x, training=True)
    same(two(x, training=True), first)
    same(two(x, training=True), second)
    assert not np.array_equal(first, second)
    assert not np.array_equal(other(x, training=True), first)
    assert layers.Dropout(0.5).get_config()["seed"] is None
    assert not np.array_equal(layers.Dropout(0.5)(x, training=True), layers.Dropout(0.5)(x, training=True))


def test_dropout_goes_on_from_its_state():
    """Whoever restores the state gets the numbers that would have come."""
    x = np.ones((50, 20), np.float32)
    layer = layers.Dropout(0.5, seed=1)
    layer(x, training=True)
    state = layer.seed_generator.state.numpy()
    expected = layer(x, training=True)
    other = layers.Dropout(0.5)
    other.seed_generator.state.assign(state)
    same(other(x, training=True), expected)
    assert layer.weights == []
    assert layer.variables == [layer.seed_generator.state] == layer.non_trainable_variables


def test_dropout_from_threads():
    """No two calls have the same numbers."""
    x = np.ones((100, 100), np.float32)
    layer = layers.Dropout(0.5, seed=1)
    results = []
    threads = [threading.Thread(target=lambda: results.append(layer(x, training=True))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result.tobytes() for result in results}) == 8
    assert layer.seed_generator.state.numpy().tolist() == [1, 8]


def test_dropout_at_the_ends():
    x = np.array([[np.inf, 1.0, -2.0]])
    same(layers.Dropout(1.0, dtype="float64")(x, training=True), np.zeros((1, 3)))
    same(layers.Dropout(0.0, dtype="float64")(x, training=True), x)
    with pytest.raises(ValueError, match="noise_shape"):
        layers.Dropout(0.5, noise_shape=(2, 3))(np.ones((5, 3)), training=True)


# ----------------------------------------------------------------------------------------------- BatchNormalization


def test_moving_statistics():
    layer = layers.BatchNormalization(momentum=0.75)
    x = np.random.default_rng(0).standard_normal((6, 5, 3)).astype(np.float32) * 3 + 1
    layer(x, training=True)
    mean, variance = x.mean(axis=(0, 1)), x.var(axis=(0, 1))
    np.testing.assert_allclose(layer.moving_mean.value, 0.25 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.value, 0.75 + 0.25 * variance, rtol=1e-5)
    before = layer.get_weights()
    layer(x)
    layer(x, training=False)
    layer.vjp(x, training=True)
    layer.trainable = False
    layer(x, training=True)
    layer(x[:0], training=True)
    for a, b in zip(layer.get_weights(), before, strict=True):
        same(a, b)


def test_a_shared_normalization_moves_twice():
    norm = layers.BatchNormalization(momentum=0.5, name="norm")
    x = layers.Input((3,))
    model = tconv.Model(x, norm(norm(x)))
    values = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    _, pullback = model.vjp(values, training=True)
    model(values, training=True)
    for variable, value in pullback.updates:
        np.testing.assert_allclose(value, variable.value, rtol=1e-6)
    assert len(pullback.updates) == 2


def test_statistics_of_many_rows_are_exact():
    """Sums go by blocks: a million float32 rows lose no more than the last digits."""
    x = np.random.default_rng(0).random((1_000_003, 2), np.float32) + 100
    layer = layers.BatchNormalization(momentum=0.0)
    layer(x, training=True)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(layer.moving_mean.value, exact.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.value, exact.var(axis=0), rtol=1e-4)


# ------------------------------------------------------------------------------------------------------------- repr


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(3, "relu", name="a"),
        layers.Conv2D(4, (3, 2), padding="same", kernel_initializer="he_normal", use_bias=False, name="a"),
        layers.Conv1D(4, 3, padding="causal", dtype="float64", name="a"),
        layers.BatchNormalization(axis=1, epsilon=0.01, name="a"),
        layers.Dropout(0.5, seed=3, name="a"),
        layers.UpSampling2D(3, interpolation="bilinear", name="a"),
        layers.UpSampling1D(3, name="a"),
        layers.ZeroPadding2D(((1, 0), (2, 3)), name="a"),
        layers.Cropping1D(2, name="a"),
        layers.Reshape((-1, 3), name="a"),
        layers.Flatten("channels_first", name="a"),
        layers.ReLU(max_value=6, name="a"),
        layers.LeakyReLU(0.1, name="a"),
        layers.Activation("tanh", name="a"),
        layers.Concatenate(axis=1, name="a"),
        layers.Add(name="a"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_repr_can_be_pasted_back(layer):
    names = {**vars(tconv.layers), **vars(tconv.initializers)}
    again = eval(repr(layer), names)
    assert again.get_config() == layer.get_config()
    assert repr(again) == repr(layer)
