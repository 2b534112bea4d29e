"""Penalties on weights and outputs, with Keras' names, config keys and defaults.

A regularizer maps an array to a number. float16 and bfloat16 arrays are summed in float32. For training each has its
derivative: see `gradient`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tconv._registry import Configurable, Family, Objects

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "gradient",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]

Array = np.ndarray[Any, np.dtype[Any]]


class Regularizer(Configurable):
    """Base class: override `__call__(x)` and, for training, `gradient(x)`. By itself it is no penalty.

    Example:
        >>> import tconv
        >>> class Mean(tconv.regularizers.Regularizer):
        ...     def __call__(self, x):
        ...         return np.square(np.mean(x))
        ...     def gradient(self, x):
        ...         return np.full_like(x, 2 * np.mean(x) / np.size(x))
        >>> float(Mean()(np.float32([1, 3]))), Mean().gradient(np.float32([1, 3]))
        (4.0, array([2., 2.], dtype=float32))
    """

    def __call__(self, x: Any) -> Any:
        """The penalty, a scalar of x's dtype (float32 for narrower ones)."""
        return 0.0

    def gradient(self, x: Any) -> Array:
        """The penalty's derivative by x, of x's shape and float dtype."""
        return np.zeros_like(_narrowed(_summable(x), x))


class L1L2(Regularizer):
    """`l1 * sum(|x|) + l2 * sum(x**2)`.

    Args:
        l1: factor of the sum of absolute values, at least 0.
        l2: factor of the sum of squares, at least 0.

    Raises:
        ValueError: a factor is negative, not finite or not a number.

    Example:
        >>> float(L1L2(l1=1.0, l2=0.5)([3.0, -4.0]))
        19.5
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _factor("l1", 0.0 if l1 is None else l1)
        self.l2 = _factor("l2", 0.0 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        x = _summable(x)
        total = x.dtype.type(0)
        if self.l1:
            total += x.dtype.type(self.l1) * np.sum(np.abs(x))
        if self.l2:
            total += x.dtype.type(self.l2) * np.sum(np.square(x))
        return total

    def gradient(self, x: Any) -> Array:
        """`l1 * sign(x) + 2 * l2 * x`."""
        wide = _summable(x)
        return _narrowed(self.l1 * np.sign(wide) + (2 * self.l2) * wide, x)


class L1(Regularizer):
    """`l1 * sum(|x|)`.

    Args:
        l1: at least 0; None for 0.01.

    Raises:
        ValueError: the factor is negative, not finite or not a number.

    Example:
        >>> float(L1(0.5)(np.float32([1, -2])))
        1.5
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = _factor("l1", 0.01 if l1 is None else l1)

    def __call__(self, x: Any) -> Any:
        x = _summable(x)
        return x.dtype.type(self.l1) * np.sum(np.abs(x))

    def gradient(self, x: Any) -> Array:
        """`l1 * sign(x)`."""
        return _narrowed(self.l1 * np.sign(_summable(x)), x)


