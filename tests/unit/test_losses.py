"""Losses: what is legal, weights, dtypes, classes of one's own."""

import numpy as np
import pytest

from tconv import losses

X = np.arange(6.0).reshape(2, 3)
HOSTILE = [
    (lambda: losses.get("mean_squared"), ValueError, "mean_squared_error"),
    (lambda: losses.get(3), ValueError, "loss identifier: 3"),
    (lambda: losses.MeanSquaredError(reduction="all"), ValueError, "reduction=all|reduction='all'"),
    (lambda: losses.MeanSquaredError(reduction=["sum"]), ValueError, "reduction"),
    (lambda: losses.MeanSquaredError(name=3), ValueError, "name=3 must be a string"),
    (lambda: losses.MeanSquaredError(dtype="int8"), TypeError, "int8"),
    (lambda: losses.Huber(delta=0), ValueError, "delta"),
    (lambda: losses.Huber(delta="1"), TypeError, "delta='1'"),
    (lambda: losses.BinaryCrossentropy(label_smoothing=2), ValueError, "label_smoothing=2.0 must be from 0 to 1"),
    (lambda: losses.BinaryCrossentropy(from_logits="yes"), ValueError, "from_logits='yes' must be a boolean"),
    (lambda: losses.BinaryCrossentropy(axis=5)(X, X), ValueError, "axis=5 is none of y_pred's 2 axes"),
    (lambda: losses.mean_squared_error(X, X[:1]), ValueError, r"y_pred's shape \(1, 3\).*not \(2, 3\)"),
    (lambda: losses.mean_squared_error(1.0, 1.0), ValueError, "at least one axis"),
    (lambda: losses.mean_squared_error(X, "text"), TypeError, "y_pred"),
    (lambda: losses.MeanSquaredError()(X, X, X), ValueError, r"sample_weight must have the shape \(2,\)"),
    (lambda: losses.value_and_gradient(lambda t, p: 0.0, X, X), TypeError, "cannot be differentiated"),
    (lambda: losses.deserialize({"class_name": "Huber", "config": {"gamma": 1}}), ValueError, "gamma"),
    (lambda: losses.deserialize({"class_name": "CTC", "config": {}}), ValueError, "CTC"),
    (lambda: losses.Loss()(X, X), NotImplementedError, "call"),
]


@pytest.mark.parametrize("act,kind,words", HOSTILE)
def test_hostile_arguments_are_one_sentence(act, kind, words):
    with pytest.raises(kind, match=words) as caught:
        act()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_another_call_without_its_derivative_is_refused():
    class Doubled(losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return 2 * super().call(y_true, y_pred)

    with pytest.raises(NotImplementedError, match="needs call_vjp"):
        Doubled().value_and_gradient(X, X)


def test_weights_of_examples_count_for_all_that_is_in_them():
    y_true, y_pred = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 2))
    loss = losses.MeanAbsoluteError()
    value, gradient = loss.value_and_gradient(y_true, y_pred, [0.0, 1.0, 2.0])
    parts = [loss(y_true[i], y_pred[i]) for i in range(3)]
    np.testing.assert_allclose(value, (parts[1] + 2 * parts[2]) / 3)
    assert not gradient[0].any()
    assert loss(y_true, y_pred, np.zeros(3)) == 0
    assert losses.Huber(reduction="mean_with_sample_weight")(y_true, y_pred, np.zeros(3)) == 0


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "bce"])
def test_gradients_are_derivatives(name):
    rng = np.random.default_rng(1)
    y_true, y_pred, direction = rng.uniform(0.1, 0.9, (3, 4, 5))
    _, gradient = losses.value_and_gradient(name, y_true, y_pred)
    step, loss = 1e-6, losses.reducing(name)
    slope = (loss(y_true, y_pred + step * direction) - loss(y_true, y_pred - step * direction)) / (2 * step)
    np.testing.assert_allclose(np.vdot(gradient, direction), slope, rtol=1e-6)
    assert gradient.dtype == np.float64


@pytest.mark.parametrize("dtype,computed", [("float16", "float32"), ("float32", "float32"), ("float64", "float64")])
def test_dtypes(dtype, computed):
    y_pred = np.asarray(X, dtype)
    value, gradient = losses.value_and_gradient("mse", X * 300, y_pred)
    assert value.dtype == computed
    assert gradient.dtype == dtype
    assert np.isfinite(value)
    assert losses.MeanSquaredError(dtype="float64")(X, y_pred).dtype == np.float64


def test_nothing_costs_nothing():
    for shape in ((0, 3), (2, 0)):
        value, gradient = losses.value_and_gradient("mse", np.ones(shape), np.ones(shape))
        assert value == 0
        assert gradient.shape == shape


def test_cross_entropy_of_large_logits_is_finite():
    value, gradient = losses.BinaryCrossentropy(from_logits=True).value_and_gradient([[0.0, 1.0]], [[500.0, -500.0]])
    assert value == 500
    np.testing.assert_allclose(gradient, [[0.5, -0.5]])
