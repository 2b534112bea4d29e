"""Smooth activation functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tconv import _args
from tconv._convert import Array
from tconv._special import normal_cdf
from tconv.activations.function import activation

__all__ = [
    "celu",
    "elu",
    "exponential",
    "gelu",
    "log_sigmoid",
    "mish",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "squareplus",
    "tanh",
    "tanh_shrink",
]

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _elu_derivative(x: Any, y: Any, dy: Array, alpha: Any = 1.0) -> Array:
    factor = _args.number("elu", "alpha", alpha)
    if x is None:
        return np.where(y > 0, dy, dy * (y + factor))
    return np.where(x > 0, dy, dy * (factor * np.exp(np.minimum(x, 0))))


@activation(_elu_derivative, lambda alpha=1.0: alpha < 0)
def elu(x: Array, alpha: float = 1.0) -> Array:
    """x for x > 0, else alpha * (exp(x) - 1). Clevert et al., arXiv:1511.07289.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.elu(np.float32([-100, 1]), alpha=2.0).tolist()
        [-2.0, 1.0]
    """
    return np.where(x > 0, x, _args.number("elu", "alpha", alpha) * np.expm1(np.minimum(x, 0)))


@activation(lambda x, y, dy: dy * np.where(y > 0, _SELU_SCALE, y + _SELU_SCALE * _SELU_ALPHA))
def selu(x: Array) -> Array:
    """scale * elu(x, alpha) with the constants that keep mean 0 and variance 1. Klambauer et al., arXiv:1706.02515.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.selu(np.float64([0, 1])).round(4).tolist()
        [0.0, 1.0507]
    """
    return _SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0)))


@activation(lambda x, y, dy, alpha=1.0: dy * np.where(y > 0, 1, y / alpha + 1))
def celu(x: Array, alpha: float = 1.0) -> Array:
    """max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0). Barron, arXiv:1704.07483.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.celu(np.float32([-100, 1]), alpha=2.0).tolist()
        [-2.0, 1.0]
    """
    scale = _args.number("celu", "alpha", alpha)
    if scale == 0:
        _args.fail("celu", "alpha=0 must not be 0", ValueError)
    return np.maximum(x, 0) + scale * np.expm1(np.minimum(x, 0) / scale)


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small))


def _softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


@activation(lambda x, y, dy: dy * (y * (1 - y)))
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.sigmoid(np.float32([-1000, 0, 1000])).tolist()
        [0.0, 0.5, 1.0]
    """
    return logistic(x)


@activation(lambda x, y, dy: dy * -np.expm1(y))
def log_sigmoid(x: Array) -> Array:
    """log(sigmoid(x)).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.log_sigmoid(np.float32([-1000, 1000])).tolist()
        [-1000.0, 0.0]
    """
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


@activation(lambda x, y, dy: dy * ((1 - y) * (1 + y)))
def tanh(x: Array) -> Array:
    """The hyperbolic tangent.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.tanh(np.float32([0, 100])).tolist()
        [0.0, 1.0]
    """
    return np.asarray(np.tanh(x))


@activation(lambda x, y, dy: dy * np.square(np.tanh(x)), needs_input=True)
def tanh_shrink(x: Array) -> Array:
    """x - tanh(x).

    Near zero, where the difference cancels, from Lambert's continued fraction tanh(x) = x/(1 + x²/(3 + x²/(5 + ...))),
    whose terms are all positive (Abramowitz and Stegun, 4.5.70).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.tanh_shrink(np.float32([0, 100])).tolist()
        [0.0, 99.0]
    """
    square = np.square(np.minimum(np.abs(x), 1))
    rest = square / 23
    for odd in range(21, 1, -2):
        rest = square / (odd + rest)
    return np.where(np.abs(x) < 1, x * (rest / (1 + rest)), x - np.tanh(x))


@activation(lambda x, y, dy: dy * -np.expm1(-y))
def softplus(x: Array) -> Array:
    """log(1 + exp(x)).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.softplus(np.float32([-1000, 1000])).tolist()
        [0.0, 1000.0]
    """
    return _softplus(x)


@activation(lambda x, y, dy: dy * np.square(1 - np.abs(y)))
def softsign(x: Array) -> Array:
    """x / (1 + abs(x)).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.softsign(np.float32([-1, 3])).tolist()
        [-0.5, 0.75]
    """
    return np.asarray(x / (1 + np.abs(x)))


