"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tconv._convert import Array
from tconv.optimizers.base import Optimizer, Slots
from tconv.optimizers.configured import Rate, at_least_0, boolean


class Adam(Optimizer):
    """Steps along a moving mean of the gradient, divided by the root of a moving mean of its square.

    m += (g - m) * (1 - beta_1); v += (g**2 - v) * (1 - beta_2); w -= a * m / (sqrt(v) + epsilon), where a is the
    learning rate times sqrt(1 - beta_2**t) / (1 - beta_1**t) in step t, from 1.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: from 0 to below 1.
        beta_2: from 0 to below 1.
        epsilon: added to the root.
        amsgrad: whether the largest v so far is taken in its place.
        **common: weight_decay, clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.

    Raises:
        ValueError: an argument is not valid.

    Sources: Kingma and Ba, arXiv:1412.6980, before section 2.1; Reddi et al., ICLR 2018, for amsgrad.

    Example:
        >>> import tconv
        >>> weight = tconv.Variable([1.0])
        >>> Adam(learning_rate=0.5).apply([[3.0]], [weight])
        >>> weight.value.round(4).tolist()
        [0.5]
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        below_1 = math.nextafter(1, 0)
        self.beta_1 = at_least_0(self, "beta_1", beta_1, most=below_1)
        self.beta_2 = at_least_0(self, "beta_2", beta_2, most=below_1)
        self.epsilon = at_least_0(self, "epsilon", epsilon)
        self.amsgrad = boolean(self, "amsgrad", amsgrad)

    def slots(self) -> Sequence[tuple[str, ...]]:
        """Both moving means of a weight, and then the largest of the second."""
        return [("momentum", "velocity"), *[("velocity_hat",)] * self.amsgrad]

    def step(
        self, value: Array, gradient: Array, slots: Slots, learning_rate: float, iteration: int
    ) -> tuple[Array, Slots]:
        """The formulas above."""
        real, t = value.dtype.type, iteration + 1
        a = learning_rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        momentum = gradient - slots["momentum"]
        momentum *= real(1 - self.beta_1)
        momentum += slots["momentum"]
        velocity = np.square(gradient)
        velocity -= slots["velocity"]
        velocity *= real(1 - self.beta_2)
        velocity += slots["velocity"]
        after = {"momentum": momentum, "velocity": velocity}
        largest = velocity
        if self.amsgrad:
            largest = after["velocity_hat"] = np.maximum(slots["velocity_hat"], velocity)
        root = np.sqrt(largest)
        root += real(self.epsilon)
        downhill = momentum * real(-a)
        downhill /= root
        downhill += value
        return downhill, after

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad}
        return {**super().get_config(), **own}


class AdamW(Adam):
    """Adam with weight decay.

    Args:
        learning_rate, beta_1, beta_2, epsilon, amsgrad: see `Adam`.
        weight_decay: d: before each step a weight loses its learning_rate * d-th part.
        **common: clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.

    Raises:
        ValueError: an argument is not valid.

    Source: Loshchilov and Hutter, arXiv:1711.05101.

    Example:
        >>> import tconv
        >>> weight = tconv.Variable([1.0])
        >>> AdamW(learning_rate=0.5, weight_decay=0.1).apply([[3.0]], [weight])
        >>> weight.value.round(4).tolist()
        [0.44999998807907104]
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **common)
        if weight_decay is None:
            raise ValueError("Argument `weight_decay` must be a float. Received: weight_decay=None")
