"""The arithmetic of results: figures, rows of them, and what sums a run up."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tconv.bench.race import Timing

__all__ = ["Figure", "Row", "disturbed", "figure", "geometric_mean", "plain", "summary"]

DISTURBED = 0.85  # of the best probe of a run; a row beside a lower one is marked


@dataclass(frozen=True)
class Figure:
    """One contestant on one task.

    Attributes:
        seconds: the median of one call.
        ratio: the median over turns of (its time / the base's); None for a base.
        quartiles: the first and the third of those ratios.
        cores: the median number of busy cores.
        turns: how many were timed.
        difference: the result's largest difference from tconv's over the largest magnitude.
    """

    seconds: float
    ratio: float | None
    quartiles: tuple[float, float] | None
    cores: float
    turns: int
    difference: float = 0.0


@dataclass
class Row:
    """A task's outcome.

    Attributes:
        label: the task's name.
        wanted: "output", "dInput" or "dKernel".
        flops: by the workload's convention.
        ours: tconv's figure, None where it failed.
        theirs: the others' figures by name.
        missing: why others have none.
        probes: GFLOP/s of matrix products before and after.
        failures: what went wrong, as sentences.
        pooled: the names whose results live in memory that was used before.
    """

    label: str
    wanted: str
    flops: int
    ours: Figure | None = None
    theirs: dict[str, Figure] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    probes: tuple[float, ...] = ()
    failures: list[str] = field(default_factory=list)
    pooled: frozenset[str] = frozenset()

    def best(self, *, pooled: bool = False) -> str | None:
        """The peer that is hardest to beat; those with pooled memory count on request."""
        names = [name for name in self.theirs if _is_peer(name) and (pooled or name not in self.pooled)]
        return min(names, key=lambda name: _ratio(self.theirs[name]), default=None)

    def ratio(self, *, pooled: bool = False) -> float | None:
        """(The best peer's time) / tconv's."""
        best = self.best(pooled=pooled)
        return None if best is None else self.theirs[best].ratio

    @property
    def gflops(self) -> float | None:
        """tconv's rate, GFLOP/s."""
        return None if self.ours is None else self.flops / self.ours.seconds / 1e9


def figure(timing: Timing, difference: float = 0.0) -> Figure:
    """The medians of at least one turn."""
    ratios = timing.ratios
    quartiles = None
    if len(ratios) > 1:
        first, _, third = statistics.quantiles(ratios, n=4, method="inclusive")
        quartiles = (first, third)
    return Figure(
        seconds=statistics.median(timing.seconds),
        ratio=statistics.median(ratios) if ratios else None,
        quartiles=quartiles,
        cores=statistics.median(timing.cores),
        turns=len(timing.seconds),
        difference=difference,
    )


def geometric_mean(values: Sequence[float]) -> float:
    """The geometric mean of positive values, nan for none."""
    return math.exp(statistics.fmean(map(math.log, values))) if values else math.nan


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """What sums the rows up, {} where nothing was compared.

    Returns:
        For each kind of task, "ratio" and "ratio_pooled" (geometric means of the best peer's time / tconv's), "worst"
        (a label and its ratio), "at_least_one" and "compared" (counts); and "peers", the geometric mean of each alone.
    """
    kinds = {}
    for wanted in dict.fromkeys(row.wanted for row in rows):
        ratios = {row.label: ratio for row in rows if row.wanted == wanted and (ratio := row.ratio()) is not None}
        pooled = [ratio for row in rows if row.wanted == wanted and (ratio := row.ratio(pooled=True)) is not None]
        if ratios:
            worst = min(ratios, key=lambda label: ratios[label])
            kinds[wanted] = {
                "ratio": geometric_mean(list(ratios.values())),
                "ratio_pooled": geometric_mean(pooled),
                "worst": {"workload": worst, "ratio": ratios[worst]},
                "at_least_one": sum(ratio >= 1 for ratio in ratios.values()),
                "compared": len(ratios),
            }
    names = dict.fromkeys(name for row in rows for name in row.theirs)
    peers = {name: geometric_mean([_ratio(row.theirs[name]) for row in rows if name in row.theirs]) for name in names}
    return {"kinds": kinds, "peers": peers} if peers else {}


def disturbed(row: Row, rows: Sequence[Row]) -> bool:
    """Whether a probe beside the row was well below the best probe of the run."""
    best = max((probe for other in rows for probe in other.probes), default=0.0)
    return min(row.probes, default=best) < DISTURBED * best


def plain(value: Any) -> Any:
    """`value` with floats of five significant digits, None for those JSON cannot say."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


def _is_peer(name: str) -> bool:
    return name.partition("-")[0] != "tconv"


def _ratio(figure: Figure) -> float:
    return math.inf if figure.ratio is None else figure.ratio
