"""Time tconv's forward pass beside its peers: `python benchmarks/forward.py [--threads 2] [--only dcgan1,...]`."""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import machine
import numpy as np
from peers import PEERS, Call, Peer, Tconv, select
from report import COLUMNS, Figure, Report, Row, line
from timing import measure, median_ratio, probe, sgemm_peak
from workloads import Array, Workload, load

TOLERANCE = 1e-4  # largest difference of two results / largest magnitude
SGEMM = "NumPy's sgemm at 1024^3, the best of ten: some per cent below the FMA peak"
RESULTS = Path(__file__).with_name("results")


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns 1 if any results disagree, 0 otherwise."""
    options = _parse(arguments)
    machine.pin_threads(options.threads)
    chosen: list[Peer] = [Tconv(), *options.peers]
    present = [peer for peer in chosen if peer.available()]
    distributions = sorted({"numpy", *(name for peer in chosen for name in peer.requires)})
    report = Report(
        machine=machine.describe(options.threads, distributions),
        peak=options.peak or sgemm_peak(),
        peak_source="given" if options.peak else SGEMM,
        absent=[peer.name for peer in chosen if peer not in present],
    )
    if not present:
        print(f"benchmarks: nothing to measure; absent: {', '.join(report.absent)}.", file=sys.stderr)
        return 1
    print(line(COLUMNS), flush=True)
    for workload in options.only:
        report.rows.append(_run(workload, present, options.threads, options.seconds))
        print(line(report.cells(report.rows[-1])), flush=True)
    print("\n".join(report.summary_lines()))
    if options.output is not None:
        report.write(options.output)
        print(f"Written: {options.output}.json, {options.output}.md")
    return int(any(row.failures for row in report.rows))


def _run(workload: Workload, contestants: list[Peer], threads: int, seconds: float) -> Row:
    """One workload: results compared, then tconv timed against each peer in turn."""
    arrays = workload.arrays()
    calls: dict[str, Call] = {}
    differences: dict[str, float] = {}
    failures: list[str] = []
    reference: Array | None = None
    for peer in contestants:
        if not peer.supports(workload):
            continue
        try:
            call = peer.prepare(workload, *arrays, threads)
            result = peer.result(call())
        except Exception as error:  # a peer may refuse in any way; the run goes on and names it
            failures.append(f"{workload.name}: {peer.name} raised {type(error).__name__}: {error}")
            continue
        reference = result if reference is None else reference
        differences[peer.name] = _difference(result, reference)
        if differences[peer.name] <= TOLERANCE:
            calls[peer.name] = call
        else:
            failures.append(f"{workload.name}: {peer.name} differs by {differences[peer.name]:.1e} (relative).")
    before = probe()
    ours, figures = _race(calls, differences, seconds)
    return Row(workload, ours, figures, (before, probe()), failures)


def _race(
    calls: dict[str, Call], differences: dict[str, float], seconds: float
) -> tuple[float | None, dict[str, Figure]]:
    """tconv against each peer, interleaved; the peers alone where there is no tconv."""
    ours = calls.pop(Tconv.name, None)
    if ours is None:
        alone = {name: measure([call], seconds)[0] for name, call in calls.items()}
        return None, {name: Figure(statistics.median(t), None, differences[name]) for name, t in alone.items()}
    if not calls:
        return statistics.median(measure([ours], seconds)[0]), {}
    figures, all_ours = {}, []
    for name, call in calls.items():
        mine, theirs = measure([ours, call], seconds)
        all_ours += mine
        figures[name] = Figure(statistics.median(theirs), median_ratio(theirs, mine), differences[name])
    return statistics.median(all_ours), figures


def _difference(result: Array, reference: Array) -> float:
    """The largest absolute difference over the largest magnitude; infinite for different shapes."""
    if result.shape != reference.shape:
        return float("inf")
    return float(np.max(np.abs(result - reference)) / np.max(np.abs(reference)))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Forward passes of tconv and its peers, interleaved, float32.")
    parser.add_argument("--threads", type=int, default=min(2, machine.cores()), help="threads for every contestant")
    parser.add_argument("--only", metavar="NAME,...", help="workloads to run (default: all)")
    parser.add_argument("--peers", metavar="NAME,...", help=f"of {', '.join(p.name for p in PEERS)} (default: all)")
    parser.add_argument("--seconds", type=float, default=0.5, help="seconds for each contestant and workload, at least")
    parser.add_argument("--peak", type=float, help="FMA peak in GFLOP/s (default: measured by sgemm)")
    parser.add_argument("--output", type=Path, metavar="STEM", help="writes STEM.json and STEM.md")
    options = parser.parse_args(arguments)
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    if options.output is not None and options.output.suffix in (".json", ".md"):
        options.output = options.output.with_suffix("")
    elif options.output is None and options.only is None and options.peers is None:
        options.output = RESULTS / f"forward-{options.threads}-threads"
    try:
        options.only, options.peers = load(options.only), select(options.peers)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    sys.exit(main())
