"""Losses as functions: one value per entry of all axes but the last, and what each differentiates to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from tconv import _args, _convert
from tconv import config as _config
from tconv._args import ShapeError
from tconv._convert import Array

__all__ = ["binary_crossentropy", "huber", "mean_absolute_error", "mean_squared_error"]


class Rule(NamedTuple):
    """A loss, element by element, of arrays of one shape and of float32 or float64."""

    values: Callable[..., Array]
    """`(y_true, y_pred, **arguments)` -> what is averaged over the last axis."""
    slopes: Callable[..., Array]
    """`(y_true, y_pred, **arguments)` -> the derivative of that by y_pred; a new array."""


class Pair(NamedTuple):
    """Targets and predictions, of one shape, in the dtype that a loss is computed in."""

    y_true: Array
    y_pred: Array
    given: Array
    """y_pred as it was given."""

    def restored(self, gradient: Array) -> Array:
        """A gradient by `y_pred` as one by what was given."""
        dtype = self.given.dtype if self.given.dtype.kind not in "biu" else gradient.dtype
        return gradient.reshape(self.given.shape).astype(dtype, copy=False)


def aligned(name: str, y_true: Any, y_pred: Any, dtype: np.dtype[Any] | None = None) -> Pair:
    """Targets and predictions of one shape: an axis of extent 1 at the end is added or left out, as in Keras.

    Raises:
        ValueError: their shapes differ otherwise, or have no axis.
        TypeError: they are not arrays of real numbers.
    """
    true, given = _convert.to_array(name, "y_true", y_true), _convert.to_array(name, "y_pred", y_pred)
    if dtype is None:
        dtype = _convert.common_dtype(name, [("y_pred", given)])
    dtype = np.dtype(np.float32) if dtype.itemsize == 2 else dtype
    pred = given
    for larger, smaller in ((true, pred), (pred, true)):
        if larger.ndim == smaller.ndim + 1 and larger.shape[-1] == 1:
            if smaller.ndim == 1:
                smaller = smaller[:, None]
            else:
                larger = larger[..., 0]
            true, pred = (larger, smaller) if true.ndim > pred.ndim else (smaller, larger)
            break
    if true.shape != pred.shape or not pred.ndim:
        raise ShapeError(
            f"{name}: y_true must have y_pred's shape {given.shape}, of at least one axis, not {np.shape(y_true)}."
        )
    return Pair(true.astype(dtype, copy=False), pred.astype(dtype, copy=False), given)


def means(values: Array, axis: int) -> Array:
    """The means over an axis; 0 where there is nothing."""
    result: Array = np.sum(values, axis=axis) / values.dtype.type(max(values.shape[axis], 1))
    return result


def checked_axis(name: str, axis: Any, ndim: int) -> int:
    """An axis of an array of `ndim` axes, from 0.

    Raises:
        ValueError: there is none of that number.
    """
    number = _args.integer(name, "axis", axis)
    if not -ndim <= number < ndim:
        raise ShapeError(f"{name}: axis={number} is none of y_pred's {ndim} axes.")
    return number % ndim


def _computed(function: Callable[..., Any], y_true: Any, y_pred: Any, axis: Any = -1, **arguments: Any) -> Array:
    name = function.__name__
    pair = aligned(name, y_true, y_pred)
    axis = checked_axis(name, axis, pair.y_pred.ndim)
    with np.errstate(all="ignore"):
        return np.asarray(means(rules[function].values(pair.y_true, pair.y_pred, **arguments), axis))


def mean_squared_error(y_true: Any, y_pred: Any) -> Array:
    """The mean of `(y_true - y_pred)**2` over the last axis.

    Args:
        y_true: targets, (batch, ..., n).
        y_pred: predictions, of the same shape; 16-bit types are computed in float32.

    Returns:
        (batch, ...).

    Raises:
        ValueError: the shapes differ.
        TypeError: the arguments are not arrays of real numbers.

    Example:
        >>> mean_squared_error([[1.0, 2.0]], [[1.0, 4.0]]).tolist()
        [2.0]
    """
    return _computed(mean_squared_error, y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Array:
    """The mean of `|y_true - y_pred|` over the last axis.

    Args, Returns and Raises: as for `mean_squared_error`.

    Example:
        >>> mean_absolute_error([[1.0, 2.0]], [[1.0, 4.0]]).tolist()
        [1.0]
    """
    return _computed(mean_absolute_error, y_true, y_pred)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Array:
    """The mean over the last axis of e**2 / 2 for errors |e| <= delta, and of delta * (|e| - delta / 2) beyond.

    Args:
        y_true: targets, (batch, ..., n).
        y_pred: predictions, of the same shape; 16-bit types are computed in float32.
        delta: above 0, where the square becomes linear.

    Returns:
        (batch, ...).

    Raises:
        ValueError: the shapes differ, or delta is not positive.
        TypeError: the arguments are not real numbers.

    Source: Huber, Annals of Mathematical Statistics 35 (1964).

    Example:
        >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
        [1.5]
    """
    return _computed(huber, y_true, y_pred, delta=checked_delta(delta))


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """The mean over an axis of `-y_true * log(p) - (1 - y_true) * log(1 - p)`.

    Args:
        y_true: targets in 0..1, (batch, ..., n).
        y_pred: probabilities p, of the same shape, taken as within `tconv.config.epsilon()` of 0 and 1 at most; or
            logits. 16-bit types are computed in float32.
        from_logits: whether y_pred are logits: p = sigmoid(y_pred).
        label_smoothing: s in 0..1: y_true becomes `y_true * (1 - s) + s / 2`.
        axis: which axis the mean is over.

    Returns:
        The shape of y_pred without that axis.

    Raises:
        ValueError: the shapes differ, or an argument is not valid.
        TypeError: the arguments are not real numbers.

    Example:
        >>> binary_crossentropy([[1.0, 0.0]], [[0.5, 0.5]]).round(4).tolist()
        [0.6931]
    """
    arguments = {"from_logits": bool(from_logits), "label_smoothing": checked_smoothing(label_smoothing)}
    return _computed(binary_crossentropy, y_true, y_pred, axis, **arguments)


def checked_delta(delta: Any) -> float:
    """Huber's delta."""
    number = _args.number("huber", "delta", delta)
    if not 0 < number < np.inf:
        raise ValueError(f"huber: delta={number} must be a positive number.")
    return number


