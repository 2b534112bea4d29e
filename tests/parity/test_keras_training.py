"""Real Keras 3: losses, optimizers and training take the same values."""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest

import tconv
from tconv import losses, optimizers

pytestmark = pytest.mark.filterwarnings("ignore")
keras = pytest.importorskip("keras")
if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
    pytest.skip("the names and defaults are those of Keras 3.15", allow_module_level=True)

RNG = np.random.default_rng(3)


def number(value):
    return np.asarray(keras.ops.convert_to_numpy(value))


# ---- losses

CLASSES = {
    "MeanSquaredError": [{}],
    "MeanAbsoluteError": [{}],
    "Huber": [{}, {"delta": 0.3}],
    "BinaryCrossentropy": [{}, {"from_logits": True}, {"label_smoothing": 0.2}, {"axis": 1}],
}
REDUCTIONS = ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", None]


def targets_and_predictions(name, arguments, shape):
    if name == "BinaryCrossentropy" and not arguments.get("from_logits"):
        predictions = RNG.uniform(-0.05, 1.05, shape)  # outside of 0..1 too, where they are clipped
        return RNG.integers(0, 2, shape).astype("float32"), predictions.astype("float32")
    return RNG.uniform(0, 1, shape).astype("float32"), RNG.normal(size=shape).astype("float32")


@pytest.mark.parametrize("name,arguments", [(name, a) for name, all_ in CLASSES.items() for a in all_])
def test_losses_and_their_gradients(name, arguments):
    jax = pytest.importorskip("jax")
    for reduction, weighted in [("sum_over_batch_size", False), *((reduction, True) for reduction in REDUCTIONS)]:
        y_true, y_pred = targets_and_predictions(name, arguments, (4, 3, 5))
        values = (4, 5) if arguments.get("axis") == 1 else (4, 3)
        weights = RNG.uniform(0, 2, values).astype("float32") if weighted else None
        theirs = getattr(keras.losses, name)(reduction=reduction, **arguments)
        ours = getattr(losses, name)(reduction=reduction, **arguments)
        value, gradient = ours.value_and_gradient(y_true, y_pred, weights)
        np.testing.assert_allclose(value, number(theirs(y_true, y_pred, weights)), rtol=2e-6, atol=1e-6)
        np.testing.assert_array_equal(value, ours(y_true, y_pred, weights))
        if reduction in ("mean", None):
            continue  # each gradient takes time to compile
        wanted = jax.grad(lambda p, t=y_true, w=weights, loss=theirs: loss(t, p, w).sum())(y_pred)
        np.testing.assert_allclose(gradient, np.asarray(wanted), rtol=2e-5, atol=1e-6)
        assert gradient.dtype == np.float32


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "huber", "binary_crossentropy"])
def test_losses_as_functions(name):
    y_true, y_pred = targets_and_predictions("BinaryCrossentropy", {}, (4, 3, 5))
    ours, theirs = getattr(losses, name), getattr(keras.losses, name)
    np.testing.assert_allclose(ours(y_true, y_pred), number(theirs(y_true, y_pred)), rtol=1e-5, atol=1e-7)
    assert losses.serialize(ours) == name == losses.get(name).__name__
    for alias, member in __import__("keras.src.losses", fromlist=["x"]).ALL_OBJECTS_DICT.items():
        if member is theirs:
            assert losses.get(alias) is ours


@pytest.mark.parametrize("shapes", [((4,), (4, 1)), ((4, 1), (4,)), ((4, 3, 5), (4, 3, 5, 1)), ((4, 3, 1), (4, 3))])
def test_an_axis_of_one_may_be_missing(shapes):
    y_true, y_pred = (RNG.normal(size=shape).astype("float32") for shape in shapes)
    value, gradient = losses.value_and_gradient("mse", y_true, y_pred)
    np.testing.assert_allclose(value, number(keras.losses.MeanSquaredError()(y_true, y_pred)), rtol=1e-6)
    assert gradient.shape == y_pred.shape


@pytest.mark.parametrize("name", CLASSES)
def test_configs_of_losses_are_read_both_ways(name):
    for arguments in CLASSES[name]:
        theirs = getattr(keras.losses, name)(reduction="sum", **arguments)
        ours = losses.deserialize(keras.losses.serialize(theirs))
        config = json.loads(json.dumps(losses.serialize(getattr(losses, name)(reduction="sum", **arguments))))
        assert set(keras.losses.serialize(theirs)) == set(config)
        y_true, y_pred = targets_and_predictions(name, arguments, (2, 3))
        if name != "Huber":  # whose delta Keras does not write
            assert keras.losses.serialize(theirs) == config
            np.testing.assert_allclose(ours(y_true, y_pred), number(theirs(y_true, y_pred)), rtol=1e-5)
        again = keras.losses.deserialize(config)
        np.testing.assert_allclose(number(again(y_true, y_pred)), number(theirs(y_true, y_pred)), rtol=1e-5)