def _squareplus_derivative(x: Any, y: Array, dy: Array, b: Any = 4) -> Array:
    four = 4 * np.square(y)  # y * (y - x) = b / 4, hence x without x
    return np.where(y > 0, dy * (four / (four + _smoothness(b))), 0)


def _smoothness(b: Any) -> float:
    number = _args.number("squareplus", "b", b)
    if not 0 <= number < math.inf:
        _args.fail("squareplus", f"b={_args.show(b)} must be at least 0 and finite", ValueError)
    return number


@activation(_squareplus_derivative)
def squareplus(x: Array, b: float = 4) -> Array:
    """(x + sqrt(x**2 + b)) / 2. Barron (2021), arXiv:2112.11687.

    Args:
        x: array.
        b: smoothness, at least 0; 0 gives max(x, 0).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.squareplus(np.float32([-1.5, 0, 1.5])).tolist()
        [0.5, 1.0, 2.0]
    """
    smoothness = _smoothness(b)
    large = np.abs(x) + np.hypot(x, x.dtype.type(math.sqrt(smoothness)))
    # For x < 0 the sum would cancel: its other form is b / (sqrt(x**2 + b) - x).
    return np.where(x >= 0, large / 2, (smoothness / 2) / np.where(large > 0, large, 1))


def _silu_derivative(x: Array, y: Any, dy: Array) -> Array:
    s = logistic(x)
    return np.asarray(dy * (s * (1 + _finite(x) * (1 - s))))


@activation(_silu_derivative, needs_input=True)
def silu(x: Array) -> Array:
    """x * sigmoid(x), also named swish. Hendrycks and Gimpel, arXiv:1606.08415.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.silu(np.float32([-1000, 0, 1000])).tolist()
        [-0.0, 0.0, 1000.0]
    """
    return x * logistic(x)


_GELU_SCALE, _GELU_CUBE = math.sqrt(2 / math.pi), 0.044715


def _gelu_derivative(x: Array, y: Any, dy: Array, approximate: bool = False) -> Array:
    x = _finite(x)
    if approximate:
        t = np.tanh(_GELU_SCALE * (x + _GELU_CUBE * x**3))
        inner = _GELU_SCALE * (1 + 3 * _GELU_CUBE * np.square(x))
        return np.asarray(dy * (0.5 * (1 + t) + 0.5 * x * ((1 - t) * (1 + t) * inner)))
    density = np.exp(-0.5 * np.square(x)) / math.sqrt(2 * math.pi)
    return np.asarray(dy * (normal_cdf(x) + x * density))


@activation(_gelu_derivative, needs_input=True)
def gelu(x: Array, approximate: bool = False) -> Array:
    """x * Phi(x), Phi the normal distribution's. Hendrycks and Gimpel, arXiv:1606.08415.

    Args:
        x: array.
        approximate: use 0.5 * x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x**3))) instead.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.gelu(np.float64([-1, 0, 1])).round(4).tolist()
        [-0.1587, 0.0, 0.8413]
    """
    if not isinstance(approximate, (bool, np.bool_)):
        _args.fail("gelu", f"approximate={_args.show(approximate)} must be a bool", TypeError)
    if approximate:
        return x * logistic(2 * _GELU_SCALE * (x + _GELU_CUBE * x**3))  # as (1 + tanh(t)) / 2, which cancels
    return x * normal_cdf(x)


def _mish_derivative(x: Array, y: Any, dy: Array) -> Array:
    t = np.tanh(_softplus(x))
    return np.asarray(dy * (t + _finite(x) * ((1 - t) * (1 + t) * logistic(x))))


@activation(_mish_derivative, needs_input=True)
def mish(x: Array) -> Array:
    """x * tanh(softplus(x)). Misra, arXiv:1908.08681.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.mish(np.float32([0, 1000])).tolist()
        [0.0, 1000.0]
    """
    return np.asarray(x * np.tanh(_softplus(x)))


@activation(lambda x, y, dy: dy * y)
def exponential(x: Array) -> Array:
    """exp(x).

    Example:
        >>> import tconv
        >>> tconv.activations.exponential([0.0]).tolist()
        [1.0]
    """
    return np.asarray(np.exp(x))


def _finite(x: Array) -> Array:
    """x with its ends pulled in, so that it times an exact 0 is 0, and its powers do not overflow."""
    return np.asarray(np.clip(x, -1e4, 1e4))
