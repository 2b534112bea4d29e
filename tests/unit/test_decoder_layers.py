"""Layers of a decoder: random numbers, moving statistics, reprs."""

import threading

import numpy as np
import pytest

import tconv

layers = tconv.layers
same = np.testing.assert_array_equal


# -------------------------------------------------------------------------------------------------------------- Dropout


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


# --------------------------------------------------------------------------------------------------- BatchNormalization


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


# ----------------------------------------------------------------------------------------------------------------- repr


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
        layers.Add(name="a", trainable=False, activity_regularizer="l1"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_repr_can_be_pasted_back(layer):
    names = {**vars(tconv.layers), **vars(tconv.initializers), **vars(tconv.regularizers)}
    again = eval(repr(layer), names)
    assert again.get_config() == layer.get_config()
    assert repr(again) == repr(layer)


def test_a_repr_says_what_is_not_the_default_now():
    first, last = (layers.Flatten(data_format, name="a") for data_format in ("channels_first", "channels_last"))
    narrow, wide = (layers.Add(dtype=dtype, name="b") for dtype in ("float32", "float64"))
    assert repr(first) == "Flatten(data_format='channels_first', name='a')"
    assert repr(last) == "Flatten(name='a')"
    assert repr(wide) == "Add(dtype='float64', name='b')"
    tconv.config.set_image_data_format("channels_first")
    try:
        assert repr(first) == "Flatten(name='a')"
        assert repr(last) == "Flatten(data_format='channels_last', name='a')"
        tconv.config.set_floatx("float64")
        assert repr(narrow) == "Add(dtype='float32', name='b')"
        assert repr(wide) == "Add(name='b')"
    finally:
        tconv.config.set_image_data_format("channels_last")
        tconv.config.set_floatx("float32")
