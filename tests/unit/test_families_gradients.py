"""Derivatives of activations and regularizers: against differences, and what is known to have none."""

import functools

import numpy as np
import pytest

from tconv import activations, regularizers

RNG = np.random.default_rng(7)
X = RNG.normal(size=(5, 8)) * 1.7

PLAIN = [name for name in activations.__all__ if name in {f.__name__ for f in activations.members}]
WITH_ARGUMENTS = [
    ("relu", {"negative_slope": 0.3, "max_value": 1.5}),
    ("relu", {"negative_slope": -0.3}),
    ("relu", {"negative_slope": 0.3, "max_value": 1.5, "threshold": 0.4}),
    ("relu", {"negative_slope": 0.1, "max_value": 1.0, "threshold": -0.4}),
    ("relu", {"threshold": -0.4}),
    ("relu", {"threshold": 0.4, "max_value": 0.1}),
    ("leaky_relu", {"negative_slope": -0.3}),
    ("leaky_relu", {"negative_slope": 0.0}),
    ("leaky_relu", {"negative_slope": 2.0}),
    ("elu", {"alpha": -0.3}),
    ("elu", {"alpha": 2.3}),
    ("celu", {"alpha": -2.3}),
    ("celu", {"alpha": 0.5}),
    ("gelu", {"approximate": True}),
    ("squareplus", {"b": 0.1}),
    ("squareplus", {"b": 0}),
    ("softmax", {"axis": 0}),
    ("softmax", {"axis": (0, 1)}),
    ("log_softmax", {"axis": 0}),
    ("sparsemax", {"axis": 0}),
    ("glu", {"axis": 1}),
    ("hard_shrink", {"threshold": -0.1}),
    ("soft_shrink", {"threshold": -0.1}),
    ("threshold", {"threshold": 0.1, "default_value": 3.0}),
]
CASES = [pytest.param(getattr(activations, name), id=name) for name in PLAIN if name != "threshold"]
CASES += [
    pytest.param(functools.partial(getattr(activations, name), **arguments), id=f"{name}-{arguments}")
    for name, arguments in WITH_ARGUMENTS
]


def by_differences(loss, x, step=1e-6):
    """dL/dx, one element at a time."""
    result = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        delta = np.zeros_like(x)
        delta[at] = step
        result[at] = (loss(x + delta) - loss(x - delta)) / (2 * step)
    return result


def test_every_function_of_the_family_is_tried():
    assert len(PLAIN) == len(activations.members) == 30


@pytest.mark.parametrize("function", CASES)
def test_derivative(function):
    y, pullback = activations.vjp(function, X)
    np.testing.assert_array_equal(y, function(X))
    dy = RNG.normal(size=y.shape)
    np.testing.assert_allclose(pullback(dy), by_differences(lambda x: np.sum(function(x) * dy), X), atol=3e-8)


@pytest.mark.parametrize("function", CASES)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_derivative_keeps_the_dtype(function, dtype):
    x = X.astype(dtype)
    y, pullback = activations.vjp(function, x)
    dy = RNG.normal(size=y.shape).astype(dtype)
    dx = pullback(dy)
    assert dx.dtype == dtype
    wide = activations.vjp(function, x.astype(np.float64))[1](dy.astype(np.float64))
    np.testing.assert_allclose(dx, wide, **{"float16": {"atol": 0.05}, "float32": {"atol": 1e-5}}[dtype])


@pytest.mark.parametrize("function", CASES)
def test_what_the_output_says_is_enough_where_no_input_is_needed(function):
    y = function(X)
    dy = np.ones_like(y)
    if activations.needs_input(function):
        with pytest.raises(ValueError, match="pre is None"):
            activations.pullback(function, None, y, dy)
    else:
        np.testing.assert_array_equal(
            activations.pullback(function, None, y, dy), activations.pullback(function, X, y, dy)
        )


@pytest.mark.parametrize("function", CASES)
def test_far_from_zero_a_derivative_is_finite(function):
    """No 0 * inf, no overflow within: at +-1e30 every slope is a number."""
    x = np.array([[-1e30, -1e4, -800, -90, 90, 800, 1e4, 1e30]])
    y, pullback = activations.vjp(function, x)
    finite = np.isfinite(y)
    dx = pullback(np.ones_like(y))
    assert np.isfinite(dx if dx.shape != y.shape else dx[finite]).all()


@pytest.mark.parametrize(("name", "at", "slope"), [
    ("relu", 0, 0), ("relu6", 0, 0), ("relu6", 6, 0), ("leaky_relu", 0, 0.2), ("hard_tanh", 1, 0), ("hard_tanh", -1, 0),
    ("hard_sigmoid", 3, 0), ("soft_shrink", 0.5, 0), ("hard_shrink", -0.5, 0), ("sparse_sigmoid", 1, 0),
    ("elu", 0, 1), ("sparse_plus", 1, 1), ("sparse_plus", -1, 0), ("softplus", 0, 0.5),
])  # fmt: skip
def test_at_a_kink(name, at, slope):
    function = getattr(activations, name)
    x = np.float64([at])
    assert activations.pullback(function, x, function(x), np.ones(1)) == slope


