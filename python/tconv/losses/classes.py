"""Losses as classes, with Keras' names, configs and defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tconv import _args
from tconv._convert import Array
from tconv.losses import functions
from tconv.losses.base import Loss
from tconv.losses.functions import checked_axis, means, rules


class LossFunction(Loss):
    """A loss that is one of the functions of this module."""

    _function: Callable[..., Any]
    axis: int = -1

    def _arguments(self) -> dict[str, Any]:
        """What the rule's formulas take."""
        return {}

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """The function's values."""
        axis = checked_axis(self.name, self.axis, y_pred.ndim)
        return means(rules[self._function].values(y_true, y_pred, **self._arguments()), axis)

    def call_vjp(self, y_true: Array, y_pred: Array) -> tuple[Array, Callable[[Any], Any]]:
        """The function's values and their pullback."""
        axis = checked_axis(self.name, self.axis, y_pred.ndim)

        def back(dvalues: Array) -> Array:
            slopes = rules[self._function].slopes(y_true, y_pred, **self._arguments())
            slopes *= np.expand_dims(dvalues / dvalues.dtype.type(max(y_pred.shape[axis], 1)), axis)
            return slopes

        return self.call(y_true, y_pred), back


class MeanSquaredError(LossFunction):
    """The mean of `(y_true - y_pred)**2`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> float(MeanSquaredError()([[1.0, 2.0]], [[1.0, 4.0]]))
        2.0
    """

    _function = staticmethod(functions.mean_squared_error)

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "mean_squared_error", dtype: Any = None
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)


class MeanAbsoluteError(LossFunction):
    """The mean of `|y_true - y_pred|`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> float(MeanAbsoluteError()([[1.0, 2.0]], [[1.0, 4.0]]))
        1.0
    """

    _function = staticmethod(functions.mean_absolute_error)

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "mean_absolute_error", dtype: Any = None
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)


class Huber(LossFunction):
    """The mean of e**2 / 2 for errors |e| <= delta, and of delta * (|e| - delta / 2) beyond.

    The config has `delta`, which Keras 3.15 reads and does not write.

    Args:
        delta: above 0.
        reduction, name, dtype: see `Loss`.

    Raises:
        ValueError: delta is not positive.

    Example:
        >>> float(Huber()([[0.0, 0.0]], [[1.0, 3.0]]))
        1.5
    """

    _function = staticmethod(functions.huber)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.delta = functions.checked_delta(delta)

    def _arguments(self) -> dict[str, Any]:
        return {"delta": self.delta}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "delta": self.delta}


class BinaryCrossentropy(LossFunction):
    """The mean of `-y_true * log(p) - (1 - y_true) * log(1 - p)`.

    Args:
        from_logits: whether y_pred are logits and p = sigmoid(y_pred), instead of probabilities.
        label_smoothing: s in 0..1: y_true becomes `y_true * (1 - s) + s / 2`.
        axis: which axis a value is the mean of.
        reduction, name, dtype: see `Loss`.

    Raises:
        ValueError: an argument is not valid.

    Example:
        >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0, 0.0]], [[0.0, 0.0]])), 4)
        0.6931
    """

    _function = staticmethod(functions.binary_crossentropy)

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not isinstance(from_logits, (bool, np.bool_)):
            raise ValueError(f"BinaryCrossentropy: from_logits={_args.show(from_logits)} must be a boolean.")
        self.from_logits = bool(from_logits)
        self.label_smoothing = functions.checked_smoothing(label_smoothing)
        self.axis = _args.integer("BinaryCrossentropy", "axis", axis)

    def _arguments(self) -> dict[str, Any]:
        return {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis}
        return {**super().get_config(), **own}


CLASSES = (MeanSquaredError, MeanAbsoluteError, Huber, BinaryCrossentropy)

for _class in (*CLASSES, Loss):
    _class.__module__ = "tconv.losses"  # where users find it
