"""The user's spelling -> exact tuples and enums. Every argument error is made here, in one form.

A message is one sentence: ``operation: argument[axis]=value why, what is legal.``
"""

from __future__ import annotations

import operator
import os
import reprlib
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple, NoReturn, SupportsIndex

import numpy as np

from tconv import config
from tconv._core import ShapeError

__all__ = [
    "Ints",
    "Paddings",
    "ShapeError",
    "Spec",
    "channels_first",
    "count",
    "entries",
    "extents",
    "fail",
    "geometry",
    "integer",
    "kernel_extents",
    "lowered",
    "mode",
    "number",
    "pair",
    "pairs",
    "per_axis",
    "plain",
    "rank",
    "show",
    "some_extents",
    "threads",
]

Ints = SupportsIndex | Sequence[SupportsIndex]
"""One integer for all axes, or one per axis."""
Paddings = str | SupportsIndex | Sequence[SupportsIndex | Sequence[SupportsIndex]]
"""A mode, a crop for all axes, or per axis one crop or one (begin, end)."""

LARGEST = 2**63 - 1
MAX_RANK = 62  # NumPy's 64 axes less batch and channels
MODES = ("valid", "same", "same_lower")
DATA_FORMATS = ("channels_last", "channels_first")

_MOST_THREADS = max(64, 4 * (os.cpu_count() or 1))

_short = reprlib.Repr()
_short.maxtuple = _short.maxlist = 8
_short.maxlevel = 3
_short.maxstring = _short.maxother = 60


def show(value: object) -> str:
    """A short repr on one line, of anything: also of what is huge or whose own repr raises."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**200:
        return f"{'-' if value < 0 else ''}2**{value.bit_length() - 1}.."
    try:
        text = " ".join(_short.repr(value).split())
    except MemoryError:
        raise
    except Exception:
        return f"<{type(value).__name__}>"
    return text if len(text) <= 100 else f"{text[:97]}..."


def fail(operation: str, text: str, kind: type[Exception] = ShapeError, cause: BaseException | None = None) -> NoReturn:
    """Raises `kind` with the message "operation: text."; the only place where messages are put together."""
    raise kind(f"{operation}: {text}.") from cause


def integer(operation: str, name: str, value: object, *, least: int | None = None) -> int:
    """`value` as an int of 64 bits. Whatever has ``__index__`` is an integer, but bool is not."""
    if type(value) is int and (0 if least is None else least) <= value <= LARGEST:  # nearly always
        return value
    if isinstance(value, (bool, np.bool_)):
        fail(operation, f"{name}={show(value)} must be an integer, not a bool", TypeError)
    try:
        number = int(operator.index(value))  # type: ignore[arg-type]
    except MemoryError:
        raise
    except Exception as error:
        fail(operation, f"{name}={show(value)} must be an integer", TypeError, error)
    if least is not None and number < least:
        fail(operation, f"{name}={show(number)} must be at least {least}")
    if not -LARGEST <= number <= LARGEST:
        fail(operation, f"{name}={show(number)} is beyond 2**63 - 1")
    return number


def number(operation: str, name: str, value: object) -> float:
    """`value` as a float; bool and text are no numbers."""
    if isinstance(value, (bool, np.bool_, str, bytes)):
        fail(operation, f"{name}={show(value)} must be a number", TypeError)
    try:
        return float(value)  # type: ignore[arg-type]
    except MemoryError:
        raise
    except Exception as error:
        fail(operation, f"{name}={show(value)} must be a number", TypeError, error)


def _is_integer(value: object) -> bool:
    if isinstance(value, (int, np.bool_)):
        return True
    if isinstance(value, (list, tuple)) or not hasattr(type(value), "__index__"):
        return False
    try:
        operator.index(value)  # type: ignore[arg-type]
    except MemoryError:
        raise
    except Exception:  # an array of several numbers: a sequence
        return False
    return True


def _is_sequence(value: object) -> bool:
    kind = type(value)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return False
    return (
        not isinstance(value, (str, bytes, bytearray, memoryview, Mapping, Set))
        and hasattr(kind, "__len__")
        and hasattr(kind, "__getitem__")
    )


def _length(operation: str, name: str, value: object) -> int:
    try:
        return len(value)  # type: ignore[arg-type]
    except MemoryError:
        raise
    except Exception as error:
        fail(operation, f"the length of {name} cannot be read ({type(error).__name__}: {error})", TypeError, error)


def _entries(operation: str, name: str, value: object, count: int) -> list[object]:
    """The `count` elements of a sequence whose length is known to be right."""
    try:
        return [value[i] for i in range(count)]  # type: ignore[index]
    except MemoryError:
        raise
    except Exception as error:
        fail(operation, f"{name} cannot be read ({type(error).__name__}: {error})", TypeError, error)


def count(value: object) -> int | None:
    """How many entries a sequence has; None for what is no sequence."""
    try:
        return len(value) if _is_sequence(value) else None  # type: ignore[arg-type]
    except MemoryError:
        raise
    except Exception:
        return None


def entries(operation: str, name: str, value: object) -> list[object]:
    """The entries of a sequence, whatever they are.

    Raises:
        TypeError: it is no sequence, or cannot be read.
    """
    if not _is_sequence(value):
        fail(operation, f"{name}={show(value)} must be a sequence", TypeError)
    return _entries(operation, name, value, _length(operation, name, value))


def plain(value: object, depth: int) -> bool:
    """Whether a value is None, an int, text, or a tuple of such, nested at most `depth` deep: equal ones are alike."""
    kind = type(value)
    if kind is int or kind is str or value is None:
        return True
    if type(value) is not tuple or depth == 0:
        return False
    return all(type(entry) is int or plain(entry, depth - 1) for entry in value)  # integers are most of it


def lowered(value: object) -> str | None:
    """A string in lower case; None for what is no string."""
    return str.lower(value) if isinstance(value, str) else None


def _counted(length: int) -> str:
    return "1 entry" if length == 1 else f"{length} entries"


def _axes(rank: int) -> str:
    return "1 spatial axis" if rank == 1 else f"{rank} spatial axes"


def per_axis(operation: str, name: str, value: object, rank: int, *, least: int | None = None) -> tuple[int, ...]:
    """One int per axis from an integer (for all axes) or a sequence of `rank` integers."""
    if _is_integer(value):
        return (integer(operation, name, value, least=least),) * rank
    if not _is_sequence(value):
        fail(operation, f"{name}={show(value)} must be an integer or one integer per axis", TypeError)
    length = _length(operation, name, value)
    if length != rank:
        fail(operation, f"{name}={show(value)} has {_counted(length)} but there {_are(rank)}")
    entries = enumerate(_entries(operation, name, value, rank))
    return tuple(integer(operation, f"{name}[{axis}]", entry, least=least) for axis, entry in entries)


def _are(rank: int) -> str:
    return f"{'is' if rank == 1 else 'are'} {_axes(rank)}"


def extents(operation: str, name: str, value: object, lengths: tuple[int, ...]) -> tuple[int, ...]:
    """A shape: integers >= 0; their number is one of `lengths`, if there are any."""
    if type(value) is tuple and (not lengths or len(value) in lengths):
        for n in value:
            if type(n) is not int or not 0 <= n <= LARGEST:
                break
        else:
            return value  # nearly always
    entries = enumerate(_shape_entries(operation, name, value, lengths))
    return tuple(integer(operation, f"{name}[{axis}]", entry, least=0) for axis, entry in entries)


def some_extents(operation: str, name: str, value: object, lengths: tuple[int, ...]) -> tuple[int | None, ...]:
    """A shape in which None is an extent that isn't known."""
    entries = enumerate(_shape_entries(operation, name, value, lengths))
    return tuple(
        None if entry is None else integer(operation, f"{name}[{axis}]", entry, least=0) for axis, entry in entries
    )


