"""Projections of weights onto a permitted set, with Keras' names, config keys, defaults and formulae.

A constraint maps an array to a new array of the same shape and dtype. Its arguments raise TypeError where they are no
numbers. Norms are Euclidean, over `axis` (an int or
several); n + epsilon with epsilon = `tconv.config.epsilon()` stands in each denominator, as in Keras.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tconv import config as _config
from tconv._registry import Configurable, Family, Objects, real

Array = np.ndarray[Any, np.dtype[Any]]
Axis = int | Sequence[int]


class Constraint(Configurable):
    """Base class: override `__call__(w)`."""

    def __call__(self, w: Any) -> Any:
        """The projected weights."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(w).")


class MaxNorm(Constraint):
    """Norms of at most `max_value`.

    Example:
        >>> MaxNorm(1.0)(np.array([[3.0], [4.0]])).round(3)
        array([[0.6],
               [0.8]])
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        self.max_value = real(self, "max_value", max_value)
        self.axis = _axes(self, axis)

    def __call__(self, w: Any) -> Array:
        w, norms = _norms(w, self.axis)
        return _scaled(w, np.clip(norms, 0, self.max_value), norms)


class MinMaxNorm(Constraint):
    """Norms moved by the fraction `rate` of the way into [min_value, max_value]."""

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0) -> None:
        self.min_value = real(self, "min_value", min_value)
        self.max_value = real(self, "max_value", max_value)
        self.rate = real(self, "rate", rate)
        self.axis = _axes(self, axis)

    def __call__(self, w: Any) -> Array:
        w, norms = _norms(w, self.axis)
        wanted = self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return _scaled(w, wanted, norms)


class NonNeg(Constraint):
    """Negative weights become zero.

    Example:
        >>> NonNeg()(np.float32([-1, 2]))
        array([0., 2.], dtype=float32)
    """

    def __call__(self, w: Any) -> Array:
        w = np.asarray(w)
        return np.asarray(np.maximum(w, w.dtype.type(0)))


class UnitNorm(Constraint):
    """Norms of 1."""

    def __init__(self, axis: Axis = 0) -> None:
        self.axis = _axes(self, axis)

    def __call__(self, w: Any) -> Array:
        w, norms = _norms(w, self.axis)
        return _scaled(w, np.ones_like(norms), norms)


def _axes(owner: Constraint, axis: Any) -> int | tuple[int, ...]:
    try:
        return operator.index(axis) if hasattr(axis, "__index__") else tuple(operator.index(entry) for entry in axis)
    except TypeError:
        raise TypeError(f"{type(owner).__name__}: axis={axis!r} must be an integer or several.") from None


def _norms(w: Any, axis: int | tuple[int, ...]) -> tuple[Array, Array]:
    w = np.asarray(w)
    wide = w.astype(np.float32) if w.dtype.itemsize == 2 else w
    return w, np.asarray(np.sqrt(np.sum(np.square(wide), axis=axis, keepdims=True)))


def _scaled(w: Array, wanted: Array, norms: Array) -> Array:
    return np.asarray(w * (wanted / (norms + norms.dtype.type(_config.epsilon())))).astype(w.dtype, copy=False)


_FAMILY: Family[Callable[..., Any]] = Family("constraint", "keras.constraints", [MaxNorm, MinMaxNorm, NonNeg, UnitNorm])


def get(identifier: Any) -> Callable[..., Any] | None:
    """The constraint named: a name, a config, a class, an instance or a callable; None is none.

    Raises:
        ValueError: it is none of these, or the name is unknown.

    Example:
        >>> get("non_neg"), get("MaxNorm")
        (NonNeg(), MaxNorm())
    """
    return _FAMILY.get(identifier)


def serialize(constraint: Any) -> Any:
    """Keras' config of a constraint.

    Example:
        >>> from tconv import constraints
        >>> constraints.serialize(constraints.MaxNorm(3))["config"]
        {'max_value': 3, 'axis': 0}
    """
    return _FAMILY.serialize(constraint)


def deserialize(config: Any, custom_objects: Objects | None = None) -> Callable[..., Any] | None:
    """The constraint of a config or name.

    Raises:
        ValueError: the config is not one, or names nothing known.

    Example:
        >>> from tconv import constraints
        >>> constraints.deserialize({"class_name": "MaxNorm", "config": {"max_value": 3}}).max_value
        3
    """
    return _FAMILY.deserialize(config, custom_objects)
