"""Anything array-like -> a C-contiguous, aligned, native array of the dtype that is computed in."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tconv import _core, config
from tconv._args import fail, show

__all__ = [
    "Array",
    "allocate",
    "arithmetic",
    "as_dtype",
    "check_out",
    "common_dtype",
    "compute_dtype",
    "exactly",
    "name_of",
    "promoted",
    "storage",
    "to_array",
]

Array = NDArray[Any]

_ARITHMETIC = ("float16", "bfloat16", "float32", "float64")
_NATIVE = {size: np.dtype(f"f{size}") for size in (2, 4, 8)}  # by bytes
_NAMES = {dtype.char: dtype.name for dtype in _NATIVE.values()}


def to_array(operation: str, name: str, value: object) -> Array:
    """`value` as an ndarray of a real dtype, sharing its memory where possible: any strides, alignment, byte order.

    Raises:
        TypeError: it cannot be converted, or its dtype has no place in the arithmetic.
    """
    array = value if type(value) is np.ndarray else _converted(operation, name, value)
    arithmetic(operation, name, array.dtype)
    return array


def _converted(operation: str, name: str, value: object) -> Array:
    if value is None:
        fail(operation, f"{name} must be an array, not None", TypeError)
    if isinstance(value, (str, bytes, bytearray)):
        fail(operation, f"{name} must be an array, not text or bytes", TypeError)
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    if masked is not None and isinstance(value, masked):
        fail(operation, f"{name} is a masked array: what is masked must be filled first", TypeError)
    try:
        if _has(value, "__array__", "__array_interface__", "__array_struct__"):
            return np.asarray(value)
        if _has(value, "__dlpack__"):
            return np.from_dlpack(value)  # type: ignore[arg-type]
        if isinstance(value, (list, tuple, int, float, complex)):
            return np.asarray(value)
        # NumPy would also iterate over whatever has __getitem__, for ever if that never raises.
        memory = _memory(value)
        if memory is not None:
            return np.asarray(memory)
    except MemoryError:
        raise
    except Exception as error:
        array = _bfloat16(operation, value)
        if array is not None:
            return array
        text = f"{name} ({type(value).__name__}) cannot be made an array ({type(error).__name__}: {_text(error)})"
        fail(operation, text, TypeError, error)
    legal = "an ndarray, a list of numbers, or anything with __array__, __dlpack__ or a buffer is one"
    fail(operation, f"{name} must be an array, not {type(value).__name__}: {legal}", TypeError)


def _bfloat16(operation: str, value: object) -> Array | None:
    """A bfloat16 array that NumPy could not take, PyTorch's for one, by DLPack; None for what is none."""
    try:
        words = _core.bfloat16_words(value.__dlpack__()) if _has(value, "__dlpack__") else None  # type: ignore[attr-defined]
    except MemoryError:
        raise
    except Exception:  # what NumPy said was wrong is the better reason
        return None
    return None if words is None else words.view(compute_dtype(operation, "bfloat16"))


def _memory(value: object) -> memoryview | None:
    """The buffer of an object; None for what has none."""
    try:
        return memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _has(value: object, *protocols: str) -> bool:
    return any(hasattr(value, protocol) for protocol in protocols)


def _text(error: BaseException) -> str:
    try:
        return str(error).rstrip(".")[:200]
    except Exception:
        return "no text"


