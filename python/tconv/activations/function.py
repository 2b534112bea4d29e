"""What makes a formula an activation function: conversion of its argument, and the derivative that goes with it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tconv import _convert
from tconv._convert import Array

__all__ = ["Activation", "Rule", "activation", "members", "wide"]

Activation = Callable[..., Any]


class Rule(NamedTuple):
    """The derivative of an activation function."""

    compute: Callable[..., Any]
    """`(x, y, dy, **arguments)` -> dL/dx, for y = function(x, **arguments); x is None unless it is needed."""
    needs_input: Callable[..., bool]
    """`(**arguments)` -> whether `compute` reads x; else it reads y."""
    keeps_shape: bool = True
    """Whether y has x's shape."""


members: dict[Activation, Rule] = {}
"""Every activation function of the family; filled as the modules that define them are imported, and only then."""


def activation(
    derivative: Callable[..., Any], needs_input: bool | Callable[..., bool] = False, *, keeps_shape: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Array]]:
    """Makes an activation function of a formula on float32 or float64.

    The function takes whatever an array can be made of, keeps the float dtype (integers count as the default float
    type, 16-bit types are computed in float32 and rounded once) and is found by name and with its derivative.

    Args:
        derivative: see `Rule.compute`.
        needs_input: see `Rule.needs_input`; True and False for all arguments.
        keeps_shape: whether the result has x's shape.
    """

    def decorate(compute: Callable[..., Any]) -> Callable[..., Array]:
        name = compute.__name__

        @functools.wraps(compute)
        def function(x: object, *args: Any, **kwargs: Any) -> Array:
            array = _convert.to_array(name, "x", x)
            dtype = _convert.common_dtype(name, [("x", array)])
            with np.errstate(all="ignore"):
                result: Array = np.asarray(compute(wide(array, dtype), *args, **kwargs))
                return result.astype(dtype, copy=False)

        function.__module__ = "tconv.activations"  # where users find it
        rule = (lambda **_: bool(needs_input)) if isinstance(needs_input, bool) else needs_input
        members[function] = Rule(derivative, rule, keeps_shape)
        return function

    return decorate


def wide(array: Array, dtype: np.dtype[Any]) -> Array:
    """`array` in the dtype in which a result of `dtype` is computed."""
    return np.asarray(array, np.float32 if dtype.itemsize == 2 else dtype)
