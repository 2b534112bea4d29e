"""Activation functions of several elements along an axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tconv import _args
from tconv._convert import Array
from tconv.activations.curves import logistic
from tconv.activations.function import activation

__all__ = ["glu", "log_softmax", "softmax", "sparsemax"]


def _softmax_derivative(x: Any, y: Array, dy: Array, axis: Any = -1) -> Array:
    return np.asarray(y * (dy - np.sum(y * dy, axis=_axes("softmax", y, axis), keepdims=True)))


@activation(_softmax_derivative)
def softmax(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """exp(x) / sum(exp(x)), the sum over `axis`.

    Args:
        x: array of at least one axis.
        axis: the axis, or axes, over which the result sums to 1.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.softmax(np.float32([1000, 1000])).tolist()
        [0.5, 0.5]
    """
    axes = _axes("softmax", x, axis)
    powers = np.exp(_shifted(x, axes))
    return np.asarray(powers / powers.sum(axis=axes, keepdims=True))


def _log_softmax_derivative(x: Any, y: Array, dy: Array, axis: Any = -1) -> Array:
    return np.asarray(dy - np.exp(y) * np.sum(dy, axis=_axes("log_softmax", y, axis), keepdims=True))


@activation(_log_softmax_derivative)
def log_softmax(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """log(softmax(x, axis)).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.log_softmax(np.float32([0, 1000])).tolist()
        [-1000.0, 0.0]
    """
    axes = _axes("log_softmax", x, axis)
    shifted = _shifted(x, axes)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=axes, keepdims=True)))


def _sparsemax_derivative(x: Any, y: Array, dy: Array, axis: Any = -1) -> Array:
    number = _axis("sparsemax", y, axis)
    support = y > 0
    count = np.maximum(np.sum(support, axis=number, keepdims=True), 1)
    mean = np.sum(np.where(support, dy, 0), axis=number, keepdims=True) / count
    return np.where(support, dy - mean, 0).astype(dy.dtype, copy=False)


@activation(_sparsemax_derivative)
def sparsemax(x: Array, axis: int = -1) -> Array:
    """The point of the probability simplex that is nearest to x along `axis`: like softmax, with exact zeros.

    Source: Martins and Astudillo (2016), arXiv:1602.02068, algorithm 1. Keras 3.15 gives less where more than one
    element is above 0, and the result does not sum to 1 (its issue 23425).

    Args:
        x: array of at least one axis.
        axis: the axis over which the result sums to 1.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.sparsemax(np.float32([-1, 0, 0.5])).tolist()
        [0.0, 0.25, 0.75]
    """
    number = _axis("sparsemax", x, axis)
    rows = np.moveaxis(_shifted(x, (number,)), number, -1)  # moving x along (1, 1, ..) changes nothing
    descending = -np.sort(-rows, axis=-1)
    sums = np.cumsum(descending, axis=-1) - 1
    support = np.arange(1, rows.shape[-1] + 1) * descending > sums
    count = np.maximum(support.sum(axis=-1, keepdims=True), 1)
    sum_of_support = np.take_along_axis(sums, count - 1, axis=-1) if rows.shape[-1] else sums
    nearest = np.maximum(rows - sum_of_support / count, 0).astype(x.dtype, copy=False)
    return np.asarray(np.moveaxis(nearest, -1, number))


def _glu_derivative(x: Array, y: Any, dy: Array, axis: Any = -1) -> Array:
    number = _axis("glu", x, axis)
    a, b = np.split(x, 2, number)
    s = logistic(b)
    return np.concatenate([dy * s, dy * a * (s * (1 - s))], axis=number)


@activation(_glu_derivative, needs_input=True, keeps_shape=False)
def glu(x: Array, axis: int = -1) -> Array:
    """a * sigmoid(b) for the two halves a and b of x along `axis`: the result is half as long there.

    Source: Dauphin et al., arXiv:1612.08083.

    Args:
        x: array, of even extent along `axis`.
        axis: the axis that is halved.

    Raises:
        ValueError: the extent along `axis` is odd.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.glu(np.float32([2, 4, 0, 0])).tolist()
        [1.0, 2.0]
    """
    number = _axis("glu", x, axis)
    if x.shape[number] % 2:
        _args.fail("glu", f"x has the extent {x.shape[number]} along axis {axis}, which must be even", ValueError)
    a, b = np.split(x, 2, number)
    return np.asarray(a * logistic(b))


def _shifted(x: Array, axes: tuple[int, ...]) -> Array:
    """x less its maximum over the axes, so that exp cannot overflow."""
    return np.asarray(x - x.max(axis=axes, keepdims=True, initial=-math.inf))


def _axis(name: str, x: Array, axis: Any) -> int:
    return _axes(name, x, _args.integer(name, "axis", axis))[0]


def _axes(name: str, x: Array, axis: Any) -> tuple[int, ...]:
    """`axis` as a tuple of different axes of x."""
    entries = axis if isinstance(axis, (tuple, list)) else (axis,)
    numbers = tuple(_args.integer(name, "axis", entry) for entry in entries)
    if not all(-x.ndim <= number < x.ndim for number in numbers) or len({n % x.ndim for n in numbers}) < len(numbers):
        legal = f"an axis, or a tuple of different axes, of an array of shape {x.shape}"
        _args.fail(name, f"axis={_args.show(axis)} must be {legal}", ValueError)
    return numbers
