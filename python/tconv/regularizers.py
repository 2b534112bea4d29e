"""Penalties on weights and outputs, with Keras' names, config keys and defaults.

A regularizer maps an array to a number. float16 and bfloat16 arrays are summed in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tconv._registry import Configurable, Family, Objects

Array = np.ndarray[Any, np.dtype[Any]]


class Regularizer(Configurable):
    """Base class: override `__call__(x)`."""

    def __call__(self, x: Any) -> Any:
        """The penalty, a scalar of x's dtype (float32 for narrower ones)."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(x).")


class L1L2(Regularizer):
    """`l1 * sum(|x|) + l2 * sum(x**2)`.

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


class L1(Regularizer):
    """`l1 * sum(|x|)`."""

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = _factor("l1", 0.01 if l1 is None else l1)

    def __call__(self, x: Any) -> Any:
        x = _summable(x)
        return x.dtype.type(self.l1) * np.sum(np.abs(x))


class L2(Regularizer):
    """`l2 * sum(x**2)`.

    Example:
        >>> float(L2(0.5)(np.float32([1, 2])))
        2.5
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = _factor("l2", 0.01 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        x = _summable(x)
        return x.dtype.type(self.l2) * np.sum(np.square(x))


class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean |cosine| between the rows (or columns) of a matrix, each with every other.

    Raises:
        ValueError: the factor or mode is not valid; on call, if x has not two axes.
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor("factor", factor)
        if mode not in ("rows", "columns"):
            raise ValueError(f"Invalid value for argument `mode`: expected 'rows' or 'columns'. Received: mode={mode}")
        self.mode = mode

    def __call__(self, x: Any) -> Any:
        x = _summable(x)
        if x.ndim != 2:
            raise ValueError(f"Inputs to OrthogonalRegularizer must have rank 2. Received: inputs.shape={x.shape}")
        rows = x if self.mode == "rows" else x.T
        unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), x.dtype.type(1e-12))
        product = unit @ unit.T
        pairs = len(rows) * (len(rows) - 1) / 2
        off_diagonal = np.sum(np.abs(product)) - np.sum(np.abs(np.diagonal(product)))
        return x.dtype.type(self.factor) * off_diagonal / x.dtype.type(2 * pairs) if pairs else x.dtype.type(0)


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


_FAMILY: Family[Callable[..., Any]] = Family("regularizer", "keras.regularizers", [L1, L2, L1L2, OrthogonalRegularizer])


def get(identifier: Any) -> Callable[..., Any] | None:
    """The regularizer named: a name, a config, a class, an instance or a callable; None is none.

    Raises:
        ValueError: it is none of these, or the name is unknown.

    Example:
        >>> get("l2"), get({"class_name": "L1", "config": {"l1": 0.5}})
        (L2(), L1(l1=0.5))
    """
    return _FAMILY.get(identifier)


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
