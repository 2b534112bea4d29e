"""An array in a file, of which nothing but shape and dtype is known before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tconv._convert import Array
from tconv.variable import Variable

FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))


@dataclass(frozen=True)
class Entry:
    """An array that a file says it has.

    Attributes:
        shape: its shape, not yet believed.
        dtype: a dtype's name.
        read: gives the array, in native byte order; bfloat16 as the float32 of the same value.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], Array]


def value_for(variable: Variable, entry: Entry, name: str) -> Array:
    """The array of a file as a variable's value: a read-only copy in its dtype. Nothing is read that does not fit.

    Raises:
        ValueError: shape or dtype are wrong, or a value is too large for the variable's dtype.
    """
    if entry.shape != variable.shape:
        raise ValueError(f"'{name}' has shape {_short(entry.shape)} in the file and {variable.shape} in the model.")
    legal = INTEGERS if variable.dtype.kind in "iu" else FLOATS
    if entry.dtype not in legal:
        raise ValueError(f"'{name}' has dtype {entry.dtype[:40]}; it must be one of {', '.join(legal)}.")
    array = entry.read()
    if array.shape != variable.shape:
        raise ValueError(f"'{name}' has shape {array.shape}, and {variable.shape} was announced.")
    with np.errstate(all="ignore"):
        value = np.array(array, variable.dtype, order="C", copy=True)
    kept = np.isfinite(value) | ~np.isfinite(array) if legal is FLOATS else value == array
    if not kept.all():
        raise ValueError(f"'{name}' has values that {variable.dtype} cannot hold.")
    value.flags.writeable = False
    return value


def widened(bits: Array) -> Array:
    """The float32 values of bfloat16s, given as uint16: bfloat16 is the upper half of a float32."""
    wide: Array = bits.astype("<u4") << 16
    return wide.view("<f4").astype(np.float32, copy=False)


def bits_of(array: Array) -> Array:
    """bfloat16s as little-endian uint16."""
    bits: Array = np.asarray(array, order="C").view(np.uint16).astype("<u2", copy=False)
    return bits


def _short(shape: tuple[int, ...]) -> str:
    return str(shape) if len(shape) <= 8 else f"of {len(shape)} axes"
