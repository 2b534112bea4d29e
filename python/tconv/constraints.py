"""Projections of weights onto a permitted set, with Keras' names, config keys, defaults and formulae.

A constraint maps an array to a new one of the same shape and float dtype; integers become the default float type, and
16-bit types are computed in float32. Its arguments raise TypeError where they are no numbers.

Norms n are Euclidean, over `axis`: an integer, or several. For the norm of each filter of a transposed convolution's
kernel, (*kernel_size, filters, channels), that is all but the filters' axis: (0, 1, 3) in two dimensions. Where n is
divided by, it is n + `tconv.config.epsilon()`, as in Keras.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tconv import _convert
from tconv import config as _config
from tconv._registry import Configurable, Family, Objects, real

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]

Array = np.ndarray[Any, np.dtype[Any]]
Axis = int | Sequence[int]


class Constraint(Configurable):
    """Base class: override `__call__(w)`. By itself it leaves weights as they are.

    Example:
        >>> import tconv
        >>> class Whole(tconv.constraints.Constraint):
        ...     def __call__(self, w):
        ...         return np.round(w)
        >>> Whole()(np.float32([0.2, 0.9]))
        array([0., 1.], dtype=float32)
    """

    def __call__(self, w: Any) -> Any:
        """The projected weights."""
        return w


class MaxNorm(Constraint):
    """Norms of at most `max_value`: w * min(n, max_value) / n.

    Args:
        max_value: the largest norm.
        axis: the axes that a norm is taken over.

    Source: Srivastava et al. (2014), Dropout, section 5.1.

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
    """Norms moved by the fraction `rate` of the way into [min_value, max_value].

    w * (rate * clip(n, min_value, max_value) + (1 - rate) * n) / n.

    Args:
        min_value: the smallest norm.
        max_value: the largest norm.
        rate: 1 to put norms there at once.
        axis: the axes that a norm is taken over.

    Example:
        >>> MinMaxNorm(0.5, 1.0, rate=0.5)(np.float64([[2.0], [0.0]])).round(3).tolist()
        [[1.5], [0.0]]
    """

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
        w = _floating(w)
        return np.asarray(np.maximum(w, w.dtype.type(0)))


class UnitNorm(Constraint):
    """Norms of 1: w / n.

    Args:
        axis: the axes that a norm is taken over.

    Example:
        >>> UnitNorm()(np.float64([[3.0], [4.0]])).round(6).tolist()
        [[0.6], [0.8]]
    """

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


def _floating(w: Any) -> Array:
    array = np.asarray(w)
    return array.astype(_convert.compute_dtype("constraints", _config.floatx())) if array.dtype.kind in "biu" else array


def _norms(w: Any, axis: int | tuple[int, ...]) -> tuple[Array, Array]:
    w = _floating(w)
    wide = w.astype(np.float32) if w.dtype.itemsize == 2 else w
    return w, np.asarray(np.sqrt(np.sum(np.square(wide), axis=axis, keepdims=True)))


def _scaled(w: Array, wanted: Array, norms: Array) -> Array:
    scale = wanted / (norms + norms.dtype.type(_config.epsilon()))
    return np.asarray(w.astype(norms.dtype, copy=False) * scale).astype(w.dtype, copy=False)


max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

_FAMILY: Family[Callable[..., Any]] = Family(
    "constraint", "keras.constraints", [Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm]
)


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