def arithmetic(operation: str, name: str, dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """The native dtype that `dtype` is computed in; None for integers and bool, which do not decide."""
    if dtype.kind == "f" and dtype.itemsize <= 8:
        return _NATIVE[dtype.itemsize]
    if dtype.kind in "iub":
        return None
    if dtype.name == "bfloat16":
        return dtype
    fail(operation, f"{name} has dtype {dtype}; legal are {', '.join(_ARITHMETIC)}, integers and bool", TypeError)


def common_dtype(operation: str, arrays: Iterable[tuple[str, Array | None]]) -> np.dtype[Any]:
    """The dtype of the result: that of the floating operands, promoted; without one, the default float type."""
    result: np.dtype[Any] | None = None
    for name, array in arrays:
        dtype = None if array is None else arithmetic(operation, name, array.dtype)
        if dtype is not None:
            result = dtype if result is None else promoted(result, dtype)
    return compute_dtype(operation, config.floatx()) if result is None else result


def promoted(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """The smallest of the four dtypes that holds both, as np.result_type says where it knows bfloat16."""
    if a == b:
        return a
    return np.dtype(np.float64 if 8 in (a.itemsize, b.itemsize) else np.float32)


def compute_dtype(operation: str, value: object) -> np.dtype[Any]:
    """A dtype that a user names, which must be one of the four computed in."""
    if isinstance(value, str) and value == "bfloat16":
        try:
            import ml_dtypes
        except ImportError as error:
            raise ImportError(f"{operation}: bfloat16 needs ml_dtypes: pip install 'tconv[bfloat16]'.") from error
        value = ml_dtypes.bfloat16
    try:
        dtype: np.dtype[Any] = np.dtype(value)  # type: ignore[call-overload]
    except MemoryError:
        raise
    except Exception as error:
        fail(operation, f"dtype={show(value)} must be one of {', '.join(_ARITHMETIC)}", TypeError, error)
    if value is None or dtype.name not in _ARITHMETIC or not dtype.isnative:
        fail(operation, f"dtype={show(value)} must be one of {', '.join(_ARITHMETIC)}", TypeError)
    return dtype


def name_of(dtype: np.dtype[Any]) -> str:
    """The name of a dtype that is computed in; NumPy puts it together each time, longer than a small call takes."""
    return _NAMES.get(dtype.char) or str(dtype.name)


def as_dtype(array: Array, dtype: np.dtype[Any]) -> Array:
    """`array` in C order, aligned and of `dtype`; itself if it is so already."""
    flags = array.flags
    if array.dtype == dtype and flags.c_contiguous and flags.aligned:
        return array
    return np.array(array, dtype=dtype, order="C")


def exactly(array: Array, dtype: np.dtype[Any]) -> Array:
    """`array` as as_dtype gives it, with the very object `dtype` as its dtype."""
    array = as_dtype(array, dtype)
    return array if array.dtype is dtype else array.view(dtype)


def storage(array: Array) -> Array:
    """What the core is given for `array`: bfloat16 travels as the 16-bit integers it is stored in."""
    dtype = array.dtype  # asking for a name takes long
    return array.view(np.uint16) if dtype.kind == "V" and dtype.name == "bfloat16" else array


def allocate(operation: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array for a result, from the memory of dead ones where that fits."""
    try:
        return _core.empty(shape, dtype)
    except MemoryError as error:
        fail(operation, f"a result of shape {shape} and dtype {dtype} cannot be allocated", MemoryError, error)


def check_out(
    operation: str,
    out: object,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    inputs: Iterable[tuple[str, Array | None]],
) -> Array:
    """`out`, if a result of `shape` and `dtype` can be written there.

    Raises:
        TypeError: it isn't an ndarray of `dtype`.
        ValueError: its shape is another; it is read-only, not C-contiguous or unaligned; it overlaps an input.
    """
    if not isinstance(out, np.ndarray):
        fail(operation, f"out must be a numpy.ndarray, not {type(out).__name__}", TypeError)
    if out.dtype != dtype or not out.dtype.isnative:
        fail(operation, f"out has dtype {out.dtype} but the result is {dtype}", TypeError)
    if out.shape != shape:
        fail(operation, f"out has shape {out.shape} but the result is {shape}")
    if hasattr(out, "mask"):
        fail(operation, "out must not be a masked array", TypeError)
    if not out.flags.writeable:
        fail(operation, "out is read-only", ValueError)
    if not out.flags.c_contiguous or not out.flags.aligned:
        fail(operation, f"out must be C-contiguous and aligned (its strides: {out.strides})", ValueError)
    for name, array in inputs:
        if array is not None and _overlap(out, array):
            fail(operation, f"out overlaps {name} in memory", ValueError)
    return out


def _overlap(a: Array, b: Array) -> bool:
    if not np.may_share_memory(a, b):
        return False
    effort: Any = 10_000
    try:
        return bool(np.shares_memory(a, b, max_work=effort))
    except RuntimeError:  # too hard to decide exactly
        return True
