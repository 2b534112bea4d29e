"""A model's table in Keras' colours, by rich."""

from __future__ import annotations

from typing import Any

from tconv._summary import Cell, Table

_STYLES = {"number": "color(34)", "none": "color(45)", "class": "color(33)"}


def show(table: Table, console: Any = None) -> bool:
    """Prints the table by rich, if it can show colours there; whether it did.

    Args:
        table: what to print.
        console: a rich console; None for one on the standard output.

    Raises:
        ImportError: rich is not installed.
    """
    import rich.console
    import rich.table
    import rich.text

    console = rich.console.Console(highlight=False) if console is None else console
    if not (console.is_terminal or console.is_jupyter):
        return False
    ends = [int(end * table.length) for end in table.ends]
    widths = [end - begin for begin, end in zip([0, *ends], ends)]
    columns: Any = [
        rich.table.Column(title, justify=align, width=width)
        for title, align, width in zip(table.header, table.align, widths)
    ]
    grid = rich.table.Table(*columns, width=table.length, show_lines=True)
    for row in table.rows:
        grid.add_row(*(_styled(cell) for cell in row))
    console.width = max(console.width, table.length)
    console.print(rich.text.Text(table.title, "bold"))
    console.print(grid)
    for label, count, memory in table.totals:
        console.print(rich.text.Text.assemble((label, "bold"), (count, _STYLES["number"]), memory))
    return True


def _styled(cell: Cell) -> Any:
    import rich.text

    text = rich.text.Text(cell.text)
    for begin, end, mark in cell.marks:
        text.stylize(_STYLES[mark], begin, end)
    return text
