"""What a result must say about where it was taken, and equal thread counts for everybody."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping
from typing import Any

__all__ = ["cores", "describe", "thread_variables"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TCONV_NUM_THREADS",
)


def thread_variables(threads: int) -> dict[str, str]:
    """The environment of a process that computes on so many threads; libraries read it when they load."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe(threads: int, versions: Mapping[str, str]) -> dict[str, Any]:
    """Date (UTC), processor, platform, thread count and versions, ready for JSON."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "threads": threads,
        "versions": dict(versions),
    }


def _processor() -> str:
    """The processor's name and the number of cores that this process may use."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, {cores()} cores"
