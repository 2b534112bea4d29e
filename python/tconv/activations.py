"""Keras' activation functions, on arrays.

Each takes an array (or what NumPy makes one of) of any shape and gives a new one of the same shape and float dtype.
Integers count as the default float type; float16 and bfloat16 are computed in float32 and rounded once. Some run inside
the convolution as it stores its result: see `fused`.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tconv import _args, _convert
from tconv._convert import Array
from tconv._fusion import core_form
from tconv._registry import Family
from tconv._special import erfc

Activation = Callable[..., Any]

_members: list[Activation] = []


def _function(compute: Callable[..., Any]) -> Callable[..., Array]:
    """Wraps a formula on float32 or float64 so that it takes anything, keeps the float dtype and is found by name."""
    name = compute.__name__

    @functools.wraps(compute)
    def function(x: object, *args: Any, **kwargs: Any) -> Array:
        array = _convert.to_array(name, "x", x)
        dtype = _convert.common_dtype(name, [("x", array)])
        wide = np.dtype(np.float32) if dtype.itemsize == 2 else dtype
        with np.errstate(all="ignore"):
            result: Array = np.asarray(compute(np.asarray(array, wide), *args, **kwargs))
            return result.astype(dtype, copy=False)

    _members.append(function)
    return function


@_function
def linear(x: Array) -> Array:
    """x itself.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.linear(np.float32([-1, 2])).tolist()
        [-1.0, 2.0]
    """
    return np.array(x)


@_function
def relu(x: Array, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Array:
    """x above the threshold, at most max_value; else negative_slope * (x - threshold).

    Args:
        x: array.
        negative_slope: slope below the threshold.
        max_value: largest value of the result; None for no limit.
        threshold: value below which the slope counts.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.relu(np.float32([-2, 1, 9]), negative_slope=0.5, max_value=6).tolist()
        [-1.0, 1.0, 6.0]
    """
    slope = _args.number("relu", "negative_slope", negative_slope)
    limit = math.inf if max_value is None else _args.number("relu", "max_value", max_value)
    start = _args.number("relu", "threshold", threshold)
    if start == 0 and slope == 0:
        return np.asarray(np.clip(x, 0, limit))
    return np.where(x <= start, slope * (x - start) if slope else 0, np.minimum(x, limit))


@_function
def relu6(x: Array) -> Array:
    """min(max(x, 0), 6).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.relu6(np.float32([-2, 1, 9])).tolist()
        [0.0, 1.0, 6.0]
    """
    return np.asarray(np.clip(x, 0, 6))


@_function
def leaky_relu(x: Array, negative_slope: float = 0.2) -> Array:
    """x for x >= 0, else negative_slope * x.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.leaky_relu(np.float32([-2, 1]), negative_slope=0.5).tolist()
        [-1.0, 1.0]
    """
    return np.where(x >= 0, x, _args.number("leaky_relu", "negative_slope", negative_slope) * x)


@_function
def elu(x: Array, alpha: float = 1.0) -> Array:
    """x for x > 0, else alpha * (exp(x) - 1). Clevert et al., arXiv:1511.07289.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.elu(np.float32([-100, 1]), alpha=2.0).tolist()
        [-2.0, 1.0]
    """
    return np.where(x > 0, x, _args.number("elu", "alpha", alpha) * np.expm1(np.minimum(x, 0)))


@_function
def selu(x: Array) -> Array:
    """scale * elu(x, alpha) with the constants that keep mean 0 and variance 1. Klambauer et al., arXiv:1706.02515.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.selu(np.float64([0, 1])).round(4).tolist()
        [0.0, 1.0507]
    """
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))


@_function
def celu(x: Array, alpha: float = 1.0) -> Array:
    """max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0). Barron, arXiv:1704.07483.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.celu(np.float32([-100, 1]), alpha=2.0).tolist()
        [-2.0, 1.0]
    """
    scale = _args.number("celu", "alpha", alpha)
    if scale == 0:
        _args.fail("celu", "alpha=0 must not be 0", ValueError)
    return np.maximum(x, 0) + scale * np.expm1(np.minimum(x, 0) / scale)


def _sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))  # never overflows
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small))


@_function
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.sigmoid(np.float32([-1000, 0, 1000])).tolist()
        [0.0, 0.5, 1.0]
    """
    return _sigmoid(x)


@_function
def log_sigmoid(x: Array) -> Array:
    """log(sigmoid(x)).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.log_sigmoid(np.float32([-1000, 1000])).tolist()
        [-1000.0, 0.0]
    """
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


@_function
def hard_sigmoid(x: Array) -> Array:
    """min(max(x / 6 + 1/2, 0), 1).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.hard_sigmoid(np.float32([-4, 0, 4])).tolist()
        [0.0, 0.5, 1.0]
    """
    return np.asarray(np.clip(x / 6 + 0.5, 0, 1))


@_function
def tanh(x: Array) -> Array:
    """The hyperbolic tangent.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.tanh(np.float32([0, 100])).tolist()
        [0.0, 1.0]
    """
    return np.asarray(np.tanh(x))


