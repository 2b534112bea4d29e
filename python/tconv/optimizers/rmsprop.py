"""RMSprop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tconv._convert import Array
from tconv.optimizers.base import Optimizer, Slots
from tconv.optimizers.configured import Rate, at_least_0, boolean


class RMSprop(Optimizer):
    """Steps along the gradient divided by the root of a moving mean of its square.

    v = rho * v + (1 - rho) * g**2; m = momentum * m + rate * g / sqrt(v + epsilon); w -= m.

    Args:
        learning_rate: see `Optimizer`.
        rho: from 0 to 1.
        momentum: from 0 to 1.
        epsilon: added under the root.
        centered: whether the square of a moving mean of g is taken from v, which leaves the variance.
        **common: weight_decay, clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.

    Raises:
        ValueError: an argument is not valid.

    Source: Hinton, Neural Networks for Machine Learning, lecture 6 (2012).

    Example:
        >>> import tconv
        >>> weight = tconv.Variable([10.0])
        >>> RMSprop(learning_rate=0.1).apply([[10.0]], [weight])
        >>> weight.value.round(4).tolist()
        [9.683799743652344]
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        self.rho = at_least_0(self, "rho", rho, most=1)
        self.momentum = at_least_0(self, "momentum", momentum, most=1)
        self.epsilon = at_least_0(self, "epsilon", epsilon)
        self.centered = boolean(self, "centered", centered)

    def slots(self) -> Sequence[tuple[str, ...]]:
        """Moving means of squares, velocities, moving means."""
        return [("velocity",), *[("momentum",)] * bool(self.momentum), *[("average_gradient",)] * self.centered]

    def step(
        self, value: Array, gradient: Array, slots: Slots, learning_rate: float, iteration: int
    ) -> tuple[Array, Slots]:
        """The formulas above."""
        real = value.dtype.type
        velocity = _moved(slots["velocity"], np.square(gradient), self.rho)
        after = {"velocity": velocity}
        root = velocity + real(self.epsilon)
        if self.centered:
            after["average_gradient"] = _moved(slots["average_gradient"], gradient, self.rho)
            root -= np.square(after["average_gradient"])
        root = np.sqrt(root)
        uphill = gradient * real(learning_rate)
        uphill /= root
        if self.momentum:
            uphill += slots["momentum"] * real(self.momentum)
            after["momentum"] = uphill
        return value - uphill, after

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return {**super().get_config(), **own}


def _moved(mean: Array, value: Array, rho: float) -> Array:
    """A moving mean's next value."""
    real = value.dtype.type
    moved: Array = mean * real(rho)
    moved += value * real(1 - rho)
    return moved
