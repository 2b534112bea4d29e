"""Peak memory of one forward pass per workload: `python benchmarks/memory.py [--only dcgan1,...]`.

Each workload runs in a fresh process. The working memory of a call is the growth of the resident set to its peak during
the call, less the output and, for the first call, the packed weights that the layer keeps; it is negative where pages
of an earlier output are used again. The peak is Linux' VmHWM, reset before the call.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import machine
from peers import CONTESTANTS, Call, select
from workloads import load

LIMIT = 16.0  # MiB of working memory
MIB = 2.0**20


def main(arguments: list[str] | None = None) -> int:
    """Measure all chosen workloads; returns 1 if any exceeds the limit, 0 otherwise."""
    options = _parse(arguments)
    machine.pin_threads(options.threads)
    if options.child:
        print(json.dumps(_measure(options.only[0].name, options.peer.name, options.threads)))
        return 0
    if not options.peer.available():
        print(f"benchmarks: {options.peer.name} is absent.", file=sys.stderr)
        return 1
    print(f"{options.peer.name}, {options.threads} threads; MiB")
    print(f"{'workload':<13}{'output':>9}{'packed':>9}{'first call':>12}{'next call':>11}")
    worst = 0.0
    for workload in options.only:
        row = _in_fresh_process(workload.name, options)
        working = max(row["first"], row["next"])
        worst = max(worst, working)
        figures = f"{row['output']:>9.1f}{row['packed']:>9.1f}{row['first']:>12.1f}{row['next']:>11.1f}"
        print(f"{workload.name:<13}{figures}{'' if working <= LIMIT else '  above the limit'}", flush=True)
    print(f"Largest working memory: {worst:.1f} MiB; the limit is {LIMIT:.0f}.")
    return int(worst > LIMIT)


def _in_fresh_process(name: str, options: argparse.Namespace) -> dict[str, float]:
    arguments = ["--child", "--only", name, "--peer", options.peer.name, "--threads", str(options.threads)]
    done = subprocess.run(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True, timeout=600
    )
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


def _measure(name: str, peer_name: str, threads: int) -> dict[str, float]:
    """MiB of the output, the packed weights, and the working memory of the first and the next call."""
    (workload,), (peer,) = load(name), select(peer_name, CONTESTANTS)
    arrays = workload.arrays()
    call = peer.prepare(workload, *arrays, threads)
    first, output = _growth(call)
    size = peer.result(output).nbytes
    del output
    following, output = _growth(call)
    del output
    packed = peer.packed_bytes(workload, arrays[1])
    sizes = {"output": size, "packed": packed, "first": first - size - packed, "next": following - size}
    return {key: value / MIB for key, value in sizes.items()}


def _growth(call: Call) -> tuple[int, Any]:
    """Bytes by which the resident set grew to its peak during `call`, and what the call returned."""
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # else the call may reuse freed pages that are still resident
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak becomes the present size
    before = _status("VmRSS")
    output = call()
    return _status("VmHWM") - before, output


def _status(key: str) -> int:
    """A size of this process in bytes."""
    for row in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if row.startswith(key + ":"):
            return 1024 * int(row.split()[1])
    raise RuntimeError(f"/proc/self/status has no {key}.")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Peak memory of one forward pass (Linux).")
    parser.add_argument("--threads", type=int, default=min(2, machine.cores()))
    parser.add_argument("--only", metavar="NAME,...", help="workloads to run (default: all)")
    names = ", ".join(peer.name for peer in CONTESTANTS)
    parser.add_argument("--peer", default="tconv", help=f"one of {names} (default: tconv)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    if not sys.platform.startswith("linux"):
        parser.error("needs Linux' /proc")
    try:
        options.only, options.peer = load(options.only), select(options.peer, CONTESTANTS)[0]
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    sys.exit(main())