def test_shapes_must_go_together():
    y = activations.relu(X)
    with pytest.raises(ValueError, match=r"dy has the shape \(8,\), but output has \(5, 8\)"):
        activations.pullback(activations.relu, None, y, y[0])
    with pytest.raises(ValueError, match=r"pre has the shape \(8,\)"):
        activations.pullback(activations.silu, X[0], y, y)


class Cubed:
    """A function of the user's own, with its derivative."""

    def __call__(self, x):
        return x**3

    def vjp(self, x):
        return x**3, lambda dy: 3 * x**2 * dy


def test_an_object_with_a_vjp_is_differentiated():
    assert activations.needs_input(Cubed())
    y, pullback = activations.vjp(Cubed(), X)
    np.testing.assert_allclose(pullback(np.ones_like(X)), 3 * X**2)
    np.testing.assert_allclose(activations.pullback(Cubed(), X, y, 2 * y), 6 * X**5)


class Bad(Cubed):
    """Its derivative has another shape."""

    def vjp(self, x):
        return x**3, lambda dy: dy[0]


class Weighted(Cubed):
    """As a layer with weights."""

    def vjp(self, x):
        return x**3, lambda dy: (3 * x**2 * dy, [np.ones(1)])


def test_what_such_an_object_gives_is_checked():
    with pytest.raises(ValueError, match=r"vjp's pullback gave has the shape \(8,\)"):
        activations.vjp(Bad(), X)[1](X)
    with pytest.raises(ValueError, match="make it a layer of its own"):
        activations.vjp(Weighted(), X)[1](X)


@pytest.mark.parametrize(
    "function", [lambda x: x, np.tanh, functools.partial(activations.elu, X), functools.partial(max), print], ids=repr
)
def test_a_plain_callable_has_no_derivative(function):
    with pytest.raises(TypeError, match=r"is not known; use a function of tconv.activations.*vjp\(x\)"):
        activations.needs_input(function)


def test_none_is_linear():
    assert not activations.needs_input(None)
    y, pullback = activations.vjp(None, X)
    np.testing.assert_array_equal(y, X)
    np.testing.assert_array_equal(pullback(2 * X), 2 * X)


# --------------------------------------------------------------------------------------------------- regularizers


@pytest.mark.parametrize(
    "regularizer",
    [
        regularizers.L1(0.3),
        regularizers.L2(0.2),
        regularizers.L1L2(0.1, 0.4),
        regularizers.L1L2(),
        regularizers.OrthogonalRegularizer(0.5),
        regularizers.OrthogonalRegularizer(0.5, "columns"),
        regularizers.Regularizer(),
        None,
    ],
    ids=repr,
)
def test_a_penalty_has_its_gradient(regularizer):
    expected = by_differences(regularizer, X) if regularizer is not None else np.zeros_like(X)
    np.testing.assert_allclose(regularizers.gradient(regularizer, X), expected, atol=1e-8)
    for dtype in ("float16", "float32"):
        narrow = regularizers.gradient(regularizer, X.astype(dtype))
        assert narrow.dtype == dtype
        np.testing.assert_allclose(narrow, expected, atol={"float16": 1e-2, "float32": 1e-6}[dtype])


def test_the_gradient_of_orthogonal_rows_and_of_no_rows():
    regularizer = regularizers.OrthogonalRegularizer()
    np.testing.assert_array_equal(regularizers.gradient(regularizer, np.diag([1.0, 2.0])), np.zeros((2, 2)))
    assert np.isfinite(regularizers.gradient(regularizer, np.zeros((3, 4)))).all()
    assert regularizers.gradient(regularizer, np.zeros((0, 4))).shape == (0, 4)


class Quartic(regularizers.L2):
    """A penalty changed without its gradient."""

    def __call__(self, x):
        return np.sum(x**4)


class Differentiated(Quartic):
    """And with it."""

    def gradient(self, x):
        return 4 * x**3


class Misshapen(Quartic):
    """One whose gradient has another shape."""

    def gradient(self, x):
        return 4 * x[0] ** 3


@pytest.mark.parametrize("regularizer", [Quartic(), lambda x: np.sum(x)], ids=["inherited", "function"])
def test_a_gradient_of_another_penalty_is_refused(regularizer):
    with pytest.raises(TypeError, match=r"give it a method gradient\(x\)"):
        regularizers.gradient(regularizer, X)


def test_a_gradient_of_ones_own():
    np.testing.assert_array_equal(regularizers.gradient(Differentiated(), X), 4 * X**3)
    with pytest.raises(ValueError, match=r"gradient\(x\) has the shape \(8,\)"):
        regularizers.gradient(Misshapen(), X)
