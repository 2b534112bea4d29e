"""Losses with Keras' names, config keys and defaults, and their gradients by the predictions.

A function gives a value per entry of all axes but the last; a class reduces the values to one number, weighted if
asked. `value_and_gradient` is what training uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tconv import _args
from tconv._convert import Array
from tconv._registry import Family, Objects
from tconv.losses.base import Loss
from tconv.losses.classes import CLASSES, BinaryCrossentropy, Huber, LossFunction, MeanAbsoluteError, MeanSquaredError
from tconv.losses.functions import binary_crossentropy, huber, mean_absolute_error, mean_squared_error, rules

__all__ = [
    "BinaryCrossentropy",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "binary_crossentropy",
    "deserialize",
    "get",
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
    "serialize",
    "value_and_gradient",
]

_ALIASES: dict[str, Any] = {
    **dict.fromkeys(("mse", "MSE"), mean_squared_error),
    **dict.fromkeys(("mae", "MAE"), mean_absolute_error),
    **dict.fromkeys(("bce", "BCE"), binary_crossentropy),
    **{function.__name__: function for function in rules},  # a function comes before the class of the same words
}
_FAMILY: Family[Callable[..., Any]] = Family("loss", "keras.losses", [*CLASSES, Loss, *rules], _ALIASES)


NAMES = (*_ALIASES, *(member.__name__ for member in CLASSES))
"""All names of losses, for what has to be told from other words."""


def get(identifier: Any) -> Callable[..., Any] | None:
    """The loss named: a name, a config, a class, an instance or a function; None is none.

    Raises:
        ValueError: it is none of these, or the name is unknown.

    Example:
        >>> get("mse").__name__, get("MeanSquaredError").name
        ('mean_squared_error', 'mean_squared_error')
    """
    return _FAMILY.get(identifier)


def serialize(loss: Any) -> Any:
    """Keras' config of a loss; the name of a function.

    Example:
        >>> from tconv import losses
        >>> losses.serialize(losses.Huber(0.5))["config"]
        {'name': 'huber_loss', 'reduction': 'sum_over_batch_size', 'delta': 0.5}
    """
    return _FAMILY.serialize(loss)


def deserialize(config: Any, custom_objects: Objects | None = None) -> Callable[..., Any] | None:
    """The loss of a config or name.

    Raises:
        ValueError: the config is not one, or names nothing known.

    Example:
        >>> from tconv import losses
        >>> losses.deserialize({"class_name": "Huber", "config": {"delta": 0.5}}).delta
        0.5
    """
    return _FAMILY.deserialize(config, custom_objects)


def reducing(loss: Any) -> Loss:
    """A loss that gives one number and its gradient, of whatever `get` takes.

    Raises:
        ValueError: it is none.
        TypeError: its derivative is not known.
    """
    found = get(loss)
    if isinstance(found, Loss):
        return found
    for cls in CLASSES:
        if issubclass(cls, LossFunction) and cls._function is found:
            return cls(name=found.__name__)
    raise TypeError(
        f"loss={_args.show(loss)} cannot be differentiated: make it a class with call() and call_vjp(), see "
        "tconv.losses.Loss."
    )


def value_and_gradient(loss: Any, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tuple[Any, Array]:
    """A loss, as one number, and its gradient by y_pred.

    Args:
        loss: what `get` takes.
        y_true: targets, (batch, ...).
        y_pred: predictions, of the same shape.
        sample_weight: factors of the shape of the values, (batch, ...) without the last axis, or of its first axes.

    Returns:
        A number, and a new array of y_pred's shape and float dtype.

    Raises:
        ValueError: the shapes do not fit, or the loss is not known.
        TypeError: the loss is a callable without a derivative.

    Example:
        >>> value, gradient = value_and_gradient("mse", [[1.0, 2.0]], [[1.0, 4.0]])
        >>> float(value), gradient.tolist()
        (2.0, [[0.0, 2.0]])
    """
    return reducing(loss).value_and_gradient(y_true, y_pred, sample_weight)
