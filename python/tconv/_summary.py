"""A model's layers as a table, laid out as Keras prints it."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tconv import _args

if TYPE_CHECKING:
    from tconv.layers import Layer
    from tconv.models import Model
    from tconv.variable import Variable

_POSITIONS = (0.45, 0.80, 1.0)  # where the columns end, of the line
_HEADER = ("Layer (type)", "Output Shape", "Param #")
_BRANCHED_POSITIONS = (0.3, 0.56, 0.74, 1.0)
_BRANCHED_HEADER = (*_HEADER, "Connected to")


def summary(model: Model, line_length: int | None = None) -> str:
    """The table and the counts below it; where layers branch, with a column that says what each is connected to."""
    table = model._table()
    branched = any(source is not None for _, _, source in table)
    positions, header = (_BRANCHED_POSITIONS, _BRANCHED_HEADER) if branched else (_POSITIONS, _HEADER)
    longest = 108 if branched else 88
    terminal = shutil.get_terminal_size().columns - 4
    length = max(40, min(longest, terminal)) if line_length is None else line_length
    length = _args.integer("summary", "line_length", length, least=40)
    if length > 1000:
        _args.fail("summary", f"line_length={length} must be at most 1000")
    widths = _widths(length, positions)
    lines = [f'Model: "{model.name}"', _rule("┏━┳┓", widths), *_cells(header, widths, "┃"), _rule("┡━╇┩", widths)]
    for number, (layer, shape, source) in enumerate(table):
        row = [f"{layer.name} ({type(layer).__name__})", "?" if shape is None else str(shape), _count(layer)]
        lines += [_rule("├─┼┤", widths)] * bool(number)
        lines += _cells([*row, source or "-"][: len(widths)], widths, "│")
    lines.append(_rule("└─┴┘", widths))
    lines.append(f" Total params: {_total(model.weights)}")
    lines.append(f" Trainable params: {_total(model.trainable_weights)}")
    lines.append(f" Non-trainable params: {_total(model.non_trainable_weights)}")
    return "\n".join(lines)


def _widths(length: int, positions: Sequence[float]) -> list[int]:
    """Characters per column, the blanks around its text included."""
    ends = [int(position * length) for position in positions]
    widths = [end - begin + 2 for begin, end in zip([0, *ends], ends)]
    excess = sum(widths) + len(widths) + 1 - length
    for column in range(len(widths)):
        cut = round(excess / (len(widths) - column))
        widths[column] -= cut
        excess -= cut
    return widths


def _rule(ends: str, widths: Sequence[int]) -> str:
    left, line, middle, right = tuple(ends)
    return left + middle.join(line * width for width in widths) + right


def _cells(row: Sequence[str], widths: Sequence[int], bar: str) -> list[str]:
    columns = [textwrap.wrap(text, width - 2) or [""] for text, width in zip(row, widths)]
    height = max(map(len, columns))
    padded = [column + [""] * (height - len(column)) for column in columns]
    aligned = [
        [text.rjust(width - 2) if number == 2 else text.ljust(width - 2) for text in column]
        for number, (column, width) in enumerate(zip(padded, widths))
    ]
    return [bar + bar.join(f" {text} " for text in line) + bar for line in zip(*aligned)]


def _count(layer: Layer) -> str:
    return f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"


def _total(weights: Sequence[Variable]) -> str:
    size = float(sum(weight.size * weight.dtype.itemsize for weight in weights))
    unit = 0
    while size >= 1024 and unit < 5:
        size /= 1024
        unit += 1
    return f"{sum(weight.size for weight in weights):,} ({size:.2f} {('B', 'KB', 'MB', 'GB', 'TB', 'PB')[unit]})"
