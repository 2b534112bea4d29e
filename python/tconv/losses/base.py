"""Loss: values reduced to one number, and its gradient by the predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tconv import _args, _convert
from tconv._args import ShapeError
from tconv._convert import Array
from tconv._registry import Configurable, snake_case
from tconv.losses.functions import aligned

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss(Configurable):
    """Base class: override `call(y_true, y_pred)` and, for training, `call_vjp(y_true, y_pred)`.

    Args:
        name: None for the class's name in snake case.
        reduction: "sum_over_batch_size" or "mean", the mean of all values; "sum"; "mean_with_sample_weight", their sum
            divided by that of the weights; None or "none" for the values themselves.
        dtype: what is computed in; None for the dtype of y_pred, float32 for 16-bit types.

    Raises:
        ValueError: an argument is not one of these.

    Example:
        >>> import numpy as np, tconv
        >>> class Cubes(tconv.losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         return np.mean(np.abs(y_pred - y_true) ** 3, axis=-1)
        ...     def call_vjp(self, y_true, y_pred):
        ...         e = y_pred - y_true
        ...         return self.call(y_true, y_pred), lambda dv: dv[..., None] * 3 * e * np.abs(e) / e.shape[-1]
        >>> loss = Cubes()
        >>> float(loss([[1.0]], [[3.0]])), loss.name
        (8.0, 'cubes')
        >>> value, gradient = loss.value_and_gradient([[1.0]], [[3.0]])
        >>> gradient.tolist()
        [[12.0]]
    """

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        kind = type(self).__name__
        if name is not None and not isinstance(name, str):
            raise ValueError(f"{kind}: name={_args.show(name)} must be a string.")
        if not (reduction is None or isinstance(reduction, str)) or reduction not in REDUCTIONS:
            raise ValueError(
                "Invalid value for argument `reduction`. Expected one of "
                f"{', '.join(map(str, REDUCTIONS))}. Received: reduction={_args.show(reduction)}"
            )
        self.name = snake_case(kind) if name is None else name
        self.reduction = reduction
        self.dtype = None if dtype is None else _convert.compute_dtype(kind, dtype).name

    def get_config(self) -> dict[str, Any]:
        """The name and the reduction, as Keras 3 writes them."""
        return {"name": self.name, "reduction": self.reduction}

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values, of arrays of one shape in float32 or float64; override it."""
        raise NotImplementedError(f"Loss {type(self).__name__} does not have a `call()` method implemented.")

    def call_vjp(self, y_true: Any, y_pred: Any) -> tuple[Any, Callable[[Any], Any]]:
        """`call` and its pullback, from a gradient by the values to one by y_pred; override it together with `call`."""
        raise NotImplementedError(f"Loss {type(self).__name__} does not have a `call_vjp()` method implemented.")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss.

        Args:
            y_true: targets, (batch, ...).
            y_pred: predictions, of the same shape.
            sample_weight: what the values are multiplied by: of the values' shape, or of its first axes; None for 1.

        Returns:
            A number, or with no reduction the values.

        Raises:
            ValueError: the shapes do not fit.
            TypeError: the arguments are not arrays of real numbers.
        """
        pair = aligned(self.name, y_true, y_pred, self._dtype())
        with np.errstate(all="ignore"):
            values = np.asarray(self.call(pair.y_true, pair.y_pred))
            weights = self._weights(values, sample_weight)
            return self._reduced(values, weights)

    def value_and_gradient(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tuple[Any, Array]:
        """The loss and its gradient by y_pred; without a reduction, the gradient of the values' sum.

        Args, Raises: as for a call; also a NotImplementedError where there is no `call_vjp`.

        Returns:
            What a call gives, and a new array of y_pred's shape and float dtype.
        """
        self._check_derivative()
        pair = aligned(self.name, y_true, y_pred, self._dtype())
        with np.errstate(all="ignore"):
            values, back = self.call_vjp(pair.y_true, pair.y_pred)
            values = np.asarray(values)
            weights = self._weights(values, sample_weight)
            factor = values.dtype.type(1 / self._divisor(values, weights))
            slopes = np.broadcast_to(factor if weights is None else weights * factor, values.shape)
            gradient = np.asarray(back(slopes))
        if gradient.shape != pair.y_pred.shape:
            raise ShapeError(f"Loss '{self.name}': the gradient has shape {gradient.shape}, not {pair.y_pred.shape}.")
        return self._reduced(values, weights), pair.restored(gradient)

    def _dtype(self) -> np.dtype[Any] | None:
        return None if self.dtype is None else _convert.compute_dtype(self.name, self.dtype)

    def _check_derivative(self) -> None:
        """Refuses a `call_vjp` that was inherited with another `call`."""
        for cls in type(self).__mro__:
            if "call_vjp" in cls.__dict__ and cls is not Loss:
                return
            if "call" in cls.__dict__:
                raise NotImplementedError(
                    f"Loss {type(self).__name__} cannot be differentiated: {cls.__name__} defines call(), and needs "
                    "call_vjp() beside it."
                )

    def _weights(self, values: Array, given: Any) -> Array | None:
        if given is None:
            return None
        weights = _convert.to_array(self.name, "sample_weight", given).astype(values.dtype, copy=False)
        if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
            weights = weights[..., 0]
        if weights.shape != values.shape[: weights.ndim]:
            raise ShapeError(
                f"{self.name}: sample_weight must have the shape {values.shape} of the values, or that of its first "
                f"axes, not {np.shape(given)}."
            )
        return weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))

    def _divisor(self, values: Array, weights: Array | None) -> float:
        if self.reduction in (None, "none", "sum"):
            return 1
        if self.reduction == "mean_with_sample_weight" and weights is not None:
            return float(np.sum(weights)) or np.inf  # nothing counts, and nothing is divided by 0
        return max(values.size, 1)

    def _reduced(self, values: Array, weights: Array | None) -> Any:
        weighted = values if weights is None else values * weights
        if self.reduction in (None, "none"):
            return weighted
        return np.sum(weighted) / values.dtype.type(self._divisor(values, weights))