def checked_smoothing(smoothing: Any) -> float:
    """The label smoothing of a cross-entropy."""
    number = _args.number("binary_crossentropy", "label_smoothing", smoothing)
    if not 0 <= number <= 1:
        raise ValueError(f"binary_crossentropy: label_smoothing={number} must be from 0 to 1.")
    return number


def _huber_values(y_true: Array, y_pred: Array, delta: float) -> Array:
    error: Array = np.abs(y_pred - y_true)
    inner = np.minimum(error, error.dtype.type(delta))
    return np.asarray(inner * (error - inner / 2))


def _smoothed(y_true: Array, smoothing: float) -> Array:
    if not smoothing:
        return y_true
    return np.asarray(y_true * y_true.dtype.type(1 - smoothing) + y_true.dtype.type(smoothing / 2))


def _crossentropy(y_true: Array, y_pred: Array, from_logits: bool, label_smoothing: float) -> Array:
    true = _smoothed(y_true, label_smoothing)
    if from_logits:
        return np.asarray(np.maximum(y_pred, 0) - y_pred * true + np.log1p(np.exp(-np.abs(y_pred))))
    p = np.clip(y_pred, *_probabilities(y_pred))
    return np.asarray(-(true * np.log(p) + (1 - true) * np.log(1 - p)))


def _crossentropy_slopes(y_true: Array, y_pred: Array, from_logits: bool, label_smoothing: float) -> Array:
    true = _smoothed(y_true, label_smoothing)
    if from_logits:
        small = np.exp(-np.abs(y_pred))
        return np.asarray(np.where(y_pred >= 0, 1, small) / (1 + small) - true)
    least, most = _probabilities(y_pred)
    p = np.clip(y_pred, least, most)
    slopes: Array = (p - true) / (p * (1 - p))
    slopes[(y_pred < least) | (y_pred > most)] = 0
    return slopes


def _probabilities(y_pred: Array) -> tuple[Any, Any]:
    epsilon = y_pred.dtype.type(_config.epsilon())
    return epsilon, 1 - epsilon


rules: Mapping[Callable[..., Any], Rule] = MappingProxyType(
    {
        mean_squared_error: Rule(lambda t, p: np.square(p - t), lambda t, p: (p - t) * p.dtype.type(2)),
        mean_absolute_error: Rule(lambda t, p: np.abs(p - t), lambda t, p: np.sign(p - t)),
        huber: Rule(_huber_values, lambda t, p, delta: np.clip(p - t, p.dtype.type(-delta), p.dtype.type(delta))),
        binary_crossentropy: Rule(_crossentropy, _crossentropy_slopes),
    }
)
"""Every function of the family."""

for _function in rules:
    _function.__module__ = "tconv.losses"  # where users find it
