"""Opening files, replacing them whole, and saying what is wrong with one."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from typing import BinaryIO, cast

_LONGEST = 1000  # characters of an error

Path = str | os.PathLike[str]


def text(path: Path) -> str:
    """A path as a string.

    Raises:
        TypeError: it is none.
    """
    name = os.fspath(path)
    if not isinstance(name, str):
        raise TypeError(f"path={path!r} must be a string or a path.")
    return name


def check_replaceable(path: str, overwrite: bool) -> None:
    """Refuses a path where there is a file, if it may not be replaced."""
    if not overwrite and os.path.lexists(path):
        raise FileExistsError(f"{path} exists; give overwrite=True to replace it.")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, that takes the place of `path` at the end, whole.

    It is written beside `path`, to disk, and then renamed, so that at any moment `path` is the old file or the new one.
    When writing fails the old one stays and nothing else does. A link is followed; permissions are kept.

    Raises:
        OSError: the folder does not exist or cannot be written to, or `path` is not a regular file.
    """
    target = os.path.realpath(text(path))
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(target).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(f"{text(path)} is not a regular file and cannot be replaced.")
    folder = os.path.dirname(target)
    beside = os.path.join(folder, f".tconv-{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, text(path)) from None  # not the name that nobody gave
    try:
        with os.fdopen(descriptor, "w+b") as file:
            if mode is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            yield cast(BinaryIO, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    _keep_name(folder)


def _keep_name(folder: str) -> None:
    """Writes the folder's list of names to disk; some file systems cannot, and need not."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """The open file; whatever is wrong with what it holds is a ValueError that names it.

    Raises:
        OSError: there is no such file, or it may not be read.
        ImportError: reading it takes a package that is not installed.
        ValueError: it does not hold what it should.
    """
    with open(text(path), "rb") as file, blaming(path):
        yield file


@contextlib.contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Turns what goes wrong within into a ValueError that names the file."""
    try:
        yield
    except ImportError:
        raise
    except RecursionError as error:
        raise ValueError(f"{text(path)}: its content is nested too deeply.") from error
    except MemoryError as error:
        raise ValueError(f"{text(path)}: what it describes does not fit into memory: {error}.") from error
    except (ValueError, TypeError) as error:
        sentence = str(error)  # may quote what the file has, however long that is
        shown = sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST]} ..."
        raise ValueError(f"{text(path)}: {shown}") from error
    except Exception as error:
        raise ValueError(f"{text(path)}: it cannot be read: {type(error).__name__}: {error}.") from error
