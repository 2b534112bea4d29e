"""One picture of a race: (the other's time / tconv's) per task, all contestants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tconv.bench.figures import Row
from tconv.bench.report import Report

__all__ = ["draw"]

MARKERS = "osD^v<>Pp*hX8"


def draw(report: Report, path: Path) -> None:
    """Writes the picture; hollow marks have pooled memory.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('the picture needs matplotlib: pip install "tconv[bench]"') from error
    rows = [row for row in report.rows if row.theirs]
    figure = Figure(figsize=(9, 1.6 + 0.26 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = list(dict.fromkeys(name for row in rows for name in row.theirs))
    colors = _colors(names)
    for number, name in enumerate(names):
        ratios, places = _points(rows, name)
        hollow = any(name in row.pooled for row in rows)
        color = colors[name]
        axes.scatter(
            ratios,
            places,
            s=30,
            marker=MARKERS[number % len(MARKERS)],
            facecolors="none" if hollow else color,
            edgecolors=color,
            label=name,
            zorder=3,
        )
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(True, axis="both", which="both", alpha=0.25)
    axes.set_xlabel("the other's time / tconv's: right of 1, tconv is faster")
    axes.set_title(f"{report.title}\n{report.machine['processor']}, {report.machine['threads']} threads", fontsize=10)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _points(rows: Sequence[Row], name: str) -> tuple[list[float], list[int]]:
    found = [(row.theirs[name].ratio, place) for place, row in enumerate(rows) if name in row.theirs]
    exact = [(ratio, place) for ratio, place in found if ratio is not None]
    return [ratio for ratio, _ in exact], [place for _, place in exact]


def _colors(names: Sequence[str]) -> dict[str, str]:
    """A colour for each library, the same for all of its configurations."""
    libraries = list(dict.fromkeys(name.partition("-")[0] for name in names))
    return {name: f"C{libraries.index(name.partition('-')[0]) % 10}" for name in names}