class L2(Regularizer):
    """`l2 * sum(x**2)`.

    Args:
        l2: at least 0; None for 0.01.

    Raises:
        ValueError: the factor is negative, not finite or not a number.

    Example:
        >>> float(L2(0.5)(np.float32([1, 2])))
        2.5
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = _factor("l2", 0.01 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        x = _summable(x)
        return x.dtype.type(self.l2) * np.sum(np.square(x))

    def gradient(self, x: Any) -> Array:
        """`2 * l2 * x`."""
        return _narrowed((2 * self.l2) * _summable(x), x)


class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean |cosine| between the rows (or columns) of a matrix, each with every other.

    Args:
        factor: at least 0.
        mode: "rows" or "columns".

    Raises:
        ValueError: the factor or mode is not valid; on call, if x has not two axes.

    Example:
        >>> regularizer = OrthogonalRegularizer(1.0)
        >>> float(regularizer(np.float64([[1, 0], [0, 2]]))), float(regularizer(np.float64([[1, 0], [2, 0]])))
        (0.0, 1.0)
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor("factor", factor)
        if mode not in ("rows", "columns"):
            raise ValueError(
                f'Invalid value for argument `mode`. Expected one of {{"rows", "columns"}}. Received: mode={mode}'
            )
        self.mode = mode

    def __call__(self, x: Any) -> Any:
        unit, _ = self._unit_rows(_summable(x))
        cosines = np.abs(unit @ unit.T)
        return unit.dtype.type(self._weight(unit)) * (np.sum(cosines) - np.sum(np.diagonal(cosines)))

    def gradient(self, x: Any) -> Array:
        """The derivative by x; 0 where two rows are orthogonal."""
        unit, norms = self._unit_rows(_summable(x))
        signs = np.sign(unit @ unit.T)
        np.fill_diagonal(signs, 0)
        by_unit = (2 * self._weight(unit)) * (signs @ unit)
        along = np.where(norms > _TINY, np.sum(by_unit * unit, axis=1, keepdims=True), 0)
        by_rows = (by_unit - along * unit) / np.maximum(norms, unit.dtype.type(_TINY))
        return _narrowed(by_rows if self.mode == "rows" else by_rows.T, x)

    def _unit_rows(self, x: Array) -> tuple[Array, Array]:
        """The vectors that shall be orthogonal, as rows of length 1, and their lengths."""
        if x.ndim != 2:
            raise ValueError(f"Inputs to OrthogonalRegularizer must have rank 2. Received: inputs.shape={x.shape}")
        rows = x if self.mode == "rows" else x.T
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.maximum(norms, x.dtype.type(_TINY)), norms

    def _weight(self, rows: Array) -> float:
        """What one cosine counts; every pair of rows has two."""
        return self.factor / max(1, len(rows) * (len(rows) - 1))


_TINY = 1e-12  # Keras' least length of a vector that is made a unit vector


def _factor(name: str, value: Any) -> float:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise ValueError(f"Invalid value for argument {name}: expected a non-negative float. Received: {name}={value}")
    return float(value)


def _summable(x: Any) -> Array:
    array: Array = np.asarray(x)
    if array.dtype in (np.float32, np.float64):
        return array
    return array.astype(np.float64 if array.dtype.kind in "biu" else np.float32)


def _narrowed(gradient: Array, x: Any) -> Array:
    """`gradient` in x's dtype, if that is a float type."""
    dtype = np.asarray(x).dtype
    return gradient if dtype.kind in "biu" else gradient.astype(dtype, copy=False)


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer

_FAMILY: Family[Callable[..., Any]] = Family(
    "regularizer", "keras.regularizers", [L1, L2, L1L2, OrthogonalRegularizer, Regularizer]
)


def get(identifier: Any) -> Callable[..., Any] | None:
    """The regularizer named: a name, a config, a class, an instance or a callable; None is none.

    Raises:
        ValueError: it is none of these, or the name is unknown.

    Example:
        >>> get("l2"), get({"class_name": "L1", "config": {"l1": 0.5}})
        (L2(), L1(l1=0.5))
    """
    return _FAMILY.get(identifier)


def gradient(regularizer: Any, x: Any) -> Array:
    """The derivative of a regularizer's penalty by x.

    Args:
        regularizer: one of this module's, or a callable with a method `gradient(x)` of its own; None for no penalty.
        x: array.

    Returns:
        A new array of x's shape and float dtype.

    Raises:
        TypeError: the callable has no method `gradient`, or one that was inherited with another penalty.
        ValueError: what it gave has another shape than x.

    Example:
        >>> gradient(L2(0.5), np.float32([1, 2]))
        array([1., 2.], dtype=float32)
    """
    array = np.asarray(x)
    if regularizer is None:
        return np.zeros_like(_narrowed(_summable(array), array))
    if not _has_gradient(regularizer):
        raise TypeError(
            f"The regularizer {regularizer!r} cannot be differentiated: give it a method gradient(x), the derivative "
            "of its penalty by x, defined in the class that defines its __call__."
        )
    result = np.asarray(regularizer.gradient(x))
    if result.shape != array.shape:
        raise ValueError(f"{regularizer!r}: gradient(x) has the shape {result.shape}, but x has {array.shape}.")
    return result


def _has_gradient(regularizer: Any) -> bool:
    """Whether there is a derivative, and it is that of the penalty: a subclass may have changed the one alone."""
    cls = type(regularizer)
    for base in cls.__mro__:
        if "gradient" in base.__dict__:
            return callable(regularizer.gradient)
        if "__call__" in base.__dict__ and issubclass(base, Regularizer):
            return False
    return callable(getattr(regularizer, "gradient", None))


def serialize(regularizer: Any) -> Any:
    """Keras' config of a regularizer.

    Example:
        >>> from tconv import regularizers
        >>> regularizers.serialize(regularizers.L2(0.5))["config"]
        {'l2': 0.5}
    """
    return _FAMILY.serialize(regularizer)


def deserialize(config: Any, custom_objects: Objects | None = None) -> Callable[..., Any] | None:
    """The regularizer of a config or name.

    Raises:
        ValueError: the config is not one, or names nothing known.

    Example:
        >>> from tconv import regularizers
        >>> regularizers.deserialize({"class_name": "L2", "config": {"l2": 0.5}}).l2
        0.5
    """
    return _FAMILY.deserialize(config, custom_objects)
