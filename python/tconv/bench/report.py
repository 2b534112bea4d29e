"""A race's results as lines on the terminal, as a Markdown page and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tconv.bench.figures import DISTURBED, Figure, Row, disturbed, plain, summary

__all__ = ["Report", "aligned", "heading", "table"]

COLUMNS = ("workload", "tconv {unit}", "GFLOP/s", "% of peak", "best peer", "its {unit}", "ratio", "pooled", "ratio")
NAMES = ("workload", "best peer", "pooled")
UNITS = {"ms": 1e3, "us": 1e6}
EXTRA_CORES = 0.25  # more busy cores than threads and these: the contestant did not keep to its threads


@dataclass
class Report:
    """A whole run.

    Attributes:
        title: what was measured.
        machine: `machine.describe`.
        unit: of times in tables, "ms" or "us".
        given_peak: GFLOP/s, None for the best probe of the run.
        absent: peers that are not there, and why.
    """

    title: str
    machine: dict[str, Any]
    unit: str = "ms"
    given_peak: float | None = None
    rows: list[Row] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def peak(self) -> float:
        """GFLOP/s that shares are of."""
        return self.given_peak or max((probe for row in self.rows for probe in row.probes), default=float("nan"))

    @property
    def failures(self) -> list[str]:
        """What went wrong, as sentences."""
        return [failure for row in self.rows for failure in row.failures]

    def columns(self) -> list[str]:
        """The names of the entries of `cells`."""
        return [column.format(unit=self.unit) for column in COLUMNS]

    def cells(self, row: Row) -> list[str]:
        """The row's table entries; a star marks a disturbed one."""
        best, pooled = row.best(), row.best(pooled=True)
        return [
            row.label + ("*" if disturbed(row, self.rows) else ""),
            self._time(row.ours),
            _number(row.gflops, 1),
            _number(None if row.gflops is None else 100 * row.gflops / self.peak, 0),
            best or "-",
            self._time(row.theirs.get(best or "")),
            _number(row.ratio(), 2),
            pooled or "-",
            _number(row.ratio(pooled=True), 2),
        ]

    def summary_lines(self) -> list[str]:
        """The summary, what is missing and what went wrong, as sentences."""
        lines, sums = [], summary(self.rows)
        for kind, facts in sums.get("kinds", {}).items():
            worst = facts["worst"]
            lines.append(
                f"{kind}: geometric mean of (best peer's time / tconv's) {facts['ratio']:.2f}, with pooled memory too "
                f"{facts['ratio_pooled']:.2f}; worst {worst['workload']} at {worst['ratio']:.2f}; at least 1 in "
                f"{facts['at_least_one']} of {facts['compared']}."
            )
        if sums:
            means = ", ".join(f"{name} {mean:.2f}" for name, mean in sums["peers"].items())
            lines.append(f"Geometric mean of each alone, over what it computes: {means}.")
        source = "given" if self.given_peak else "the best of the run's probes, NumPy's matrix product of 1024^3"
        lines.append(f"Peak: {self.peak:.0f} GFLOP/s, {source}.")
        if self.absent:
            lines.append(f"Absent: {', '.join(self.absent)}.")
        if stars := [row.label for row in self.rows if disturbed(row, self.rows)]:
            lines.append(f"* disturbed, a probe below {DISTURBED:.0%} of the run's best: {', '.join(stars)}.")
        if busy := self._busier():
            lines.append(f"Busier than {self.machine['threads']} threads: {', '.join(busy)}.")
        return lines + [f"FAILED: {failure}" for failure in self.failures]

    def markdown(self) -> str:
        """The run as a Markdown page."""
        names = list(dict.fromkeys(name for row in self.rows for name in (*row.theirs, *row.missing)))
        ratios = [[row.label, *(self._ratio(row, name) for name in names)] for row in self.rows]
        parts = [
            *heading(self.title, self.machine),
            "A ratio is the median over neighbouring turns of (the peer's time / tconv's): above 1, tconv is faster. "
            "The best peer is of those with their own allocation; behind `pooled`, of those too whose results live in "
            "memory that was used before.",
            table(self.columns(), [self.cells(row) for row in self.rows]),
            *self.summary_lines(),
        ]
        if names:
            parts += [f"## The other's time / tconv's, {self.unit} in brackets", table(["workload", *names], ratios)]
        return "\n\n".join(parts) + "\n"

    def data(self) -> dict[str, Any]:
        """The run for JSON, times in milliseconds."""
        rows = [
            {
                "workload": row.label,
                "wanted": row.wanted,
                "flops": row.flops,
                "tconv": _figure(row.ours),
                "gflops": row.gflops,
                "best": row.best(),
                "ratio": row.ratio(),
                "best_pooled": row.best(pooled=True),
                "ratio_pooled": row.ratio(pooled=True),
                "others": {name: _figure(each) for name, each in row.theirs.items()},
                "missing": row.missing,
                "probes_gflops": row.probes,
                "disturbed": disturbed(row, self.rows),
                "failures": row.failures,
            }
            for row in self.rows
        ]
        head = {"title": self.title, **self.machine, "peak_gflops": self.peak, "absent": self.absent}
        exact: dict[str, Any] = plain({**head, "summary": summary(self.rows), "rows": rows})
        return exact

    def _time(self, figure: Figure | None) -> str:
        return "-" if figure is None else _number(figure.seconds * UNITS[self.unit], 3 if self.unit == "ms" else 2)

    def _ratio(self, row: Row, name: str) -> str:
        figure = row.theirs.get(name)
        if figure is None or figure.ratio is None:
            return "-"
        return f"{figure.ratio:.2f} ({self._time(figure)})"

    def _busier(self) -> list[str]:
        """Contestants that used more cores than they were told to."""
        most: dict[str, float] = {}
        for row in self.rows:
            for name, figure in [("tconv", row.ours), *row.theirs.items()]:
                if figure is not None:
                    most[name] = max(most.get(name, 0.0), figure.cores)
        limit = self.machine["threads"] + EXTRA_CORES
        return [f"{name} ({cores:.1f} cores)" for name, cores in most.items() if cores > limit]


def heading(title: str, machine: dict[str, Any]) -> list[str]:
    """The first paragraphs of a page: what, when, where, with which versions."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    place = f"{machine['date']}; {machine['processor']}; {machine['threads']} threads; {machine['system']}"
    return [f"# {title}", f"{place}; {versions}."]


def aligned(cells: Sequence[str], columns: Sequence[str]) -> str:
    """A line of a table on the terminal; columns of names are wide."""
    widths = [22 if column in NAMES else max(8, len(column) + 2) for column in columns]
    first, *rest = [f"{cell:>{width}}" for cell, width in zip(cells, widths)]
    return first.strip().ljust(widths[0]) + "".join(rest)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def _figure(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    return {
        "ms": 1e3 * figure.seconds,
        "ratio": figure.ratio,
        "quartiles": figure.quartiles,
        "cores": figure.cores,
        "turns": figure.turns,
        "difference": figure.difference,
    }


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
