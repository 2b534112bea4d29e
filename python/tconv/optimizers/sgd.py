"""Gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tconv._convert import Array
from tconv.optimizers.base import Optimizer, Slots
from tconv.optimizers.configured import Rate, at_least_0, boolean


class SGD(Optimizer):
    """Gradient descent with momentum: v = momentum * v - rate * g; w += v.

    Args:
        learning_rate: see `Optimizer`.
        momentum: from 0 to 1.
        nesterov: whether w += momentum * v - rate * g, instead of v. Source: Sutskever et al., ICML 2013.
        **common: weight_decay, clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.

    Raises:
        ValueError: an argument is not valid.

    Example:
        >>> import tconv
        >>> weight = tconv.Variable([1.0])
        >>> SGD(learning_rate=0.5).apply([[1.0]], [weight])
        >>> weight.value.tolist()
        [0.5]
    """

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        self.momentum = at_least_0(self, "momentum", momentum, most=1)
        self.nesterov = boolean(self, "nesterov", nesterov)

    def slots(self) -> Sequence[tuple[str, ...]]:
        """The velocities, called as Keras calls them."""
        return [("momentum",)] if self.momentum else []

    def step(
        self, value: Array, gradient: Array, slots: Slots, learning_rate: float, iteration: int
    ) -> tuple[Array, Slots]:
        """The formulas above."""
        real = value.dtype.type
        downhill = gradient * real(-learning_rate)
        if not self.momentum:
            downhill += value
            return downhill, {}
        velocity = slots["momentum"] * real(self.momentum)
        velocity += downhill
        if self.nesterov:
            downhill += velocity * real(self.momentum)
            downhill += value
            return downhill, {"momentum": velocity}
        return value + velocity, {"momentum": velocity}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