@_function
def softplus(x: Array) -> Array:
    """log(1 + exp(x)).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.softplus(np.float32([-1000, 1000])).tolist()
        [0.0, 1000.0]
    """
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@_function
def softsign(x: Array) -> Array:
    """x / (1 + abs(x)).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.softsign(np.float32([-1, 3])).tolist()
        [-0.5, 0.75]
    """
    return np.asarray(x / (1 + np.abs(x)))


@_function
def silu(x: Array) -> Array:
    """x * sigmoid(x), also named swish. Hendrycks and Gimpel, arXiv:1606.08415.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.silu(np.float32([-1000, 0, 1000])).tolist()
        [-0.0, 0.0, 1000.0]
    """
    return x * _sigmoid(x)


@_function
def hard_silu(x: Array) -> Array:
    """x * hard_sigmoid(x), also named hard_swish. Howard et al., arXiv:1905.02244.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.hard_silu(np.float32([-4, 0, 4])).tolist()
        [-0.0, 0.0, 4.0]
    """
    return x * np.clip(x / 6 + 0.5, 0, 1)


@_function
def gelu(x: Array, approximate: bool = False) -> Array:
    """x * Phi(x), Phi the normal distribution's. Hendrycks and Gimpel, arXiv:1606.08415.

    Args:
        x: array.
        approximate: use 0.5 * x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x**3))) instead.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.gelu(np.float64([-1, 0, 1])).round(4).tolist()
        [-0.1587, 0.0, 0.8413]
    """
    if not isinstance(approximate, (bool, np.bool_)):
        _args.fail("gelu", f"approximate={_args.show(approximate)} must be a bool", TypeError)
    if approximate:
        return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    return 0.5 * x * erfc(-math.sqrt(0.5) * x)


@_function
def mish(x: Array) -> Array:
    """x * tanh(softplus(x)). Misra, arXiv:1908.08681.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.mish(np.float32([0, 1000])).tolist()
        [0.0, 1000.0]
    """
    return np.asarray(x * np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))))


@_function
def exponential(x: Array) -> Array:
    """exp(x).

    Example:
        >>> import tconv
        >>> tconv.activations.exponential([0.0]).tolist()
        [1.0]
    """
    return np.asarray(np.exp(x))


@_function
def softmax(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """exp(x) / sum(exp(x)), the sum over `axis`.

    Args:
        x: array of at least one axis.
        axis: the axis, or axes, over which the result sums to 1.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.softmax(np.float32([1000, 1000])).tolist()
        [0.5, 0.5]
    """
    shifted, axes = _shifted("softmax", x, axis)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=axes, keepdims=True))


@_function
def log_softmax(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """log(softmax(x, axis)).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.activations.log_softmax(np.float32([0, 1000])).tolist()
        [-1000.0, 0.0]
    """
    shifted, axes = _shifted("log_softmax", x, axis)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=axes, keepdims=True)))


def _shifted(name: str, x: Array, axis: int | tuple[int, ...]) -> tuple[Array, tuple[int, ...]]:
    """x less its maximum over `axis`, so that exp cannot overflow; and the axes as a tuple."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    legal = f"an axis, or a tuple of different axes, of an array of shape {x.shape}"
    numbers = tuple(_args.integer(name, "axis", entry) for entry in axes)
    if not all(-x.ndim <= number < x.ndim for number in numbers) or len({n % x.ndim for n in numbers}) < len(numbers):
        _args.fail(name, f"axis={_args.show(axis)} must be {legal}", ValueError)
    return x - x.max(axis=numbers, keepdims=True, initial=-math.inf), numbers


_family: Family[Activation] = Family(
    "activation function",
    "keras.activations",
    _members,
    {"swish": silu, "hard_swish": hard_silu},
)

swish = silu
hard_swish = hard_silu


def get(identifier: Any) -> Activation:
    """The function that a user named.

    Args:
        identifier: None for linear, a name, a function or any callable, or a config:
            ``{"class_name": "leaky_relu", "config": {"negative_slope": 0.1}}`` gives the function with that argument.

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
    function = _family.deserialize(config, custom_objects) or linear
    arguments = config.get("config") if isinstance(config, Mapping) else None
    if not isinstance(arguments, Mapping) or not arguments or function not in _members:
        return function
    legal = list(inspect.signature(function).parameters)[1:]
    unknown = sorted(set(arguments) - set(legal))
    if unknown:
        raise ValueError(f"{function.__name__}: unknown config keys {unknown}; known are {legal}.")
    return functools.partial(function, **arguments)


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
    function, arguments = _parts(activation)
    if activation is None or function is linear:
        return "linear"
    if not callable(activation):
        raise ValueError(f"Not an activation function: {_args.show(activation)}.")
    if function not in _members or not arguments:
        return _family.serialize(activation)
    name = _family.serialize(function)
    return {"module": "keras.activations", "class_name": name, "config": arguments, "registered_name": None}


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
    function, arguments = _parts(activation)
    return core_form(function.__name__, arguments) if function is not None and function in _members else None


def _parts(activation: Any) -> tuple[Activation | None, dict[str, Any]]:
    """A callable as a plain function and the arguments that a functools.partial sets by name."""
    if isinstance(activation, functools.partial):
        return (None, {}) if activation.args else (activation.func, dict(activation.keywords))
    return (activation if inspect.isfunction(activation) else None), {}
