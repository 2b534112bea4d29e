"""Optimizers with Keras' names, config keys and defaults, and its layout of their state in files.

`optimizer.apply(gradients, variables)` is one step. All state is in `optimizer.variables`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from tconv import _args
from tconv._registry import Family, Objects
from tconv.optimizers import schedules
from tconv.optimizers.adam import Adam, AdamW
from tconv.optimizers.base import Optimizer
from tconv.optimizers.rmsprop import RMSprop
from tconv.optimizers.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "deserialize", "get", "schedules", "serialize"]

_MEMBERS = (SGD, RMSprop, Adam, AdamW, Optimizer)
_FAMILY: Family[Optimizer] = Family(
    "optimizer", "keras.optimizers", _MEMBERS, {member.__name__.lower(): member for member in _MEMBERS}
)

for _class in _MEMBERS:
    _class.__module__ = "tconv.optimizers"  # where users find it


def get(identifier: Any) -> Optimizer | None:
    """The optimizer named: a name in any case, a config, a class or an instance; None is none.

    Raises:
        ValueError: it is none of these, or the name is unknown.

    Example:
        >>> import tconv
        >>> tconv.optimizers.get("adam").get_config()["beta_2"]
        0.999
    """
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, (str, Mapping)):
        return deserialize(identifier)
    if inspect.isclass(identifier) and issubclass(identifier, Optimizer):
        return identifier()
    raise ValueError(f"Could not interpret optimizer identifier: {_args.show(identifier)}")


def serialize(optimizer: Optimizer) -> Any:
    """Keras' config of an optimizer, without its state.

    Example:
        >>> import tconv
        >>> tconv.optimizers.serialize(tconv.optimizers.SGD(momentum=0.5))["config"]["momentum"]
        0.5
    """
    return _FAMILY.serialize(optimizer)


def deserialize(config: Any, custom_objects: Objects | None = None) -> Optimizer:
    """The optimizer of a config or name.

    Raises:
        ValueError: the config is not one, or names nothing known.

    Example:
        >>> import tconv
        >>> tconv.optimizers.deserialize({"class_name": "RMSprop", "config": {"rho": 0.5}}).rho
        0.5
    """
    lowered = _args.lowered(config)
    found = _FAMILY.deserialize(lowered if lowered in _FAMILY else config, custom_objects)
    if not isinstance(found, Optimizer):
        raise ValueError(f"Could not interpret optimizer identifier: {_args.show(config)}. It is no optimizer.")
    return found
