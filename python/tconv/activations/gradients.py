"""Derivatives of activation functions, for training."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tconv import _args, _convert
from tconv._convert import Array
from tconv.activations.function import Activation, Rule, members, wide

__all__ = ["needs_input", "parts", "pullback", "vjp"]


def parts(activation: Any) -> tuple[Activation | None, dict[str, Any]]:
    """A callable as a plain function and the arguments that a functools.partial sets by name."""
    arguments: dict[str, Any] = {}
    if isinstance(activation, functools.partial) and not activation.args:
        activation, arguments = activation.func, dict(activation.keywords)
    return (activation, arguments) if inspect.isfunction(activation) else (None, {})


def needs_input(activation: Any) -> bool:
    """Whether `pullback` needs what the activation was applied to; where not, the output alone is enough.

    Args:
        activation: a function of `tconv.activations`, a functools.partial that gives it arguments by name, or a
            callable with a method `vjp`; None for linear.

    Raises:
        TypeError: no derivative of this callable is known.

    Example:
        >>> import functools, tconv
        >>> tconv.activations.needs_input(tconv.activations.tanh), tconv.activations.needs_input(tconv.activations.gelu)
        (False, True)
        >>> leaky = functools.partial(tconv.activations.leaky_relu, negative_slope=-0.1)  # y > 0 says nothing of x
        >>> tconv.activations.needs_input(leaky)
        True
    """
    rule, arguments = _rule(activation)
    return True if rule is None else bool(rule.needs_input(**arguments))


def pullback(activation: Any, pre: Any, output: Any, dy: Any) -> Array:
    """dL/dx for y = activation(x), given dL/dy.

    Args:
        activation: as for `needs_input`.
        pre: x, what the activation was applied to; it is not looked at where `needs_input` says False.
        output: y.
        dy: dL/dy, of y's shape.

    Returns:
        A new array of x's shape (y's, for all but glu), in the common dtype of the arrays. At a kink it is the
        derivative from the flat side, or, where neither is flat, from below.

    Raises:
        TypeError: no derivative of this callable is known, or an array is none.
        ValueError: x is needed and None, or the shapes do not go together.

    Example:
        >>> import numpy as np, tconv
        >>> y = tconv.activations.relu(np.float32([-1, 2]))
        >>> tconv.activations.pullback(tconv.activations.relu, None, y, np.float32([10, 10])).tolist()
        [0.0, 10.0]
    """
    rule, arguments = _rule(activation)
    reads_input = rule is None or bool(rule.needs_input(**arguments))
    if reads_input and pre is None:
        why = f"pre is None, but the derivative of {_name(activation)} is a function of what it was applied to"
        _args.fail("pullback", why, ValueError)
    x = _convert.to_array("pullback", "pre", pre) if reads_input else None
    y = _convert.to_array("pullback", "output", output)
    slope = _convert.to_array("pullback", "dy", dy)
    if slope.shape != y.shape:
        _args.fail("pullback", f"dy has the shape {slope.shape}, but output has {y.shape}")
    if x is not None and x.shape != y.shape and (rule is None or rule.keeps_shape):
        _args.fail("pullback", f"pre has the shape {x.shape}, but output has {y.shape}")
    if rule is None:
        return _of_method(activation.vjp(x)[1](slope), slope)
    dtype = _convert.common_dtype("pullback", [("pre", x), ("output", y), ("dy", slope)])
    x = None if x is None else wide(x, dtype)
    with np.errstate(all="ignore"):
        dx = rule.compute(x, wide(y, dtype), wide(slope, dtype), **arguments)
        return np.asarray(dx).astype(dtype, copy=False)


def vjp(activation: Any, x: Any) -> tuple[Array, Callable[[Any], Array]]:
    """The activation's output, and the function that turns dL/dy into dL/dx.

    Args:
        activation: as for `needs_input`.
        x: array.

    Returns:
        y and `pullback(dy) -> dx`, which keeps x only where it is needed.

    Raises:
        TypeError: no derivative of this callable is known, or x is no array.

    Example:
        >>> import numpy as np, tconv
        >>> y, pullback = tconv.activations.vjp(tconv.activations.sigmoid, np.float64([0, 0]))
        >>> pullback(np.float64([1, 2])).tolist()
        [0.25, 0.5]
    """
    kept = x if needs_input(activation) else None
    y = x if activation is None else activation(x)
    return y, lambda dy: pullback(activation, kept, y, dy)


def _rule(activation: Any) -> tuple[Rule | None, dict[str, Any]]:
    """The derivative of a member of the family and its arguments; None for an object that brings its own."""
    if activation is None:
        return _LINEAR, {}
    function, arguments = parts(activation)
    if function is not None and function in members:
        return members[function], arguments
    if callable(getattr(activation, "vjp", None)):
        return None, {}
    how = (
        "use a function of tconv.activations, with functools.partial for arguments by name, or an object that has, "
        "besides __call__(x), a method vjp(x) -> (y, pullback) with pullback(dy) -> dx"
    )
    _args.fail("activations", f"the derivative of {_name(activation)} is not known; {how}", TypeError)


_LINEAR = Rule(lambda x, y, dy: np.array(dy), lambda: False)


def _of_method(result: Any, dy: Array) -> Array:
    """What a pullback of the caller's own gave: dx, or, as a layer's does, (dx, gradients of weights)."""
    if isinstance(result, tuple):
        result, gradients = result
        if gradients:
            _args.fail("pullback", "the activation has trainable weights: make it a layer of its own", ValueError)
    dx = _convert.to_array("pullback", "what vjp's pullback gave", result)
    if dx.shape != dy.shape:
        _args.fail("pullback", f"what vjp's pullback gave has the shape {dx.shape}, but dy has {dy.shape}")
    return dx


def _name(activation: Any) -> str:
    return str(getattr(parts(activation)[0] or activation, "__name__", _args.show(activation)))
