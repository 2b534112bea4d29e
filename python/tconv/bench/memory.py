"""Peak memory of one forward pass, in the process that computes it.

The working memory of a call is the growth of the resident set to its peak during the call, less the result and, for the
first call, the weights that the layer keeps, packed and transformed; it is negative where pages of an earlier result
are used again. The peak is Linux' VmHWM, reset before the call.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path
from typing import Any

from tconv.bench.peers.base import Call, Peer
from tconv.bench.workloads import Task

__all__ = ["GROWTH", "LIMIT", "MIB", "measure"]

MIB = 2.0**20
LIMIT = 16 * MIB  # bytes of working memory that tconv may need
GROWTH = 2.0  # of the kernel's bytes, per axis, that tconv's transformed weights may have


def measure(peer: Peer, task: Task, threads: int) -> dict[str, Any]:
    """Bytes of the "output", the "kernel", the "packed" and "transformed" weights, and what the "first"
    and the "next" call need besides.

    Raises:
        RuntimeError: there is no Linux' /proc.
    """
    if not sys.platform.startswith("linux"):
        raise RuntimeError("needs Linux' /proc")
    arrays = task.arrays()
    call = peer.prepare(task, arrays, threads)
    first, output = _growth(call)
    size = peer.result(task, output).nbytes
    del output
    following, output = _growth(call)
    del output
    packed, transformed = peer.weight_bytes(task, arrays)
    return {
        "output": size,
        "kernel": arrays.kernel.nbytes,
        "packed": packed,
        "transformed": transformed,
        "first": first - size - packed - transformed,
        "next": following - size,
    }


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
    raise RuntimeError(f"/proc/self/status has no {key}")