def _shape_entries(operation: str, name: str, value: object, lengths: tuple[int, ...]) -> list[object]:
    if not _is_sequence(value) or (isinstance(value, np.ndarray) and value.ndim != 1):
        fail(operation, f"{name}={show(value)} must be a sequence of integers", TypeError)
    length = _length(operation, name, value)
    if lengths and length not in lengths:
        legal = " or ".join(map(str, sorted(lengths)))
        fail(operation, f"{name}={show(value)} has {_counted(length)}; {legal} are needed")
    if length > MAX_RANK + 2:
        fail(operation, f"{name} has {_counted(length)}; at most {MAX_RANK + 2} are possible")
    return _entries(operation, name, value, length)


def kernel_extents(operation: str, value: object, axes_of_input: int) -> tuple[int, ...]:
    """`kernel_size` as one int per axis; an integer takes the rank from an input of `axes_of_input` axes."""
    if not _is_integer(value) and _is_sequence(value):
        rank = _length(operation, "kernel_size", value)
    else:
        rank = axes_of_input - 2
        if rank < 1:
            fail(operation, f"input_shape has {axes_of_input} entries; with an integer kernel_size it needs at least 3")
    if not 1 <= rank <= MAX_RANK:
        fail(operation, f"kernel_size has {_counted(rank)}; 1 to {MAX_RANK} are possible")
    return per_axis(operation, "kernel_size", value, rank, least=1)


def rank(operation: str, name: str, value: object) -> int:
    """A number of spatial axes."""
    number = integer(operation, name, value, least=1)
    if number > MAX_RANK:
        fail(operation, f"{name}={number} must be at most {MAX_RANK}")
    return number


def pairs(operation: str, name: str, value: object, count: int) -> tuple[tuple[int, int], ...]:
    """A sequence of `count` crops, each one integer or (begin, end)."""
    if not _is_sequence(value):
        fail(operation, f"{name}={show(value)} must be a sequence of {count} (begin, end)", TypeError)
    length = _length(operation, name, value)
    if length != count:
        fail(operation, f"{name}={show(value)} has {_counted(length)}; {count} are needed")
    entries = enumerate(_entries(operation, name, value, count))
    return tuple(pair(operation, f"{name}[{axis}]", entry) for axis, entry in entries)