# ---- optimizers

VARIANTS = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1}],
    "RMSprop": [{}, {"momentum": 0.5}, {"centered": True}, {"momentum": 0.9, "centered": True, "rho": 0.5}],
    "Adam": [{}, {"amsgrad": True}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}, {"weight_decay": 0.1}],
    "AdamW": [{}, {"weight_decay": 0.3, "amsgrad": True}],
}
CLIPPING = [{"clipnorm": 0.5}, {"global_clipnorm": 0.5}, {"clipvalue": 0.05}, {"clipnorm": 100.0}]
ALL = [(name, each) for name, variants in VARIANTS.items() for each in variants]
ALL += [("SGD", {"momentum": 0.9, **each}) for each in CLIPPING] + [("Adam", each) for each in CLIPPING]


@pytest.mark.parametrize("name,arguments", ALL)
def test_steps_of_optimizers(name, arguments):
    rng = np.random.default_rng(5)
    shapes = [(3, 4), (4,), ()]
    start = [rng.normal(size=shape).astype("float32") for shape in shapes]
    ours, theirs = (getattr(module, name)(learning_rate=0.05, **arguments) for module in (optimizers, keras.optimizers))
    here = [tconv.Variable(value) for value in start]
    there = [keras.Variable(value) for value in start]
    for _ in range(4):
        gradients = [rng.normal(size=shape).astype("float32") for shape in shapes]
        ours.apply(gradients, here)
        theirs.apply([keras.ops.convert_to_tensor(g) for g in gradients], there)
    for a, b in zip([*here, *ours.variables], [*there, *theirs.variables], strict=True):
        np.testing.assert_allclose(a.value, number(b), rtol=2e-5, atol=2e-6)
    assert [v.dtype.name for v in ours.variables] == [v.dtype for v in theirs.variables]


@pytest.mark.parametrize("name,arguments", ALL)
def test_configs_of_optimizers_are_read_both_ways(name, arguments):
    theirs = keras.optimizers.serialize(getattr(keras.optimizers, name)(name="it", **arguments))
    ours = optimizers.serialize(getattr(optimizers, name)(name="it", **arguments))
    assert json.loads(json.dumps(ours)) == json.loads(json.dumps(theirs))
    assert list(ours["config"]) == list(theirs["config"])
    assert optimizers.serialize(optimizers.deserialize(theirs)) == ours
    assert keras.optimizers.serialize(keras.optimizers.deserialize(ours)) == theirs
    assert getattr(optimizers, name)().name == keras.src.utils.naming.to_snake_case(name)


SCHEDULES = [
    ("ExponentialDecay", (0.1, 7, 0.5)),
    ("ExponentialDecay", (0.1, 7, 0.5, True)),
    ("PiecewiseConstantDecay", ([3, 6], [0.3, 0.2, 0.1])),
    ("CosineDecay", (0.1, 12, 0.1)),
    ("CosineDecay", (0.1, 12, 0.1, "warm", 0.4, 5)),
]


@pytest.mark.parametrize("name,arguments", SCHEDULES)
def test_schedules(name, arguments):
    ours = getattr(optimizers.schedules, name)(*arguments)
    theirs = getattr(keras.optimizers.schedules, name)(*arguments)
    for step in (0, 1, 3, 4, 5, 6, 7, 12, 17, 19):
        np.testing.assert_allclose(ours(step), number(theirs(step)), rtol=1e-5, atol=1e-8)
    config = keras.optimizers.serialize(keras.optimizers.SGD(theirs, name="it"))
    read = optimizers.deserialize(config)
    assert json.loads(json.dumps(optimizers.serialize(read))) == json.loads(json.dumps(config))
    assert read.learning_rate == ours(0)
    assert len(read.variables) == 1


# ---- training

X = RNG.normal(size=(24, 5, 5, 3)).astype("float32")
Y = RNG.normal(size=(24, 10, 10, 2)).astype("float32")


def decoder(library):
    regularizer = library.regularizers.L2(0.01)
    return library.Sequential(
        [
            library.layers.Input((5, 5, 3)),
            library.layers.Conv2DTranspose(6, 4, strides=2, padding="same", activation="relu", name="up"),
            library.layers.BatchNormalization(name="norm"),
            library.layers.Conv2DTranspose(4, 3, padding="same", kernel_regularizer=regularizer, name="mid"),
            library.layers.LeakyReLU(name="leaky"),
            library.layers.Conv2DTranspose(2, 3, padding="same", activation="tanh", name="last"),
        ]
    )


