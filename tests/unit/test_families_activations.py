"""Every activation function against its formula in extended precision."""

import math

import numpy as np
import pytest

from tconv import activations

RNG = np.random.default_rng(0)
SMALL = 10.0 ** np.arange(-8, 1)
Z = np.concatenate([np.linspace(-12, 12, 961), RNG.normal(size=400) * 3, [-80, -40, 40, 80], SMALL, -SMALL])
Z = Z[: len(Z) // 6 * 6].reshape(-1, 6)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def log_softmax(x, axis=-1):
    shifted = x - x.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


def sparsemax(x):
    """By bisection for the threshold: the sum of what is above falls as the threshold rises."""
    low, high = x.max(-1, keepdims=True) - 1, x.max(-1, keepdims=True)
    for _ in range(70):
        middle = (low + high) / 2
        above = np.maximum(x - middle, 0).sum(-1, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.maximum(x - low, 0)


def tanh_shrink(x):
    series = x**3 * (1 / 3 - x**2 * (2 / 15 - x**2 * (17 / 315 - x**2 * (62 / 2835 - x**2 * 1382 / 155925))))
    return np.where(np.abs(x) < 0.02, series, x - np.tanh(x))


def gelu(x):
    return np.vectorize(lambda value: 0.5 * value * math.erfc(-value / math.sqrt(2)))(x.astype(np.float64))


def gelu_by_tanh(x):
    """0.5 * (1 + tanh(t)) is sigmoid(2 * t)."""
    return x * sigmoid(2 * np.sqrt(2 / np.longdouble(math.pi)) * (x + np.longdouble("0.044715") * x**3))


SCALE = np.longdouble("1.0507009873554804934193349852946")
ALPHA = np.longdouble("1.6732632423543772848170429916717")

EXACT = [
    ("celu", {}, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    ("celu", {"alpha": 2.0}, lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0) / 2))),
    ("elu", {}, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    ("elu", {"alpha": 0.5}, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)) / 2)),
    ("exponential", {}, np.exp),
    ("gelu", {}, gelu),
    ("gelu", {"approximate": True}, gelu_by_tanh),
    ("glu", {}, lambda x: x[:, :3] * sigmoid(x[:, 3:])),
    ("glu", {"axis": 0}, lambda x: x[: len(x) // 2] * sigmoid(x[len(x) // 2 :])),
    ("hard_shrink", {}, lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    ("hard_shrink", {"threshold": 1.5}, lambda x: np.where(np.abs(x) > 1.5, x, 0)),
    ("hard_sigmoid", {}, lambda x: np.clip((x + 3) / 6, 0, 1)),
    ("hard_silu", {}, lambda x: x * np.clip((x + 3) / 6, 0, 1)),
    ("hard_tanh", {}, lambda x: np.clip(x, -1, 1)),
    ("leaky_relu", {}, lambda x: np.where(x > 0, x, np.longdouble("0.2") * x)),
    ("linear", {}, lambda x: x),
    ("log_sigmoid", {}, lambda x: -softplus(-x)),
    ("log_softmax", {}, log_softmax),
    ("log_softmax", {"axis": 0}, lambda x: log_softmax(x, 0)),
    ("mish", {}, lambda x: x * np.tanh(softplus(x))),
    ("relu", {}, lambda x: np.maximum(x, 0)),
    ("relu", {"negative_slope": 0.25, "max_value": 4, "threshold": 1},
     lambda x: np.where(x > 1, np.minimum(x, 4), (x - 1) / 4)),
    ("relu", {"threshold": -1}, lambda x: np.where(x > -1, x, 0)),
    ("relu", {"threshold": -1, "max_value": 2}, lambda x: np.clip(x, 0, 2)),
    ("relu6", {}, lambda x: np.clip(x, 0, 6)),
    ("selu", {}, lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0)))),
    ("sigmoid", {}, sigmoid),
    ("silu", {}, lambda x: x * sigmoid(x)),
    ("soft_shrink", {}, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    ("softmax", {}, lambda x: np.exp(log_softmax(x))),
    ("softmax", {"axis": (0, 1)}, lambda x: np.exp(log_softmax(x, (0, 1)))),
    ("softplus", {}, softplus),
    ("softsign", {}, lambda x: x / (1 + np.abs(x))),
    ("sparse_plus", {}, lambda x: np.where(x < 1, np.maximum(x + 1, 0) ** 2 / 4, x)),
    ("sparse_sigmoid", {}, lambda x: np.clip((x + 1) / 2, 0, 1)),
    ("sparsemax", {}, sparsemax),
    ("squareplus", {}, lambda x: ((np.abs(x) + np.sqrt(x * x + 4)) / 2) ** np.where(x < 0, -1, 1)),
    ("tanh", {}, np.tanh),
    ("tanh_shrink", {}, tanh_shrink),
    ("threshold", {"threshold": 0.5, "default_value": -2}, lambda x: np.where(x > 0.5, x, -2)),
]  # fmt: skip
# Where a result is a difference, an error relative to what it is a difference of.
ABSOLUTE = {"gelu_by_tanh": 1e-4, "log_softmax": 10, "softmax": 1e-6, "sparsemax": 1, "hard_sigmoid": 1,
            "hard_silu": 1, "soft_shrink": 1, "sparse_plus": 1, "sparse_sigmoid": 1}  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "exact"), EXACT, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_values(name, arguments, exact, dtype):
    x = Z.astype(dtype)
    got = getattr(activations, name)(x, **arguments)
    with np.errstate(over="ignore", under="ignore"):
        truth = exact(x.astype(np.longdouble))
    assert got.dtype == dtype
    assert got.shape == truth.shape
    fits = (np.abs(truth) <= np.finfo(dtype).max) & ((np.abs(truth) >= np.finfo(dtype).tiny) | (truth == 0))
    tolerance = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-12}[dtype]
    got, truth = got[fits].astype(np.float64), truth[fits].astype(np.float64)
    np.testing.assert_allclose(
        got, truth, rtol=tolerance, atol=tolerance * (ABSOLUTE.get(exact.__name__) or ABSOLUTE.get(name, 0))
    )


