"""Learning rates that follow the number of steps, with Keras' names and configs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tconv import _args
from tconv._registry import Configurable, Family, Objects

__all__ = [
    "CosineDecay",
    "ExponentialDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "deserialize",
    "serialize",
]


class LearningRateSchedule(Configurable):
    """Base class: override `__call__(step)`.

    Example:
        >>> import tconv
        >>> class Inverse(tconv.optimizers.schedules.LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 1 / (step + 1)
        >>> tconv.optimizers.SGD(Inverse()).learning_rate
        1.0
    """

    def __call__(self, step: int) -> float:
        """The learning rate after `step` steps."""
        raise NotImplementedError(f"Schedule {type(self).__name__} does not have a `__call__()` method implemented.")


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: the first one.
        decay_steps: above 0.
        decay_rate: what is left of it after that many steps.
        staircase: whether the exponent is rounded down.
        name: for the config.

    Raises:
        ValueError: an argument is not valid.

    Example:
        >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
        0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = _number(self, "initial_learning_rate", initial_learning_rate)
        self.decay_steps = _positive(self, "decay_steps", decay_steps)
        self.decay_rate = _number(self, "decay_rate", decay_rate)
        self.staircase = bool(staircase)
        self.name = name

    def __call__(self, step: int) -> float:
        exponent = step / self.decay_steps
        return float(
            self.initial_learning_rate * self.decay_rate ** (math.floor(exponent) if self.staircase else exponent)
        )


class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[i]` while step <= boundaries[i], and the last value after that.

    Args:
        boundaries: rising numbers of steps.
        values: learning rates, one more.
        name: for the config.

    Raises:
        ValueError: an argument is not valid.

    Example:
        >>> rate = PiecewiseConstantDecay([10, 20], [1.0, 0.1, 0.01])
        >>> rate(10), rate(11), rate(21)
        (1.0, 0.1, 0.01)
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        self.boundaries = [_number(self, "boundaries", entry) for entry in boundaries]
        self.values = [_number(self, "values", entry) for entry in values]
        if len(self.values) != len(self.boundaries) + 1 or sorted(self.boundaries) != self.boundaries:
            raise ValueError(
                f"PiecewiseConstantDecay: boundaries={_args.show(boundaries)} must rise, and values="
                f"{_args.show(values)} must be one more."
            )
        self.name = name

    def __call__(self, step: int) -> float:
        return float(self.values[sum(step > boundary for boundary in self.boundaries)])


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial rate to `alpha` times it, after a linear rise if `warmup_target` is given.

    Args:
        initial_learning_rate: the first one.
        decay_steps: how many steps the cosine takes; above 0.
        alpha: the part that is left at its end.
        name: for the config.
        warmup_target: what the rate rises to before; the cosine starts there. None for no rise.
        warmup_steps: how many steps the rise takes; 0 for no rise.

    Raises:
        ValueError: an argument is not valid.

    Source: Loshchilov and Hutter, arXiv:1608.03983.

    Example:
        >>> rate = CosineDecay(0.1, decay_steps=10)
        >>> rate(0), round(rate(5), 6), rate(10)
        (0.1, 0.05, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate = _number(self, "initial_learning_rate", initial_learning_rate)
        self.decay_steps = _positive(self, "decay_steps", decay_steps)
        self.alpha = _number(self, "alpha", alpha)
        self.warmup_target = None if warmup_target is None else _number(self, "warmup_target", warmup_target)
        self.warmup_steps = _number(self, "warmup_steps", warmup_steps)
        self.name = name

    def __call__(self, step: int) -> float:
        first, passed = self.initial_learning_rate, float(step)
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return float(first + (self.warmup_target - first) * step / self.warmup_steps)
            first, passed = self.warmup_target, step - self.warmup_steps
        cosine = (1 + math.cos(math.pi * min(passed / self.decay_steps, 1))) / 2
        return float(first * ((1 - self.alpha) * cosine + self.alpha))


_FAMILY: Family[Callable[..., Any]] = Family(
    "learning rate schedule",
    "keras.optimizers.schedules",
    [LearningRateSchedule, ExponentialDecay, PiecewiseConstantDecay, CosineDecay],
)


def serialize(learning_rate_schedule: Any) -> Any:
    """Keras' config of a schedule.

    Example:
        >>> serialize(PiecewiseConstantDecay([5], [0.1, 0.01]))["config"]["boundaries"]
        [5]
    """
    return _FAMILY.serialize(learning_rate_schedule)


def deserialize(config: Any, custom_objects: Objects | None = None) -> Any:
    """The schedule of a config.

    Raises:
        ValueError: the config is not one, or names nothing known.

    Example:
        >>> deserialize({"class_name": "PiecewiseConstantDecay", "config": {"boundaries": [5], "values": [1, 0]}})(9)
        0.0
    """
    return _FAMILY.deserialize(config, custom_objects)


def _number(owner: object, name: str, value: Any) -> Any:
    """A number of at least 0, an int staying one, as configs have it."""
    kind = type(owner).__name__
    try:
        number = _args.number(kind, name, value)
    except TypeError as error:
        raise ValueError(str(error)) from None
    if not 0 <= number < math.inf:
        raise ValueError(f"{kind}: {name}={number} must be a number of at least 0.")
    return int(value) if isinstance(value, int) else number


def _positive(owner: object, name: str, value: Any) -> Any:
    if not (number := _number(owner, name, value)):
        raise ValueError(f"{type(owner).__name__}: {name}={number} must be above 0.")
    return number
