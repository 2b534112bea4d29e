"""What `tconv bench MODE` does: generators that say lines as they go, and return an outcome."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tconv.bench.contestants import Contestant, RefusedError, entered
from tconv.bench.figures import Figure, Row, figure
from tconv.bench.machine import describe
from tconv.bench.peers import find
from tconv.bench.peers.base import Peer
from tconv.bench.peers.ours import PRODUCT_FLOPS
from tconv.bench.race import alone, race
from tconv.bench.report import Report, aligned
from tconv.bench.workloads import GRAD_INPUT, GRAD_KERNEL, OUTPUT, Task, Workload

__all__ = ["Lines", "Options", "Outcome", "compare", "versions"]

TOLERANCES = {"float32": 1e-4, "float64": 1e-10, "float16": 1e-2, "bfloat16": 5e-2}
"""Largest difference of two results over the largest magnitude: sums in other orders, 16-bit results rounded once."""

PROBES = 5  # products in a probe


@dataclass(frozen=True)
class Options:
    """A run: `peers` and `workloads` as chosen, `seconds` of timed calls each, `peak` in GFLOP/s if it is given."""

    mode: str
    workloads: Sequence[Workload]
    peers: Sequence[Peer]
    threads: int
    seconds: float = 0.25
    dtype: str = "float32"
    data_format: str = "channels_last"
    peak: float | None = None

    @property
    def stem(self) -> str:
        """The name of the files with the results, without ending."""
        words = [self.mode]
        if self.dtype != ("float64" if self.mode == "f64" else "float32"):
            words.append(self.dtype)
        if self.data_format != "channels_last":
            words.append(self.data_format)
        return "-".join([*words, f"{self.threads}-threads"])


@dataclass(frozen=True)
class Outcome:
    """Results: a Markdown page, data for JSON, whether all is well, and how to draw them, where there is a picture."""

    markdown: str
    data: dict[str, Any]
    failures: list[str] = field(default_factory=list)
    draw: Callable[[Path], None] | None = None


Lines = Generator[str, None, Outcome]


def compare(options: Options) -> Lines:
    """tconv beside its peers: the modes forward, gradients, f64 and tiny."""
    title = _title(options)
    own = ["tconv"] if options.dtype == "float32" else ["tconv", "tconv-float32"]
    everybody = [Contestant(peer, options.threads) for peer in (find("probe"), *map(find, own), *options.peers)]
    with entered(everybody) as (probe, base, *others), tempfile.TemporaryDirectory() as folder:
        report = Report(
            title=title,
            machine=describe(options.threads, versions([base, *others])),
            unit="us" if options.mode == "tiny" else "ms",
            given_peak=options.peak,
            absent={each.name: each.reason for each in everybody if each.version is None},
        )
        columns = report.columns()
        yield aligned(columns, columns)
        for task in _tasks(options):
            report.rows.append(_row(task, probe, base, others, options.seconds, Path(folder, "reference.npy")))
            yield aligned(report.cells(report.rows[-1]), columns)
    yield from report.summary_lines()
    return Outcome(report.markdown(), report.data(), report.failures, draw=_drawing(report))


def versions(contestants: Sequence[Contestant]) -> dict[str, str]:
    """The version of each library."""
    return {each.peer.library: each.version for each in contestants if each.version is not None}


def prepared(
    task: Task, base: Contestant, others: Sequence[Contestant], reference: Path
) -> tuple[dict[str, dict[str, float]], dict[str, str], list[str]]:
    """Readies all for a task and compares their results with the base's.

    Returns:
        What `prepare` answered, by name, for those that can be timed; why the others cannot; what went wrong.

    Raises:
        RefusedError: the base cannot.
    """
    ready = {base.name: base.prepare(task, save=str(reference))}
    missing: dict[str, str] = {}
    failures: list[str] = []
    for other in others:
        try:
            answer = other.prepare(task, reference=str(reference))
        except RefusedError as refusal:
            missing[other.name] = str(refusal)
            continue
        if answer["difference"] <= max(TOLERANCES[task.dtype], TOLERANCES[other.peer.computes_in(task)]):
            ready[other.name] = answer
        else:
            missing[other.name] = f"differs by {answer['difference']:.1e}"
            failures.append(f"{task.label}: {other.name} differs from {base.name} by {answer['difference']:.1e}.")
    return ready, missing, failures


def probed(probe: Contestant) -> float:
    """GFLOP/s of a matrix product: whether the cores are ours."""
    return PRODUCT_FLOPS / probe.turn(PROBES).seconds / 1e9


def _row(
    task: Task, probe: Contestant, base: Contestant, others: Sequence[Contestant], seconds: float, reference: Path
) -> Row:
    """One task: results compared, then tconv timed against each peer in turn."""
    row = Row(task.label, task.wanted, task.workload.flops)
    row.pooled = frozenset(other.name for other in others if other.peer.pooled)
    try:
        probe.prepare(task)
        ready, row.missing, row.failures = prepared(task, base, others, reference)
        before = probed(probe)
        row.ours, timed, broken = _timed(base, [other for other in others if other.name in ready], ready, seconds)
        row.theirs, row.probes = timed, (before, probed(probe))
        row.missing.update(broken)
    except RefusedError as refusal:
        row.failures.append(f"{task.label}: {refusal}.")
    return row


def _timed(
    base: Contestant, others: Sequence[Contestant], ready: dict[str, dict[str, float]], seconds: float
) -> tuple[Figure, dict[str, Figure], dict[str, str]]:
    expected = {name: answer["seconds"] for name, answer in ready.items()}
    timings, bases = race([(base, other) for other in others], expected, seconds)
    ours = bases.get(base.name)
    if ours is None or not ours.seconds:
        ours = alone(base, expected[base.name], seconds)
    theirs = {name: figure(timing, ready[name]["difference"]) for name, timing in timings.items() if timing.seconds}
    return figure(ours), theirs, {name: timing.reason for name, timing in timings.items() if timing.reason}


def _tasks(options: Options) -> Iterator[Task]:
    wanted = (GRAD_INPUT, GRAD_KERNEL) if options.mode == "gradients" else (OUTPUT,)
    for kind in wanted:
        for workload in options.workloads:
            yield Task(workload, kind, options.dtype, options.data_format)


def _title(options: Options) -> str:
    what = {
        "gradients": "Gradients, `conv_transpose_grad_input` and `conv_transpose_grad_kernel`",
        "tiny": "Tiny calls, `layer(x)`",
    }.get(options.mode, "Forward, `layer(x)`")
    return f"{what}, NumPy in and out, {options.dtype}, {options.data_format}"


def _drawing(report: Report) -> Callable[[Path], None] | None:
    if not any(row.theirs for row in report.rows):
        return None

    def draw_report(path: Path) -> None:
        from tconv.bench.picture import draw

        draw(report, path)

    return draw_report
