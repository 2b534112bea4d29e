"""A model's layers as a table, laid out as Keras prints it: by rich in colours on a terminal, else as plain text."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tconv import _args

if TYPE_CHECKING:
    from tconv.layers import Layer
    from tconv.models import Model
    from tconv.variable import Variable

_LEAST, _MOST = 40, 1000  # characters in a line


@dataclass(frozen=True)
class Cell:
    """Text in which the parts `marks` stand out: numbers, names of classes."""

    text: str
    marks: tuple[tuple[int, int, str], ...] = ()  # begin, end, "number", "none" or "class"


@dataclass(frozen=True)
class Table:
    """What is printed, before it is laid out.

    Attributes:
        title: the line above.
        header: the columns' titles.
        align: "left", "right" or "center" for each column.
        ends: where each column ends, as a part of the line.
        length: the characters in a line.
        rows: the cells.
        totals: the lines below: what is counted, and the count.
    """

    title: str
    header: tuple[str, ...]
    align: tuple[str, ...]
    ends: tuple[float, ...]
    length: int
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[tuple[str, str, str], ...]


def table(
    model: Model,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> Table:
    """The table of a model; its arguments are those of `Model.summary`.

    Raises:
        ValueError: the line is too short, or the positions or layers asked for are not there.
    """
    entries = model._table()
    branched = any(source is not None for _, _, source in entries)
    header: tuple[str, ...] = ("Layer (type)", "Output Shape", "Param #")
    align: tuple[str, ...] = ("left", "left", "right")
    ends: tuple[float, ...] = (0.45, 0.80, 1.0)
    longest = 88
    if branched:
        header, align = (*header, "Connected to"), (*align, "left")
        ends, longest = (0.3, 0.56, 0.74, 1.0), 108
    if positions is not None:
        if len(positions) != len(ends) or any(a >= b for a, b in zip((0, *positions), positions)) or positions[-1] > 1:
            raise ValueError(f"summary: positions={positions} must be {len(ends)} rising numbers up to 1.")
        ends = tuple(positions)
    if show_trainable:
        header, align = (*header, "Trainable"), (*align, "center")
        ends, longest = (*(0.9 * end for end in ends), 1.0), longest + 12
    length = max(_LEAST, min(longest, shutil.get_terminal_size().columns - 4)) if line_length is None else line_length
    length = _args.integer("summary", "line_length", length, least=_LEAST)
    if length > _MOST:
        _args.fail("summary", f"line_length={length} must be at most {_MOST}")
    first, last = _range([layer.name for layer, _, _ in entries], layer_range)
    rows = []
    for layer, shape, source, prefix in _expanded(entries[first:last], expand_nested):
        row = [_name(layer, prefix), _shape(shape), _count(layer)]
        row += [_source(source)] * branched + [_trainable(layer)] * show_trainable
        rows.append(tuple(row))
    optimizer = getattr(model, "optimizer", None)
    state = optimizer.variables if optimizer is not None and optimizer.built else []
    kinds = [
        ("Total", model.weights + state),
        ("Trainable", model.trainable_weights),
        ("Non-trainable", model.non_trainable_weights),
        *[("Optimizer", state)] * bool(state),
    ]
    totals = tuple((f" {kind} params: ", f"{_size(weights):,}", f" ({_memory(weights)})") for kind, weights in kinds)
    return Table(f'Model: "{model.name}"', header, align, ends, length, tuple(rows), totals)


def plain(table: Table) -> str:
    """The table as text."""
    widths = _widths(table.length, table.ends)
    lines = [table.title, _rule("┏━┳┓", widths), *_cells(table.header, table, widths, "┃"), _rule("┡━╇┩", widths)]
    for number, row in enumerate(table.rows):
        lines += [_rule("├─┼┤", widths)] * bool(number)
        lines += _cells([cell.text for cell in row], table, widths, "│")
    lines.append(_rule("└─┴┘", widths))
    lines += [label + count + memory for label, count, memory in table.totals]
    return "\n".join(lines)


def show(table: Table) -> None:
    """Prints the table: in colours where rich is installed and can show them."""
    from tconv import _colors

    with contextlib.suppress(ImportError):
        if _colors.show(table):
            return
    sys.stdout.write(plain(table) + "\n")
    sys.stdout.flush()


def _range(names: Sequence[str], bounds: Sequence[str] | None) -> tuple[int, int]:
    """The layers from the first to the last whose names the two patterns match."""
    if bounds is None:
        return 0, len(names)
    if isinstance(bounds, str) or len(bounds) != 2 or not all(isinstance(bound, str) for bound in bounds):
        raise ValueError(f"summary: layer_range={bounds!r} must be two names of layers.")
    found = [[index for index, name in enumerate(names) if re.match(bound, name)] for bound in bounds]
    if not all(found):
        raise ValueError(f"summary: layer_range={list(bounds)} does not match the names of the layers: {list(names)}.")
    return min(map(min, found)), max(map(max, found)) + 1


def _expanded(entries: Any, nested: bool, level: int = 0) -> Iterator[tuple[Layer, Any, str | None, str]]:
    """The layers, on request with those of the models among them below each, shifted to the right."""
    for layer, shape, source in entries:
        yield layer, shape, source if not level else None, "   " * level + "└ " if level else ""
        if nested and hasattr(layer, "_table"):
            yield from _expanded(layer._table(), nested, level + 1)


def _name(layer: Layer, prefix: str) -> Cell:
    start, kind = f"{prefix}{layer.name} (", type(layer).__name__
    return Cell(f"{start}{kind})", ((len(start), len(start) + len(kind), "class"),))


def _shape(shape: Any) -> Cell:
    return Cell("?") if shape is None else _numbered(_written(shape))


def _written(shape: Any) -> str:
    """Shapes as Keras writes them: one of one axis without a comma."""
    if isinstance(shape, dict):
        return "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in shape.items()) + "}"
    if isinstance(shape, list):
        return "[" + ", ".join(map(_written, shape)) + "]"
    return "(" + ", ".join(_written(inner) if isinstance(inner, tuple) else str(inner) for inner in shape) + ")"


def _count(layer: Layer) -> Cell:
    if not layer.built:
        return Cell("0 (unbuilt)", ((0, 1, "number"),))
    text = f"{layer.count_params():,}"
    return Cell(text, ((0, len(text), "number"),))


def _source(source: str | None) -> Cell:
    text = source or "-"
    found = re.finditer(r"\[(\d+)\]", text)
    return Cell(text, tuple((match.start(1), match.end(1), "number") for match in found))


def _trainable(layer: Layer) -> Cell:
    return Cell("-" if not layer.weights else "Y" if layer.trainable else "N")


def _numbered(text: str) -> Cell:
    """Text with its numbers and None marked."""
    found = re.finditer(r"\b(?:\d+|None)\b", text)
    return Cell(text, tuple((m.start(), m.end(), "none" if m.group() == "None" else "number") for m in found))


def _widths(length: int, ends: Sequence[float]) -> list[int]:
    """Characters per column, the blanks around its text included."""
    columns = [int(end * length) for end in ends]
    widths = [end - begin + 2 for begin, end in zip([0, *columns], columns)]
    excess = sum(widths) + len(widths) + 1 - length
    for column in range(len(widths)):
        cut = round(excess / (len(widths) - column))
        widths[column] -= cut
        excess -= cut
    return widths


def _rule(ends: str, widths: Sequence[int]) -> str:
    left, line, middle, right = tuple(ends)
    return left + middle.join(line * width for width in widths) + right


def _cells(row: Sequence[str], table: Table, widths: Sequence[int], bar: str) -> list[str]:
    columns = [_wrapped(text, width - 2) for text, width in zip(row, widths)]
    height = max(map(len, columns))
    aligned = [
        [_ALIGN[align](text, width - 2) for text in column + [""] * (height - len(column))]
        for column, width, align in zip(columns, widths, table.align)
    ]
    return [bar + bar.join(f" {text} " for text in line) + bar for line in zip(*aligned)]


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of whole words; of a word that is too long, the end is left out, as rich does."""
    indent = text[: len(text) - len(text.lstrip())]
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
    lines[0] = lines[0] if lines[0].startswith(indent) else indent + lines[0]
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines]


_ALIGN = {"left": str.ljust, "right": str.rjust, "center": str.center}


def _size(weights: Sequence[Variable]) -> int:
    return sum(weight.size for weight in weights)


def _memory(weights: Sequence[Variable]) -> str:
    size = float(sum(weight.size * weight.dtype.itemsize for weight in weights))
    unit = 0
    while size >= 1024 and unit < 5:
        size /= 1024
        unit += 1
    return f"{size:.2f} {('B', 'KB', 'MB', 'GB', 'TB', 'PB')[unit]}"
