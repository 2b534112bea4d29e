"""`tconv bench memory`: the peak memory of a forward pass, each in a fresh process."""

from __future__ import annotations

from typing import Any

from tconv.bench.contestants import Contestant, RefusedError, entered
from tconv.bench.machine import describe
from tconv.bench.memory import GROWTH, LIMIT, MIB
from tconv.bench.modes import Lines, Options, Outcome
from tconv.bench.peers import find
from tconv.bench.report import aligned, heading, table
from tconv.bench.workloads import Task

__all__ = ["footprint"]

OURS = ("output", "kernel", "packed", "transformed")


def footprint(options: Options) -> Lines:
    """MiB of result, kernel, packed and transformed weights, and the working memory of the first and the next call."""
    everybody = [find("tconv"), *options.peers]
    found: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    columns = [
        "workload",
        *OURS,
        *(f"{peer.name} {which}" for peer in everybody for which in ("1st", "next")),
    ]
    yield aligned(columns, columns)
    for workload in options.workloads:
        task = Task(workload, dtype=options.dtype, data_format=options.data_format)
        row: dict[str, Any] = {"workload": workload.name, "rank": workload.rank, "bytes": {}, "missing": {}}
        for peer in everybody:
            with entered([Contestant(peer, options.threads)]) as present:
                if not present:
                    row["missing"][peer.name] = "not installed"
                    continue
                found[peer.library] = present[0].version or ""
                try:
                    row["bytes"][peer.name] = present[0].measure_memory(task)
                except RefusedError as refusal:
                    row["missing"][peer.name] = str(refusal)
        rows.append(row)
        yield aligned(_cells(row, [peer.name for peer in everybody]), columns)
    failures = _failures(rows)
    most = max((_working(row) for row in rows if "tconv" in row["bytes"]), default=0.0)
    sentences = [
        f"tconv's largest working memory: {most / MIB:.1f} MiB; the limit is {LIMIT / MIB:.0f}.",
        f"Its transformed weights may be {GROWTH:.0f}^rank times the kernel.",
    ]
    sentences += [f"FAILED: {failure}" for failure in failures]
    yield from sentences
    machine = describe(options.threads, found)
    title = f"Working memory of one forward pass, MiB, {options.dtype}, {options.data_format}"
    note = "Growth of the resident set to its peak in a call, less the result and the weights that tconv keeps."
    cells = [_cells(row, [peer.name for peer in everybody]) for row in rows]
    page = "\n\n".join([*heading(title, machine), note, table(columns, cells), *sentences]) + "\n"
    return Outcome(page, {"title": title, **machine, "limit": LIMIT, "rows": rows}, failures)


def _working(row: dict[str, Any]) -> float:
    sizes = row["bytes"]["tconv"]
    return float(max(sizes["first"], sizes["next"]))


def _failures(rows: list[dict[str, Any]]) -> list[str]:
    """tconv's missing figures, and those above the limit, as sentences."""
    failures = []
    for row in rows:
        if "tconv" not in row["bytes"]:
            failures.append(f"{row['workload']}: tconv: {row['missing']['tconv']}.")
            continue
        if _working(row) > LIMIT:
            failures.append(f"{row['workload']}: tconv needs {_working(row) / MIB:.1f} MiB.")
        sizes = row["bytes"]["tconv"]
        if sizes["transformed"] > GROWTH ** row["rank"] * sizes["kernel"]:
            times = sizes["transformed"] / sizes["kernel"]
            failures.append(f"{row['workload']}: tconv's transformed weights are {times:.1f} times the kernel.")
    return failures


def _cells(row: dict[str, Any], names: list[str]) -> list[str]:
    sizes, ours = row["bytes"], row["bytes"].get("tconv")
    cells = [row["workload"], *(f"{ours[key] / MIB:.1f}" if ours else "-" for key in OURS)]
    for name in names:
        cells += [f"{sizes[name][key] / MIB:.1f}" if name in sizes else "-" for key in ("first", "next")]
    return cells
