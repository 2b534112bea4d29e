"""Functional models: symbolic tensors, order, copies, memory, threads."""

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


# ----------------------------------------------------------------------------------------------------- symbolic tensors


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


# --------------------------------------------------------------------------------------------------------------- models


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
    assert len(model.weights) == 24
    assert len(model.trainable_weights) == 16
    model.trainable = False
    assert model.trainable_weights == []
    assert len(model.non_trainable_weights) == 24
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


# ------------------------------------------------------------------------------------------------------------- training


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


def test_a_default_of_training():
    """Where nobody says, the default in the signature of `call` counts, for the layers within too."""

    class Always(Spy):
        def __init__(self, inner, **kwargs):
            super().__init__(**kwargs)
            self.inner = inner

        def call(self, inputs, training=True):
            return self.inner(super().call(inputs, training))

    inner = Spy()
    always = Always(inner)
    ones = np.ones((1, 3))
    for options in ({}, {"training": False}, {"training": None}):
        always(ones, **options)
    assert always.seen == inner.seen == [True, False, True]
    x = layers.Input((3,))
    model = tconv.Model(x, always(x))
    assert json.loads(model.to_json())["config"]["layers"][1]["inbound_nodes"][0]["kwargs"] == {"training": True}
    model(ones)
    model(ones, training=False)
    assert always.seen[-2:] == [True, False]


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
