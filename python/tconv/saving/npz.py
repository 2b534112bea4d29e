""".npz: one array for each weight under its name, read without NumPy's loader, which would believe every header."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from tconv._convert import Array
from tconv.saving.archive import Archive, leads_outside
from tconv.saving.entry import Entry, bits_of, widened

_ENDING = ".npy"
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_LONGEST_HEADER = 16_384


def write(file: BinaryIO, arrays: Mapping[str, Array]) -> None:
    """Writes arrays by names. bfloat16, which .npy has not, is written as float32: the values are the same."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            if leads_outside(name):
                raise ValueError(
                    f"weight '{name}' cannot be a member of a ZIP archive, being named like a path out of it."
                )
            info = zipfile.ZipInfo(name + _ENDING)  # of 1980: the same weights make the same file
            with archive.open(info, "w", force_zip64=True) as member:
                plain = widened(bits_of(array)) if array.dtype.name == "bfloat16" else array
                npy.write_array(member, np.asarray(plain, order="C"), allow_pickle=False)


def read(archive: Archive) -> dict[str, Entry]:
    """The arrays in an archive; only their headers are read yet.

    Raises:
        ValueError: a member is no array, or not as long as its header says.
    """
    others = [name for name in archive.names if not name.endswith(_ENDING)]
    if others:
        raise ValueError(f"it is a ZIP archive with '{others[0][:100]}', neither a .keras nor a .npz file.")
    return {name.removesuffix(_ENDING): _entry(archive, name) for name in archive.names}


def _entry(archive: Archive, name: str) -> Entry:
    start = archive.start(name, _LONGEST_HEADER)
    stream = io.BytesIO(start)
    try:
        version = npy.read_magic(stream)
        shape, transposed, dtype = _HEADERS[version](stream)
    except (ValueError, KeyError, EOFError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"'{name[:100]}' has no header of an array: {str(error)[:100]}.") from None
    offset = stream.tell()
    if dtype.hasobject:
        raise ValueError(f"'{name[:100]}' holds Python objects, which would have to be unpickled; that is never done.")
    count = 1
    for extent in shape:
        count *= extent
    if any(extent < 0 for extent in shape) or archive.size(name) != offset + count * dtype.itemsize:
        raise ValueError(f"'{name[:100]}' is not as long as its header says.")

    def load() -> Array:
        array = np.frombuffer(archive.read(name), dtype, count, offset)
        return array.reshape(shape, order="F" if transposed else "C").astype(dtype.newbyteorder("="), copy=False)

    return Entry(tuple(shape), dtype.newbyteorder("=").name, load)
