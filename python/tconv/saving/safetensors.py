""".safetensors, written and read by hand.

The format is small enough for that: eight bytes with the length of a header, the header in JSON, which gives each array
a dtype, a shape and a range of bytes, and those bytes. So it needs NumPy alone, and what a header may say is checked
here, in one place, before anything is allocated.
https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import itertools
import json
import math
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from tconv._convert import Array
from tconv.saving.entry import Entry, bits_of, widened

_LONGEST_HEADER = 100_000_000  # as in the format's own reader
_DTYPES = {
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "BOOL": "bool",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
}
_NAMES = {name: short for short, name in _DTYPES.items()}
_SIZES = {short: 2 if short == "BF16" else np.dtype(name).itemsize for short, name in _DTYPES.items()}


def write(file: BinaryIO, arrays: Mapping[str, Array]) -> None:
    """Writes arrays by names, one after the other, each little-endian and in C order."""
    header, end = {}, 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype.name], "shape": array.shape, "data_offsets": (begin, end)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of eight
    file.write(struct.pack("<Q", len(text)) + text)
    for array in arrays.values():
        plain = bits_of(array) if array.dtype.name == "bfloat16" else np.asarray(array, order="C")
        file.write(plain.astype(plain.dtype.newbyteorder("<"), copy=False).data)


def read(file: BinaryIO) -> dict[str, Entry]:
    """The arrays in a file, of which nothing but the header is read yet.

    Raises:
        ValueError: it is no such file, or its arrays do not fill it exactly.
    """
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 2 <= length <= min(_LONGEST_HEADER, size - 8):
        raise ValueError("it is none of the files that hold weights: .keras, .h5, .npz and .safetensors.")
    header = _header(file.read(length))
    begin = 8 + length
    _check_ranges([entry["data_offsets"] for entry in header.values()], size - begin)
    return {name: _entry(file, begin, entry) for name, entry in header.items()}


def _header(text: bytes) -> dict[str, dict[str, Any]]:
    """The header's arrays, each with the three things it must have."""
    try:
        header = json.loads(text.decode(), object_pairs_hook=_distinct)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"its header is no JSON: {error}.") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object.")
    header.pop("__metadata__", None)
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"'{name[:100]}' in its header must have dtype, shape and data_offsets.")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        whole = all(
            isinstance(part, list) and all(type(n) is int and n >= 0 for n in part) for part in (shape, offsets)
        )
        if not isinstance(dtype, str) or dtype not in _SIZES:
            raise ValueError(f"'{name[:100]}' has dtype {str(dtype)[:40]}; known are {', '.join(_SIZES)}.")
        if not whole or len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * _SIZES[dtype]:
            raise ValueError(f"'{name[:100]}' has a shape and data_offsets that are no sizes or do not agree.")
    return header


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("its header has a name twice.")
    return made


def _check_ranges(ranges: list[list[int]], size: int) -> None:
    """The arrays' bytes must follow one another, from the first to the last of the file."""
    ordered = sorted(ranges)
    steps = itertools.pairwise([[0, 0], *ordered, [size, size]])
    if any(before[1] != after[0] for before, after in steps):
        raise ValueError(f"its arrays do not fill its {size} bytes of data exactly; it is cut off or damaged.")


def _entry(file: BinaryIO, begin: int, entry: Mapping[str, Any]) -> Entry:
    short, shape = entry["dtype"], tuple(entry["shape"])
    first, last = entry["data_offsets"]

    def load() -> Array:
        file.seek(begin + first)
        content = file.read(last - first)
        if len(content) != last - first:
            raise ValueError("it ends before its last array does.")
        if short == "BF16":
            return widened(np.frombuffer(content, "<u2")).reshape(shape)
        dtype = np.dtype(_DTYPES[short])
        return np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)

    return Entry(shape, _DTYPES[short], load)
