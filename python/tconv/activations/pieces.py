"""Activation functions made of straight lines, and the two sparse ones, whose pieces are as simple."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tconv import _args
from tconv._convert import Array
from tconv.activations.function import activation

__all__ = [
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "relu",
    "relu6",
    "soft_shrink",
    "sparse_plus",
    "sparse_sigmoid",
    "threshold",
]

# At a kink the derivative is the one from the flat side, and leaky_relu's the one from below, as PyTorch has it.


@activation(lambda x, y, dy: np.array(dy))
def linear(x: Array) -> Array:
    """x itself.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.linear(np.float32([-1, 2])).tolist()
        [-1.0, 2.0]
    """
    return np.array(x)


def _relu_derivative(
    x: Any, y: Any, dy: Array, negative_slope: Any = 0.0, max_value: Any = None, threshold: Any = 0.0
) -> Array:
    slope, limit, start = _relu_arguments(negative_slope, max_value, threshold)
    value = y if x is None else x
    rising = value > start
    if max_value is not None:
        rising = (value > 0) & (value < limit) if start == 0 else rising & (value > 0) & (value < limit)
    return np.where(rising, dy, np.where(value <= start, slope * dy, 0) if slope else 0)


def _relu_needs_input(negative_slope: Any = 0.0, max_value: Any = None, threshold: Any = 0.0) -> bool:
    slope, limit, start = _relu_arguments(negative_slope, max_value, threshold)
    return start != 0 or slope < 0 or limit <= 0


def _relu_arguments(negative_slope: Any, max_value: Any, threshold: Any) -> tuple[float, float, float]:
    slope = _args.number("relu", "negative_slope", negative_slope)
    limit = math.inf if max_value is None else _args.number("relu", "max_value", max_value)
    return slope, limit, _args.number("relu", "threshold", threshold)


@activation(_relu_derivative, _relu_needs_input)
def relu(x: Array, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Array:
    """x above the threshold, at most max_value; else negative_slope * (x - threshold).

    Args:
        x: array.
        negative_slope: slope below the threshold.
        max_value: largest value of the result; None for no limit. With it, a threshold below 0 acts like 0 from above.
        threshold: value below which the slope counts.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.relu(np.float32([-2, 1, 9]), negative_slope=0.5, max_value=6).tolist()
        [-1.0, 1.0, 6.0]
    """
    slope, limit, start = _relu_arguments(negative_slope, max_value, threshold)
    if start == 0 and slope == 0:
        return np.asarray(np.clip(x, 0, limit))
    above = np.where(x <= start, 0, x)
    if max_value is not None:
        above = np.clip(above, 0, limit)
    return above - slope * np.maximum(start - x, 0) if slope else above


@activation(lambda x, y, dy: np.where((y > 0) & (y < 6), dy, 0))
def relu6(x: Array) -> Array:
    """min(max(x, 0), 6).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.relu6(np.float32([-2, 1, 9])).tolist()
        [0.0, 1.0, 6.0]
    """
    return np.asarray(np.clip(x, 0, 6))


def _leaky_derivative(x: Any, y: Any, dy: Array, negative_slope: Any = 0.2) -> Array:
    return np.where((y if x is None else x) > 0, dy, _args.number("leaky_relu", "negative_slope", negative_slope) * dy)


@activation(_leaky_derivative, lambda negative_slope=0.2: negative_slope < 0)
def leaky_relu(x: Array, negative_slope: float = 0.2) -> Array:
    """x for x >= 0, else negative_slope * x. Maas et al. (2013), "Rectifier nonlinearities".

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.leaky_relu(np.float32([-2, 1]), negative_slope=0.5).tolist()
        [-1.0, 1.0]
    """
    return np.where(x >= 0, x, _args.number("leaky_relu", "negative_slope", negative_slope) * x)


@activation(lambda x, y, dy: np.where((y > 0) & (y < 1), dy / 6, 0))
def hard_sigmoid(x: Array) -> Array:
    """min(max(x / 6 + 1/2, 0), 1).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.hard_sigmoid(np.float32([-4, 0, 4])).tolist()
        [0.0, 0.5, 1.0]
    """
    return np.asarray(np.clip(x / 6 + 0.5, 0, 1))


def _hard_silu_derivative(x: Array, y: Any, dy: Array) -> Array:
    return np.where(x >= 3, dy, np.where(x > -3, dy * (x / 3 + 0.5), 0))


@activation(_hard_silu_derivative, needs_input=True)
def hard_silu(x: Array) -> Array:
    """x * hard_sigmoid(x), also named hard_swish. Howard et al., arXiv:1905.02244.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.hard_silu(np.float32([-4, 0, 4])).tolist()
        [-0.0, 0.0, 4.0]
    """
    return x * np.clip(x / 6 + 0.5, 0, 1)


@activation(lambda x, y, dy: np.where(np.abs(y) < 1, dy, 0))
def hard_tanh(x: Array) -> Array:
    """min(max(x, -1), 1).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.hard_tanh(np.float32([-4, 0.5, 4])).tolist()
        [-1.0, 0.5, 1.0]
    """
    return np.asarray(np.clip(x, -1, 1))


@activation(lambda x, y, dy, threshold=0.5: np.where((y != 0) | (threshold < 0), dy, 0))
def hard_shrink(x: Array, threshold: float = 0.5) -> Array:
    """x where abs(x) > threshold, else 0.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.hard_shrink(np.float32([-1, 0.5, 2])).tolist()
        [-1.0, 0.0, 2.0]
    """
    return np.where(np.abs(x) <= _args.number("hard_shrink", "threshold", threshold), 0, x)


@activation(lambda x, y, dy, threshold=0.5: np.where(y != 0, dy, 0))
def soft_shrink(x: Array, threshold: float = 0.5) -> Array:
    """x - threshold above the threshold, x + threshold below -threshold, else 0.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.soft_shrink(np.float32([-1, 0.5, 2])).tolist()
        [-0.5, 0.0, 1.5]
    """
    edge = _args.number("soft_shrink", "threshold", threshold)
    return np.where(x > edge, x - edge, np.where(x < -edge, x + edge, 0 * x))


@activation(lambda x, y, dy, threshold, default_value: np.where(x > threshold, dy, 0), needs_input=True)
def threshold(x: Array, threshold: float, default_value: float) -> Array:
    """x where x > threshold, else default_value.

    Having no defaults, it cannot be named alone: give its arguments by functools.partial or in a config.

    Example:
        >>> import functools, tconv
        >>> function = functools.partial(tconv.activations.threshold, threshold=1, default_value=-1)
        >>> function([0.5, 2.0]).tolist()
        [-1.0, 2.0]
    """
    edge = _args.number("threshold", "threshold", threshold)
    return np.where(x <= edge, _args.number("threshold", "default_value", default_value), x)


@activation(lambda x, y, dy: dy * np.sqrt(np.minimum(y, 1)))
def sparse_plus(x: Array) -> Array:
    """0 up to -1, (x + 1)**2 / 4 up to 1, and x from there: the integral of sparse_sigmoid.

    Source: Blondel, Martins and Niculae (2019), arXiv:1901.02324.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.sparse_plus(np.float32([-2, 0, 2])).tolist()
        [0.0, 0.25, 2.0]
    """
    return np.where(x >= 1, x, np.square(np.maximum(x, -1) + 1) / 4)


@activation(lambda x, y, dy: np.where((y > 0) & (y < 1), dy / 2, 0))
def sparse_sigmoid(x: Array) -> Array:
    """min(max((x + 1) / 2, 0), 1). Blondel, Martins and Niculae (2019), arXiv:1901.02324.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.sparse_sigmoid(np.float32([-2, 0, 2])).tolist()
        [0.0, 0.5, 1.0]
    """
    return np.asarray(np.clip((x + 1) / 2, 0, 1))