def test_every_function_has_its_formula_here():
    assert {name for name, _, _ in EXACT} == {function.__name__ for function in activations.members}


@pytest.mark.parametrize("function", activations.members, ids=lambda function: function.__name__)
@pytest.mark.parametrize("shape", [(), (0,), (4,), (2, 0, 2), (2, 3, 4)])
def test_shapes_and_integers(function, shape):
    arguments = {"threshold": 0.5, "default_value": 0} if function is activations.threshold else {}
    x = np.ones(shape, np.int32)
    if not shape and function.__name__ in ("softmax", "log_softmax", "sparsemax", "glu"):
        with pytest.raises(ValueError, match=r"axis=-1 must be an axis"):
            function(x)
        return
    y = function(x, **arguments)
    assert y.dtype == np.float32
    assert y.shape == ((*shape[:-1], shape[-1] // 2) if function is activations.glu else shape)
    assert not np.shares_memory(y, x)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: activations.celu([1.0], alpha=0), ValueError, "celu: alpha=0 must not be 0"),
        (lambda: activations.elu([1.0], alpha="a"), TypeError, "elu: alpha='a' must be a number"),
        (lambda: activations.gelu([1.0], approximate=1), TypeError, "gelu: approximate=1 must be a bool"),
        (lambda: activations.glu([1.0, 2.0, 3.0]), ValueError, "which must be even"),
        (lambda: activations.softmax([1.0], axis=1), ValueError, "softmax: axis=1 must be an axis"),
        (lambda: activations.softmax([[1.0]], axis=(0, -2)), ValueError, "must be an axis, or a tuple of different"),
        (lambda: activations.sparsemax([1.0], axis=(0,)), TypeError, r"axis=\(0,\) must be an integer"),
        (lambda: activations.squareplus([1.0], b=-1), ValueError, "squareplus: b=-1 must be at least 0"),
        (lambda: activations.soft_shrink([1.0], threshold=None), TypeError, "threshold=None must be a number"),
        (lambda: activations.relu("text"), TypeError, "relu: x must be an array"),
        (lambda: activations.relu(None), TypeError, "relu: x must be an array, not None"),
    ],
)
def test_wrong_arguments(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_sparsemax_of_far_values():
    """Adding a constant changes nothing, even one beside which 1 is lost."""
    x = np.float32([[0.25, 0.5, 0.0]])
    np.testing.assert_array_equal(activations.sparsemax(x + np.float32(2**20)), activations.sparsemax(x))
    np.testing.assert_array_equal(activations.sparsemax(np.float32([1e30, -1e30, 0])), [1, 0, 0])
    assert np.isnan(activations.sparsemax(np.float32([np.nan, 0]))).all()
