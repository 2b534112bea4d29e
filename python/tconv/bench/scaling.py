"""`tconv bench scaling`: one thread against more, each library against itself."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tconv.bench.contestants import Contestant, RefusedError, entered
from tconv.bench.figures import Figure, figure, geometric_mean, plain
from tconv.bench.machine import describe
from tconv.bench.modes import Lines, Options, Outcome, prepared, probed, versions
from tconv.bench.peers import find
from tconv.bench.race import race
from tconv.bench.report import aligned, heading, table
from tconv.bench.workloads import Task

__all__ = ["scale", "thread_counts"]


def thread_counts(most: int) -> list[int]:
    """1, 2, 4 ... and `most`."""
    counts = [1]
    while 2 * counts[-1] < most:
        counts.append(2 * counts[-1])
    return [*counts, most] if most > 1 else counts


def scale(options: Options) -> Lines:
    """Times 1, 2, 4 ... threads of each contestant in turns with its 1 thread."""
    counts = thread_counts(options.threads)
    field = [
        Contestant(peer, count, f"{peer.name}@{count}") for peer in (find("tconv"), *options.peers) for count in counts
    ]
    rows: list[dict[str, Any]] = []
    with entered([Contestant(find("probe"), options.threads), *field]) as (probe, *present):
        machine = describe(options.threads, versions(present))
        libraries = list(dict.fromkeys(each.peer.name for each in present))
        columns = _columns(libraries, counts)
        yield aligned(columns, columns)
        with tempfile.TemporaryDirectory() as folder:
            for workload in options.workloads:
                task = Task(workload, dtype=options.dtype, data_format=options.data_format)
                rows.append(_row(task, probe, present, options.seconds, Path(folder, "reference.npy")))
                yield aligned(_cells(rows[-1], libraries, counts), columns)
    cells = [_cells(row, libraries, counts) for row in rows]
    means = _means(rows, libraries, counts[1:])
    sentences = [f"Geometric mean of the speedup: {', '.join(f'{name} {mean:.2f}' for name, mean in means.items())}."]
    failures = [failure for row in rows for failure in row["failures"]]
    sentences += [f"FAILED: {failure}" for failure in failures]
    yield from sentences
    title = f"Thread scaling, `layer(x)`, {options.dtype}, {options.data_format}"
    note = "Milliseconds on one thread, and how many times faster more threads are: medians over neighbouring turns."
    page = "\n\n".join([*heading(title, machine), note, table(columns, cells), *sentences]) + "\n"
    return Outcome(page, plain({"title": title, **machine, "speedup": means, "rows": rows}), failures)


def _row(task: Task, probe: Contestant, present: list[Contestant], seconds: float, reference: Path) -> dict[str, Any]:
    """The figures of one task by the contestants' names; "missing" and "failures" as in `figures.Row`."""
    row: dict[str, Any] = {"workload": task.label, "figures": {}, "missing": {}, "failures": [], "probes_gflops": []}
    try:
        probe.prepare(task)
        ready, row["missing"], row["failures"] = prepared(task, present[0], present[1:], reference)
        row["probes_gflops"].append(probed(probe))
        known = {each.name: each for each in present if each.name in ready}
        pairs = [
            (known[f"{each.peer.name}@1"], each)
            for each in known.values()
            if each.threads > 1 and f"{each.peer.name}@1" in known
        ]
        expected = {name: answer["seconds"] for name, answer in ready.items()}
        timings, bases = race(pairs, expected, seconds)
        row["probes_gflops"].append(probed(probe))
    except RefusedError as refusal:
        row["failures"].append(f"{task.label}: {refusal}.")
        return row
    for name, timing in {**bases, **timings}.items():
        if timing.reason:
            row["missing"][name] = timing.reason
        if timing.seconds:
            row["figures"][name] = _entry(figure(timing))
    return row


def _entry(figure: Figure) -> dict[str, Any]:
    return {
        "ms": 1e3 * figure.seconds,
        "speedup": None if figure.ratio is None else 1 / figure.ratio,
        "cores": figure.cores,
        "turns": figure.turns,
    }


def _means(rows: list[dict[str, Any]], libraries: list[str], counts: list[int]) -> dict[str, float]:
    """The geometric mean of the speedup by the contestants' names."""
    means = {}
    for name in [f"{library}@{count}" for library in libraries for count in counts]:
        speedups = [row["figures"][name]["speedup"] for row in rows if name in row["figures"]]
        if speedups:
            means[name] = geometric_mean(speedups)
    return means


def _columns(libraries: list[str], counts: list[int]) -> list[str]:
    columns = ["workload"]
    for library in libraries:
        columns += [f"{library} ms", *(f"x{count}" for count in counts[1:])]
    return columns


def _cells(row: dict[str, Any], libraries: list[str], counts: list[int]) -> list[str]:
    cells, figures = [row["workload"]], row["figures"]
    for library in libraries:
        single = figures.get(f"{library}@1")
        cells.append(f"{single['ms']:.3f}" if single else "-")
        for count in counts[1:]:
            entry = figures.get(f"{library}@{count}")
            cells.append(f"{entry['speedup']:.2f}" if entry else "-")
    return cells
