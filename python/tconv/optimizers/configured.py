"""What an optimizer is told: its arguments, its learning rate, its config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from tconv import _args
from tconv import config as _config
from tconv._registry import Objects, check_keys, snake_case
from tconv.optimizers import schedules
from tconv.variable import Variable

C = TypeVar("C", bound="Configured")
Rate = float | schedules.LearningRateSchedule | Callable[[], Any]

_MISSING = {
    "use_ema": "averages of the weights are",
    "ema_overwrite_frequency": "averages of the weights are",
    "loss_scale_factor": "a scaled loss is",
    "gradient_accumulation_steps": "gradients summed over steps are",
}


class Configured:
    """The part of an optimizer that keeps its arguments."""

    def __init__(
        self,
        learning_rate: Rate,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        ema_momentum: float = 0.99,
        name: str | None = None,
        **others: Any,
    ) -> None:
        kind = type(self).__name__
        for key, value in others.items():
            if key not in _MISSING:
                raise ValueError(f"Argument(s) not recognized by {kind}: {_args.show(others)}")
            if value is not None and value is not False:
                raise ValueError(f"{kind}: {key}={_args.show(value)}: {_MISSING[key]} not supported; leave it out.")
        if name is not None and not isinstance(name, str):
            raise ValueError(f"{kind}: name={_args.show(name)} must be a string.")
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
                f"{_args.show({'clipnorm': clipnorm, 'clipvalue': clipvalue, 'global_clipnorm': global_clipnorm})}"
            )
        self.name = snake_case(kind) if name is None else name
        self.weight_decay = optional(self, "weight_decay", weight_decay)
        self.clipnorm = optional(self, "clipnorm", clipnorm)
        self.clipvalue = optional(self, "clipvalue", clipvalue)
        self.global_clipnorm = optional(self, "global_clipnorm", global_clipnorm)
        self.ema_momentum = at_least_0(self, "ema_momentum", ema_momentum, most=1)
        self._iterations = Variable(0, dtype="int32", trainable=False, name="iteration", path=f"{self.name}/iteration")
        self._rate = self._checked_rate(learning_rate)

    @property
    def iterations(self) -> int:
        """How many steps there were."""
        return int(self._iterations.value)

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the next step, a float. It can be set to a number, or to a callable."""
        if isinstance(self._rate, Variable):
            return at_least_0(self, "learning_rate", float(self._rate.value))
        scheduled = isinstance(self._rate, schedules.LearningRateSchedule)
        rate = self._rate(self.iterations) if scheduled else self._rate()
        return at_least_0(self, "learning_rate", rate)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        rate = self._checked_rate(value)
        if isinstance(rate, Variable) and isinstance(self._rate, Variable):
            self._rate.assign(rate.value)
        elif isinstance(rate, Variable) and isinstance(self._rate, schedules.LearningRateSchedule):
            raise TypeError(f"{type(self).__name__}: the learning rate follows a schedule and can be set to no number.")
        else:
            self._rate = rate

    def _checked_rate(self, rate: Any) -> Any:
        if callable(rate):
            return rate
        value = at_least_0(self, "learning_rate", rate)
        dtype = "float64" if _config.floatx() == "float64" else "float32"
        path = f"{self.name}/learning_rate"
        return Variable(value, dtype=dtype, trainable=False, name="learning_rate", path=path)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as Keras 3 writes them."""
        rate = float(self._rate.value) if isinstance(self._rate, Variable) else schedules.serialize(self._rate)
        return {
            "name": self.name,
            "learning_rate": rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": False,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": None,
            "loss_scale_factor": None,
            "gradient_accumulation_steps": None,
        }

    @classmethod
    def from_config(cls: type[C], config: Mapping[str, Any], custom_objects: Objects | None = None) -> C:
        """The optimizer that `get_config` described, without its state.

        Raises:
            ValueError: a key or a name in the config is not known.
        """
        known = {**config}
        if isinstance(known.get("learning_rate"), (str, Mapping)):
            known["learning_rate"] = schedules.deserialize(known["learning_rate"], custom_objects)
        check_keys(cls, known)
        return cls(**known)


def at_least_0(owner: object, name: str, value: Any, most: float = np.inf) -> float:
    """A number from 0 to `most`.

    Raises:
        ValueError: it is none.
    """
    kind = type(owner).__name__
    try:
        number = _args.number(kind, name, value)
    except TypeError as error:
        raise ValueError(str(error)) from None
    if not 0 <= number <= most or number == np.inf:
        legal = "at least 0, and finite" if most == np.inf else f"from 0 to {most}"
        raise ValueError(f"{kind}: {name}={number} must be {legal}.")
    return number


def optional(owner: object, name: str, value: Any) -> float | None:
    """A number of at least 0, or None."""
    return None if value is None else at_least_0(owner, name, value)


def boolean(owner: object, name: str, value: Any) -> bool:
    """True or False.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{type(owner).__name__}: {name}={_args.show(value)} must be a boolean.")
    return bool(value)