class Spec(NamedTuple):
    """The geometry arguments of one call, exact: everything but the extents."""

    rank: int
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    mode: str  # "valid" | "same" | "same_lower" | "crop"
    crops: tuple[tuple[int, int], ...]  # (begin, end) per axis; zeros unless mode is "crop"
    output_padding: tuple[int, ...] | None
    output_shape: tuple[int, ...] | None
    groups: int
    channels_first: bool


def geometry(
    operation: str,
    rank: int,
    *,
    strides: object,
    padding: object,
    output_padding: object,
    output_shape: object,
    dilation_rate: object,
    groups: object,
    data_format: object,
) -> Spec:
    """Makes the geometry arguments of `operation` exact."""
    mode, crops = _padding(operation, padding, rank)
    return Spec(
        rank,
        per_axis(operation, "strides", strides, rank, least=1),
        per_axis(operation, "dilation_rate", dilation_rate, rank, least=1),
        mode,
        crops,
        None if output_padding is None else per_axis(operation, "output_padding", output_padding, rank, least=0),
        _output_shape(operation, output_shape, rank),
        integer(operation, "groups", groups, least=1),
        channels_first(operation, data_format),
    )


def _padding(operation: str, value: object, rank: int) -> tuple[str, tuple[tuple[int, int], ...]]:
    if isinstance(value, str):
        return mode(operation, value), ((0, 0),) * rank
    if _is_integer(value):
        crop = integer(operation, "padding", value)
        return "crop", ((crop, crop),) * rank
    if not _is_sequence(value):
        fail(operation, f"padding={show(value)} must be {_legal_padding()}", TypeError)
    length = _length(operation, "padding", value)
    if length != rank:
        hint = ""
        if rank == 1 and length == 2:
            pair = show(value if isinstance(value, tuple) else tuple(_entries(operation, "padding", value, 2)))
            hint = f"; for begin and end of the axis write padding=({pair},)"
        fail(operation, f"padding={show(value)} has {_counted(length)} but there {_are(rank)}{hint}")
    return "crop", pairs(operation, "padding", value, rank)


def _legal_padding() -> str:
    return '"valid", "same", "same_lower", an integer, or per axis one integer or one (begin, end)'


def mode(operation: str, value: str) -> str:
    """A padding mode, in any case."""
    lower = str.lower(value)  # its own lower() might do anything
    if lower in MODES:
        return lower
    if lower == "causal":
        text = f'padding="causal" has no meaning for a transposed convolution; legal is {_legal_padding()}'
        fail(operation, text, ValueError)
    fail(operation, f"padding={show(value)} is not known; legal is {_legal_padding()}", ValueError)


def pair(operation: str, name: str, value: object) -> tuple[int, int]:
    """A crop: one integer for both ends, or (begin, end)."""
    if _is_integer(value):
        crop = integer(operation, name, value)
        return crop, crop
    if not _is_sequence(value):
        fail(operation, f"{name}={show(value)} must be an integer or a (begin, end) of integers", TypeError)
    length = _length(operation, name, value)
    if length != 2:
        fail(operation, f"{name}={show(value)} has {_counted(length)}; (begin, end) has 2")
    begin, end = _entries(operation, name, value, 2)
    return integer(operation, f"{name}[0]", begin), integer(operation, f"{name}[1]", end)


def _output_shape(operation: str, value: object, rank: int) -> tuple[int, ...] | None:
    if value is None:
        return None
    if rank > 1 and _is_integer(value):
        fail(operation, f"output_shape={show(value)} must have one integer per axis ({_axes(rank)})", TypeError)
    return per_axis(operation, "output_shape", value, rank, least=0)


def channels_first(operation: str, value: object) -> bool:
    """Whether `data_format` is channels_first; None stands for the default."""
    if value is None:
        value = config.image_data_format()
    lower = lowered(value)
    if lower is None:
        fail(operation, f'data_format={show(value)} must be "channels_last" or "channels_first"', TypeError)
    if lower not in DATA_FORMATS:
        fail(operation, f'data_format={show(value)} must be "channels_last" or "channels_first"', ValueError)
    return lower == "channels_first"


def threads(operation: str, value: object) -> int:
    """`num_threads` as the core wants it: 0 stands for its own default. What no machine can start is cut off."""
    number = config.threads_setting() if value is None else integer(operation, "num_threads", value, least=1)
    return min(number, _MOST_THREADS)


ALGORITHMS = {"auto": "automatic", "direct": "direct", "fast": "fast"}
"""How users name the core's algorithms."""


def algorithm(operation: str, value: object) -> str:
    """One of ALGORITHMS, as users name it."""
    if type(value) is str and value in ALGORITHMS:
        return value
    legal = " or ".join(f'"{name}"' for name in ALGORITHMS)
    if not isinstance(value, str):
        fail(operation, f"algorithm={show(value)} must be {legal}", TypeError)
    if value not in ALGORITHMS:
        fail(operation, f"algorithm={show(value)} must be {legal}", ValueError)
    return str(value)
