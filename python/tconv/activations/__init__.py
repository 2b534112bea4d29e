"""Keras' activation functions, on arrays, and their derivatives.

Each takes an array (or what NumPy makes one of) of any shape and gives a new one of the same shape and float dtype.
Integers count as the default float type; float16 and bfloat16 are computed in float32 and rounded once. Some run inside
the convolution as it stores its result: see `fused`. For training see `vjp`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tconv import _args
from tconv._fusion import core_form
from tconv._registry import Family
from tconv.activations.axes import glu, log_softmax, softmax, sparsemax
from tconv.activations.configured import configured, from_layer, shown, written
from tconv.activations.curves import (
    celu,
    elu,
    exponential,
    gelu,
    log_sigmoid,
    mish,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    squareplus,
    tanh,
    tanh_shrink,
)
from tconv.activations.function import Activation, members
from tconv.activations.gradients import needs_input, parts, pullback, vjp
from tconv.activations.pieces import (
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    linear,
    relu,
    relu6,
    soft_shrink,
    sparse_plus,
    sparse_sigmoid,
    threshold,
)

__all__ = [
    "Activation",
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "fused",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "needs_input",
    "pullback",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "shown",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
    "vjp",
]

_family: Family[Activation] = Family(
    "activation function",
    "keras.activations",
    members,
    {"swish": silu, "hard_swish": hard_silu},
)

swish = silu
hard_swish = hard_silu


def get(identifier: Any) -> Activation:
    """The function that a user named.

    Args:
        identifier: None for linear, a name, a function or any callable, or a config:
            ``{"class_name": "leaky_relu", "config": {"negative_slope": 0.1}}`` gives the function with that argument,
            and so does the config of a ReLU, LeakyReLU, ELU or Softmax layer.

    Raises:
        ValueError: no function has that name, or the config is not one.

    Example:
        >>> import tconv
        >>> tconv.activations.get("swish") is tconv.activations.silu
        True
    """
    if identifier is None or isinstance(identifier, (str, Mapping)):
        return deserialize(identifier)
    if callable(identifier):
        return _family.get(identifier) or linear
    raise ValueError(f"Could not interpret activation function identifier: {_args.show(identifier)}.")


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Activation:
    """The function that `serialize` described. Nothing named in the config is imported or executed.

    Args:
        config: what serialize gave.
        custom_objects: name -> callable, for functions of the caller's own.

    Raises:
        ValueError: no function has that name, or the config is not one.

    Example:
        >>> import tconv
        >>> tconv.activations.deserialize("relu") is tconv.activations.relu
        True
    """
    if config is not None and not isinstance(config, (str, Mapping)):
        raise ValueError(f"Could not interpret activation function identifier: {_args.show(config)}.")
    if isinstance(config, Mapping) and not (custom_objects and config.get("class_name") in custom_objects):
        layer = from_layer(config)
        if layer is not None:
            return layer
    function = _family.deserialize(config, custom_objects) or linear
    arguments = config.get("config") if isinstance(config, Mapping) else None
    of_family = parts(function)[0] in members
    return configured(function, arguments) if of_family and isinstance(arguments, Mapping) else function


def serialize(activation: Any) -> Any:
    """The name of a function, or a config for what a name cannot say: what `deserialize` reads.

    Raises:
        ValueError: the callable has no name that could be looked up again.

    Example:
        >>> import functools, tconv
        >>> tconv.activations.serialize(tconv.activations.swish)
        'silu'
        >>> tconv.activations.serialize(functools.partial(tconv.activations.elu, alpha=0.5))["config"]
        {'alpha': 0.5}
    """
    function, arguments = parts(activation)
    if activation is None or function is linear:
        return "linear"
    if not callable(activation):
        raise ValueError(f"Not an activation function: {_args.show(activation)}.")
    if function in members and arguments:
        return written(function, arguments)
    config = _family.serialize(activation)
    of_layers = type(activation).__module__.startswith("tconv.layers")
    return {**config, "module": "keras.layers", "registered_name": None} if of_layers else config


def fused(activation: Activation) -> tuple[str, float] | None:
    """The core's name and argument for a function that it applies as it stores a result; None for any other.

    A functools.partial that sets the argument by name is recognised.

    Example:
        >>> import functools, tconv
        >>> tconv.activations.fused(tconv.activations.relu)
        ('relu', 0.0)
        >>> tconv.activations.fused(functools.partial(tconv.activations.leaky_relu, negative_slope=0.1))
        ('leaky_relu', 0.1)
        >>> tconv.activations.fused(tconv.activations.gelu)
    """
    function, arguments = parts(activation)
    return core_form(function.__name__, arguments) if function is not None and function in members else None
