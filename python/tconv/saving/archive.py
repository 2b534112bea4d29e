"""ZIP archives of strangers: members are read into memory, never extracted, and none that looks odd is read at all."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import BinaryIO

# A deflated member may grow this much when it is long; Keras and NumPy store theirs as they are.
_LONG = 1 << 26
_GROWTH = 100


class Archive:
    """The members of a ZIP archive by their names.

    Args:
        file: open, seekable; read while the archive is in use.

    Raises:
        ValueError: it is no archive, or has members that are encrypted, there twice, of unknown compression,
            suspiciously large, or named like a place outside of the archive.
    """

    def __init__(self, file: BinaryIO) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, OSError) as error:
            raise ValueError(f"it is not a whole ZIP archive: {error}.") from None
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = info.filename
            if name in self._members:
                raise ValueError(f"member '{name[:100]}' is there twice.")
            self._members[name] = _checked(info)

    @property
    def names(self) -> list[str]:
        """The names of the members that are no folders."""
        return [name for name in self._members if not name.endswith("/")]

    def size(self, name: str) -> int:
        """The length of a member in bytes, as the archive says."""
        return self._members[name].file_size

    def read(self, name: str, limit: int | None = None) -> bytes:
        """The content of a member.

        Raises:
            ValueError: there is no such member, it is longer than `limit`, or damaged.
        """
        return self._read(name, limit, None)

    def start(self, name: str, length: int) -> bytes:
        """The first `length` bytes of a member, or all of it if it is shorter.

        Raises:
            ValueError: there is no such member, or it is damaged.
        """
        return self._read(name, None, length)

    def open(self, name: str) -> BinaryIO:
        """The content of a member as a file.

        Raises:
            ValueError: there is no such member, or it is damaged.
        """
        return io.BytesIO(self.read(name))

    def _read(self, name: str, limit: int | None, length: int | None) -> bytes:
        info = self._members.get(name)
        if info is None:
            raise ValueError(f"it has no member '{name}'.")
        if limit is not None and info.file_size > limit:
            raise ValueError(f"member '{name[:100]}' has {info.file_size} bytes; at most {limit} are read.")
        try:
            with self._zip.open(info) as member:
                content = member.read() if length is None else member.read(length)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
            raise ValueError(f"member '{name[:100]}' is damaged: {error}.") from None
        if length is None and len(content) != info.file_size:
            raise ValueError(f"member '{name[:100]}' ends after {len(content)} of {info.file_size} bytes.")
        return content


def leads_outside(name: str) -> bool:
    """Whether a member's name, taken as a path, could lead out of the folder that the archive is unpacked in."""
    parts = name.split("/")
    return ".." in parts or parts[0] == "" or "\\" in name or "\0" in name or name[1:2] == ":"


def _checked(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    shown = f"member '{info.filename[:100]}'"
    if leads_outside(info.filename) or info.orig_filename != info.filename:
        raise ValueError(f"{shown} is named like a place outside of the archive.")
    if info.flag_bits & 0x1:
        raise ValueError(f"{shown} is encrypted.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{shown} is compressed by method {info.compress_type}; stored and deflated ones are read.")
    if info.file_size > max(_LONG, _GROWTH * info.compress_size):
        raise ValueError(f"{shown} says to be {info.file_size} bytes in {info.compress_size}.")
    return info
