"""Activation functions with arguments: how they are shown, and how Keras writes them, which is as layers.

Keras has no config for a function with arguments: of {"class_name": "leaky_relu", "config": {"negative_slope": 0.1}} it
reads the name alone. What it reads and writes whole is a layer in the function's place. The four functions that have
one are written so; the others under this package's name, which Keras refuses rather than drop the arguments.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tconv._registry import pasted
from tconv.activations.axes import softmax
from tconv.activations.curves import elu
from tconv.activations.function import Activation, members
from tconv.activations.gradients import parts
from tconv.activations.pieces import leaky_relu, relu

__all__ = ["Configured", "configured", "from_layer", "shown", "written"]


class Configured(functools.partial):  # type: ignore[type-arg]
    """A functools.partial that shows itself as what can be pasted where tconv and functools are imported."""

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={pasted(value)}" for name, value in self.keywords.items())
        return f"functools.partial(tconv.activations.{self.func.__name__}, {arguments})"


def configured(function: Activation, arguments: Mapping[str, Any]) -> Activation:
    """`function` with arguments by name, itself if they are its defaults.

    Raises:
        ValueError: it has no such arguments.
    """
    parameters = dict(list(inspect.signature(function).parameters.items())[1:])
    unknown = sorted(set(arguments) - set(parameters))
    if unknown:
        raise ValueError(f"{function.__name__}: unknown config keys {unknown}; known are {list(parameters)}.")
    missing = sorted(name for name, p in parameters.items() if p.default is p.empty and name not in arguments)
    if missing:
        raise ValueError(f"{function.__name__}: the config lacks {missing}.")
    needed = {name: value for name, value in arguments.items() if value != parameters[name].default}
    return Configured(function, **needed) if needed else function


# The layer's name -> the function, and the layer's defaults, which are not always the function's.
_LAYERS: MappingProxyType[str, tuple[Activation, dict[str, Any]]] = MappingProxyType(
    {
        "ELU": (elu, {"alpha": 1.0}),
        "LeakyReLU": (leaky_relu, {"negative_slope": 0.3}),
        "ReLU": (relu, {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}),
        "Softmax": (softmax, {"axis": -1}),
    }
)
_OF_EVERY_LAYER = ("batch_input_shape", "dtype", "name", "trainable")


def from_layer(config: Mapping[str, Any]) -> Activation | None:
    """The function that a layer's config in a function's place stands for; None if it is no such config.

    Raises:
        ValueError: the layer has no such arguments.
    """
    class_name, module, inner = config.get("class_name"), config.get("module", "keras.layers"), config.get("config")
    if not isinstance(class_name, str) or class_name not in _LAYERS or module not in ("keras.layers", "tconv.layers"):
        return None
    function, defaults = _LAYERS[class_name]
    given = {key: value for key, value in (inner or {}).items() if key not in _OF_EVERY_LAYER}
    if function is leaky_relu and "alpha" in given:  # tf.keras' name
        given["negative_slope"] = given.pop("alpha")
    return configured(function, {**defaults, **given})


def shown(activation: Any) -> Any:
    """The activation with a repr that can be pasted, where it is a function of the family with arguments by name.

    Example:
        >>> import functools, tconv
        >>> shown(functools.partial(tconv.activations.elu, alpha=0.5))
        functools.partial(tconv.activations.elu, alpha=0.5)
    """
    function, arguments = parts(activation)
    return Configured(function, **arguments) if function in members and arguments else activation


def written(function: Activation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a function of the family with arguments."""
    for class_name, (of_layer, defaults) in _LAYERS.items():
        if function is of_layer and set(arguments) <= set(defaults):
            own = {name: p.default for name, p in inspect.signature(function).parameters.items() if name in defaults}
            return _config("keras.layers", class_name, {**own, **arguments})
    return _config("tconv.activations", function.__name__, dict(arguments))


def _config(module: str, class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}