OPTIMIZERS = {
    "SGD": {"learning_rate": 0.02, "momentum": 0.9, "nesterov": True},
    "RMSprop": {"learning_rate": 0.002},
    "Adam": {"learning_rate": 0.005},
    "AdamW": {"learning_rate": 0.005, "weight_decay": 0.05},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_takes_the_same_steps(name, tmp_path):
    """20 steps, from weights that went through Keras' file, and more in Keras, from ours.

    Where a gradient is zero but for rounding, RMSprop and Adam step by the sign of the rounding: a few of a hundred
    draws of weights end 1e-4 apart, the others below 1e-5.
    """
    keras.utils.set_random_seed(3)
    theirs = decoder(keras)
    theirs.compile(getattr(keras.optimizers, name)(**OPTIMIZERS[name]), "mse", metrics=["mae"])
    theirs.save(tmp_path / "theirs.keras")
    ours = tconv.saving.load_model(tmp_path / "theirs.keras")
    options = {"batch_size": 6, "shuffle": False, "verbose": 0}
    validation = (X[:7], Y[:7]) if name == "SGD" else None  # costs Keras seconds to compile
    wanted = theirs.fit(X, Y, epochs=5, validation_data=validation, **options).history
    found = ours.fit(X, Y, epochs=5, validation_data=validation, **options).history
    assert sorted(found) == sorted(wanted)
    for key, values in wanted.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-4)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a.value, number(b), atol=1e-4, err_msg=a.path)
    for a, b in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_allclose(a.value, number(b), atol=1e-4, err_msg=a.path)
    ours.save(tmp_path / "ours.keras")
    there = keras.models.load_model(tmp_path / "ours.keras")
    for a, b in zip(
        [*ours.weights, *ours.optimizer.variables], [*there.weights, *there.optimizer.variables], strict=True
    ):
        np.testing.assert_array_equal(a.value, number(b), err_msg=a.path)
    if name == "Adam":
        there.fit(X, Y, **options)
        ours.fit(X, Y, **options)
        for a, b in zip(ours.weights, there.weights, strict=True):
            np.testing.assert_allclose(a.value, number(b), atol=1e-4, err_msg=a.path)


@pytest.mark.parametrize(
    "compiled",
    [
        {"loss": ["mse", "mae"], "loss_weights": [1.0, 0.3], "metrics": [["mae"], ["mse"]]},
        {"loss": {"a": "mse", "b": "huber"}, "metrics": {"a": ["mae"]}},
        {"loss": "mse"},
    ],
)
def test_logs_of_several_outputs(compiled):
    found = []
    x, a, b = RNG.normal(size=(7, 3)), RNG.normal(size=(7, 2)), RNG.normal(size=(7, 1))
    for library in (keras, tconv):
        image = library.layers.Input((3,))
        made = [
            library.layers.Dense(n, name=name, kernel_initializer="ones")(image) for n, name in ((2, "a"), (1, "b"))
        ]
        model = library.Model(image, made)
        model.compile("sgd", **compiled)
        y = {"a": a, "b": b} if isinstance(compiled["loss"], dict) else [a, b]
        found.append(model.fit(x, y, batch_size=3, epochs=2, verbose=0, shuffle=False).history)
    theirs, ours = found
    assert sorted(ours) == sorted(theirs)
    for key, values in theirs.items():
        np.testing.assert_allclose(ours[key], values, rtol=1e-4)


def test_what_other_optimizers_and_metrics_leave_is_the_model(tmp_path):
    model = decoder(keras)
    for optimizer, metrics, words in (("lion", None, "Lion"), ("adam", ["accuracy"], "accuracy")):
        model.compile(optimizer, "mse", metrics=metrics)
        model.save(tmp_path / "it.keras")
        with pytest.warns(UserWarning, match=f"not compiled: .*{words}"):
            loaded = tconv.saving.load_model(tmp_path / "it.keras")
        assert not loaded.compiled
        np.testing.assert_allclose(loaded(X), number(model(X)), atol=1e-5)


def test_dropout_in_a_compiled_file_is_read_by_keras(tmp_path):
    model = tconv.Sequential([tconv.layers.Input((3,)), tconv.layers.Dense(2), tconv.layers.Dropout(0.5, seed=1)])
    model.compile("adam", tconv.losses.Huber(0.7), metrics=["mae"])
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "it.keras")
    model.save_weights(tmp_path / "it.weights.h5")
    theirs = keras.models.load_model(tmp_path / "it.keras")
    assert int(theirs.optimizer.iterations) == 1
    theirs.load_weights(tmp_path / "it.weights.h5")
    np.testing.assert_allclose(
        theirs.evaluate(np.ones((4, 3)), np.ones((4, 2)), verbose=0),
        model.evaluate(np.ones((4, 3)), np.ones((4, 2)), verbose=0),
        rtol=1e-5,
    )
