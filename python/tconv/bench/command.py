"""The arguments of `tconv bench`, and what is done with them."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

from tconv.bench.footprint import footprint
from tconv.bench.machine import cores
from tconv.bench.modes import Lines, Options, Outcome, compare
from tconv.bench.peers import PEERS, select
from tconv.bench.scaling import scale
from tconv.bench.simulate import simulate
from tconv.bench.workloads import TABLE, Workload, choose, read_table

__all__ = ["add_arguments", "run"]

MODES = {
    "forward": "forward passes in float32, or as --dtype says",
    "gradients": "the gradients of the input and of the kernel",
    "f64": "forward passes in float64",
    "tiny": "calls whose time is overhead",
    "memory": "peak working memory, each in a fresh process (Linux)",
    "scaling": "1, 2, 4 ... threads, each library against itself",
    "simulate": "how the work is cut for 1, 2, 4 ... 64 threads, without computing",
    "list": "names the workloads and the peers",
}
FEW_PEERS = "torch-nhwc,onnxruntime,openvino-nhwc"  # where each costs much: every thread count, every fresh process
DTYPES = ("float32", "float64", "float16", "bfloat16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Gives a parser the words and options of the benchmark."""
    modes = "; ".join(f"{mode}: {what}" for mode, what in MODES.items())
    parser.add_argument("mode", metavar="MODE", choices=list(MODES), help=modes)
    parser.add_argument("names", metavar="NAME", nargs="*", help="workloads, or a mode's or `extra` (default: MODE's)")
    parser.add_argument(
        "--threads",
        type=int,
        help="for every contestant (default: 2; for scaling, the most: all cores; for simulate: 64)",
    )
    parser.add_argument("--peers", metavar="A,B", help="peers, all or none (default: those installed)")
    parser.add_argument("--seconds", type=float, default=0.25, help="of timed calls, at least (default: %(default)s)")
    parser.add_argument("--dtype", choices=DTYPES, help="(default: float32)")
    parser.add_argument(
        "--data-format",
        choices=("channels_last", "channels_first"),
        default="channels_last",
        help="the layout of tconv's arrays; peers keep theirs (default: %(default)s)",
    )
    parser.add_argument("--peak", type=float, metavar="GFLOPS", help="what shares are of (default: measured)")
    parser.add_argument("--table", type=Path, metavar="FILE", default=TABLE, help="other workloads, as JSON")
    parser.add_argument("--output", type=Path, metavar="DIR", help="writes DIR/MODE-...json, .md and .png")


def run(chosen: argparse.Namespace) -> Iterator[str]:
    """Runs a mode and says lines as it goes.

    Raises:
        ValueError: an argument out of its range, or a name that there is not.
        OSError: a file cannot be read or written.
        SystemExit: with code 1 after the last line, where results disagree or a limit is exceeded.
    """
    table = read_table(chosen.table)
    if chosen.mode == "list":
        yield from _list(table)
        return
    options, begin = _options(chosen, table), time.monotonic()
    outcome = yield from _mode(options)
    yield f"Took {time.monotonic() - begin:.0f} s."
    if chosen.output is not None:
        yield from _write(outcome, chosen.output / options.stem)
    if outcome.failures:
        raise SystemExit(1)


def _options(chosen: argparse.Namespace, table: list[Workload]) -> Options:
    default = {"scaling": cores(), "simulate": 64}.get(chosen.mode, min(2, cores()))
    threads = default if chosen.threads is None else chosen.threads
    if threads < 1:
        raise ValueError(f"bench: --threads={threads} must be at least 1.")
    if not 0 < chosen.seconds < 3600:
        raise ValueError(f"bench: --seconds={chosen.seconds} must be positive, and below an hour.")
    if chosen.peak is not None and not chosen.peak > 0:
        raise ValueError(f"bench: --peak={chosen.peak} must be positive.")
    if chosen.mode == "f64" and chosen.dtype not in (None, "float64"):
        raise ValueError(f"bench: --dtype={chosen.dtype} does not go with f64; forward takes it.")
    few = FEW_PEERS if chosen.mode in ("memory", "scaling") else None
    return Options(
        mode=chosen.mode,
        workloads=choose(table, chosen.names, "forward" if chosen.mode == "simulate" else chosen.mode),
        peers=select(few if chosen.peers is None else chosen.peers),
        threads=threads,
        seconds=chosen.seconds,
        dtype=chosen.dtype or ("float64" if chosen.mode == "f64" else "float32"),
        data_format=chosen.data_format,
        peak=chosen.peak,
    )


def _mode(options: Options) -> Lines:
    return {"memory": footprint, "scaling": scale, "simulate": simulate}.get(options.mode, compare)(options)


def _list(table: list[Workload]) -> Iterator[str]:
    for workload in table:
        shape = f"{workload.batch}x{'x'.join(map(str, workload.spatial))}x{workload.in_channels}"
        taps, strides = ("x".join(map(str, values)) for values in (workload.kernel_size, workload.strides))
        text = f"{shape} -> {workload.filters}, kernel {taps}, strides {strides}"
        yield f"{workload.name:<13}{text:<58}{' '.join(workload.modes)}"
    for peer in PEERS:
        notes = [] if peer.by_default else ["on request"]
        yield f"{peer.name:<22}{', '.join([*peer.dtypes, *(['pooled memory'] if peer.pooled else []), *notes])}"


def _write(outcome: Outcome, stem: Path) -> Iterator[str]:
    stem.parent.mkdir(parents=True, exist_ok=True)
    written = [stem.with_name(f"{stem.name}.{ending}") for ending in ("json", "md")]
    written[0].write_text(json.dumps(outcome.data, indent=1) + "\n", encoding="utf-8")
    written[1].write_text(outcome.markdown, encoding="utf-8")
    if outcome.draw is not None:
        picture = stem.with_name(f"{stem.name}.png")
        try:
            outcome.draw(picture)
            written.append(picture)
        except ImportError as error:
            yield f"No picture: {error}."
    yield f"Written: {', '.join(map(str, written))}"
