"""Rows of the forward benchmark, their summary, and both as Markdown and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timing import DISTURBED, geometric_mean
from workloads import COMPUTE_BOUND, Workload

COLUMNS = ("workload", "tconv ms", "GFLOP/s", "% of peak", "best peer", "its ms", "ratio")


@dataclass
class Figure:
    """A peer on a workload: median seconds, median of (its time / tconv's), relative difference of the results."""

    seconds: float
    ratio: float | None
    difference: float


@dataclass
class Row:
    """A workload's outcome: tconv's median seconds (None without it), the peers, sgemm rates before and after."""

    workload: Workload
    seconds: float | None
    peers: dict[str, Figure]
    probes: tuple[float, float]
    failures: list[str] = field(default_factory=list)

    @property
    def best(self) -> str | None:
        """The peer that is hardest to beat, by ratio where there is one."""

        def rank(name: str) -> float:
            figure = self.peers[name]
            return figure.seconds if figure.ratio is None else figure.ratio

        return min(self.peers, key=rank, default=None)

    @property
    def ratio(self) -> float | None:
        """(The best peer's time) / tconv's."""
        return self.peers[self.best].ratio if self.best else None

    @property
    def gflops(self) -> float | None:
        """tconv's rate, GFLOP/s."""
        return self.workload.flops / self.seconds / 1e9 if self.seconds else None


@dataclass
class Report:
    """A whole run; `machine` is `machine.describe`, `peak` in GFLOP/s, `peak_source` says where it comes from."""

    machine: dict[str, Any]
    peak: float
    peak_source: str
    rows: list[Row] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def cells(self, row: Row) -> tuple[str, ...]:
        """The row's table entries, in the order of COLUMNS; a star marks a disturbed measurement."""
        best = row.peers[row.best] if row.best else None
        star = "*" if self.disturbed(row) else ""
        return (
            row.workload.name + star,
            _number(row.seconds, 1e3, 3),
            _number(row.gflops, 1, 1),
            _number(row.gflops, 100 / self.peak, 0),
            row.best or "-",
            _number(best.seconds if best else None, 1e3, 3),
            _number(row.ratio, 1, 2),
        )

    def disturbed(self, row: Row) -> bool:
        """Whether a probe beside the row was well below the best probe of the run."""
        return min(row.probes) < DISTURBED * max(max(other.probes) for other in self.rows)

    def summary(self) -> dict[str, Any]:
        """Geometric means, the worst ratio and the count of ratios of at least 1; {} without ratios."""
        ratios = {row.workload.name: row.ratio for row in self.rows if row.ratio is not None}
        if not ratios:
            return {}
        rates = {row.workload.name: row.gflops for row in self.rows if row.gflops is not None}
        worst = min(ratios, key=lambda name: ratios[name])
        return {
            "ratio": geometric_mean(list(ratios.values())),
            "ratio_compute_bound": geometric_mean(_subset(ratios)),
            "percent_of_peak": 100 / self.peak * geometric_mean(list(rates.values())),
            "percent_of_peak_compute_bound": 100 / self.peak * geometric_mean(_subset(rates)),
            "worst": {"workload": worst, "ratio": ratios[worst]},
            "at_least_one": sum(ratio >= 1 for ratio in ratios.values()),
            "compared": len(ratios),
        }

    def summary_lines(self) -> list[str]:
        """The summary, what is missing and what went wrong, as sentences."""
        lines = []
        if summary := self.summary():
            worst = summary["worst"]
            lines += [
                f"Geometric mean of (best peer's time / tconv's): {_means(summary, 'ratio', '.2f')}.",
                f"Geometric mean of the share of the peak, %: {_means(summary, 'percent_of_peak', '.0f')}.",
                f"Worst: {worst['workload']} at {worst['ratio']:.2f}. "
                f"At least 1: {summary['at_least_one']} of {summary['compared']}.",
            ]
        lines.append(f"Peak: {self.peak:.0f} GFLOP/s, {self.peak_source}.")
        if self.absent:
            lines.append(f"Absent: {', '.join(self.absent)}.")
        disturbed = [row.workload.name for row in self.rows if self.disturbed(row)]
        if disturbed:
            lines.append(f"* disturbed (a probe below {DISTURBED:.0%} of the run's best): {', '.join(disturbed)}.")
        return lines + [f"FAILED: {failure}" for row in self.rows for failure in row.failures]

    def markdown(self) -> str:
        """The run as a Markdown page."""
        machine = self.machine
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
        place = f"{machine['date']}; {machine['processor']}; {machine['threads']} threads; {machine['system']}"
        names = sorted({name for row in self.rows for name in row.peers})
        ratios = [
            (row.workload.name, *(_number(_ratio(row, name), 1, 2) for name in names))
            for row in self.rows
            if row.seconds is not None
        ]
        parts = [
            "# Forward, float32, channels-last `layer(x)`, NumPy in and out",
            f"{place}; {versions}.",
            "The ratio is the median of (the peer's time / tconv's) over neighbouring turns: above 1, tconv is faster.",
            _table(COLUMNS, [self.cells(row) for row in self.rows]),
            *self.summary_lines(),
        ]
        if ratios:
            parts += ["## The peer's time / tconv's", _table(("workload", *names), ratios)]
        return "\n\n".join(parts) + "\n"

    def json(self) -> str:
        """The run as JSON, times in milliseconds."""
        rows = [
            {
                "workload": row.workload.name,
                "flops": row.workload.flops,
                "traffic_bytes": row.workload.traffic,
                "tconv_ms": _milliseconds(row.seconds),
                "gflops": row.gflops,
                "best": row.best,
                "ratio": row.ratio,
                "peers": {
                    name: {"ms": _milliseconds(f.seconds), "ratio": f.ratio, "difference": f.difference}
                    for name, f in row.peers.items()
                },
                "probes_gflops": row.probes,
                "disturbed": self.disturbed(row),
                "failures": row.failures,
            }
            for row in self.rows
        ]
        head = {**self.machine, "peak_gflops": self.peak, "peak_source": self.peak_source, "absent": self.absent}
        return json.dumps(_plain({**head, "summary": self.summary(), "rows": rows}), indent=1) + "\n"

    def write(self, stem: Path) -> None:
        """Write `stem.json` and `stem.md`, making the folder."""
        stem.parent.mkdir(parents=True, exist_ok=True)
        stem.with_name(stem.name + ".json").write_text(self.json(), encoding="utf-8")
        stem.with_name(stem.name + ".md").write_text(self.markdown(), encoding="utf-8")


def line(cells: Sequence[str]) -> str:
    """One line of the table on the terminal."""
    return f"{cells[0]:<13}{cells[1]:>10}{cells[2]:>10}{cells[3]:>11}  {cells[4]:<13}{cells[5]:>10}{cells[6]:>8}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def _means(summary: dict[str, Any], key: str, form: str) -> str:
    subset = summary[f"{key}_compute_bound"]
    return f"{summary[key]:{form}}" + ("" if math.isnan(subset) else f"; compute-bound {subset:{form}}")


def _number(value: float | None, scale: float, digits: int) -> str:
    return "-" if value is None else f"{value * scale:.{digits}f}"


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def _ratio(row: Row, name: str) -> float | None:
    return row.peers[name].ratio if name in row.peers else None


def _subset(values: dict[str, float]) -> list[float]:
    return [value for name, value in values.items() if name in COMPUTE_BOUND]


def _plain(value: Any) -> Any:
    """`value` with floats of five significant digits, None for those JSON cannot say."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value
