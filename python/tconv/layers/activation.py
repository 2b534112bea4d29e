"""Activation functions as layers of their own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tconv import _args, activations
from tconv._convert import Array
from tconv.layers import arguments
from tconv.layers.differentiation import Back
from tconv.layers.elementwise import Elementwise


class _Applied(Elementwise):
    """A layer that applies a function of `tconv.activations`."""

    def _function(self) -> Callable[..., Any]:
        raise NotImplementedError

    def call(self, inputs: Array) -> Any:
        """The function of `inputs`."""
        return self._function()(inputs)

    def call_vjp(self, inputs: Array, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The output and its pullback, which keeps the input only where the output is not enough."""
        function = self._function()
        pre = inputs if activations.needs_input(function) else None
        outputs = function(inputs)
        return outputs, lambda dy: (activations.pullback(function, pre, outputs, dy), ())


class Activation(_Applied):
    """Applies a function to every element.

    Args:
        activation: a name, a function of `tconv.activations` or any callable.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: the name is unknown.

    Example:
        >>> Activation("relu")([-1.0, 2.0])
        array([0., 2.], dtype=float32)
    """

    _objects = (*_Applied._objects, "activation")

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = arguments.named(type(self).__name__, "activation", activations.get, activation)

    def _function(self) -> Callable[..., Any]:
        function: Callable[..., Any] = self.activation
        return function

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(_Applied):
    """x above the threshold, at most max_value; else negative_slope * (x - threshold).

    Args:
        max_value: largest value of the result, >= 0; None for no limit.
        negative_slope: slope below the threshold, >= 0.
        threshold: value below which the slope counts, >= 0.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: an argument is negative or no number.

    Example:
        >>> ReLU(max_value=6, negative_slope=0.5)([-2.0, 1.0, 9.0])
        array([-1.,  1.,  6.], dtype=float32)
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.max_value = None if max_value is None else _not_negative(kind, "max_value", max_value)
        self.negative_slope = _not_negative(kind, "negative_slope", negative_slope)
        self.threshold = _not_negative(kind, "threshold", threshold)

    def _function(self) -> Callable[..., Any]:
        if self.max_value is None and self.negative_slope == 0 and self.threshold == 0:
            return activations.relu
        return functools.partial(
            activations.relu,
            negative_slope=self.negative_slope,
            max_value=self.max_value,
            threshold=self.threshold,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {name: getattr(self, name) for name in ("max_value", "negative_slope", "threshold")}
        return {**super().get_config(), **own}


class LeakyReLU(_Applied):
    """x for x >= 0, else negative_slope * x.

    Args:
        negative_slope: slope below 0, >= 0. In tf.keras and its configs it is called `alpha`.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: the slope is negative or no number.

    Example:
        >>> LeakyReLU(negative_slope=0.5)([-2.0, 1.0])
        array([-1.,  1.], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
        super().__init__(**kwargs)
        self.negative_slope = _not_negative(type(self).__name__, "negative_slope", negative_slope)

    def _function(self) -> Callable[..., Any]:
        return functools.partial(activations.leaky_relu, negative_slope=self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "negative_slope": self.negative_slope}


def _not_negative(kind: str, name: str, value: Any) -> float:
    number = arguments.named(kind, name, functools.partial(_args.number, kind, name), value)
    if not number >= 0:
        raise ValueError(f"{kind}: {name} cannot be None or negative. Received: {name}={_args.show(value)}")
    return value if isinstance(value, (int, float)) else float(number)
