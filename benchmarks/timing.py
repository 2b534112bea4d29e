"""Interleaved timing on a machine that is not quiet.

Contestants take turns (tconv, peer, tconv, peer ...), and a comparison is the median of the ratios of neighbouring
turns: what slows a stretch of time slows both. Idle worker threads go on spinning after a call (OpenMP's for some 10
ms, ONNX Runtime's 40, OpenBLAS' 60) and would take cores from the next contestant. So a turn waits until the process is
idle, makes one call that is not timed, and then times a block of calls; all contestants' blocks last about as long.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

Call = Callable[[], object]

WARM_UP = 3  # calls of each contestant before anything is timed
REPEATS = 10  # turns, at least
BLOCK = 0.025  # seconds of timed calls in a turn, at least
REST = 0.012  # seconds, a step of waiting: some scheduler ticks, by which CPU time is counted
IDLE = 0.002  # seconds of CPU time in such a step that count as none
DISTURBED = 0.85  # of the best probe of a run; a measurement beside a lower one is marked


def measure(calls: Sequence[Call], seconds: float, repeats: int = REPEATS) -> list[list[float]]:
    """Time `calls` in turns, at least `seconds` and `repeats` turns each.

    Returns one list per call: the seconds of one call in each turn, so that equal indices are neighbours in time.
    """
    block = max(BLOCK, *(_warm_up(call) for call in calls))
    times: list[list[float]] = [[] for _ in calls]
    spent = [0.0] * len(calls)
    with _no_garbage_collection():
        counts = [max(1, math.ceil(block / _turn(call, 1))) for call in calls]
        while len(times[0]) < repeats or min(spent) < seconds:
            for index, (call, count) in enumerate(zip(calls, counts)):
                times[index].append(_turn(call, count))
                spent[index] += count * times[index][-1]
    return times


def median_ratio(times: Sequence[float], reference: Sequence[float]) -> float:
    """The median of `times / reference`, turn by turn."""
    return statistics.median(a / b for a, b in zip(times, reference))


def probe() -> float:
    """GFLOP/s of NumPy's sgemm at 1024^3, the median of five: an FMA loop that tells whether the cores are ours."""
    _rest()
    return statistics.median(_sgemm(5))


def sgemm_peak() -> float:
    """GFLOP/s of NumPy's sgemm at 1024^3, the best of ten: a stand-in, some per cent low, for the FMA peak."""
    return max(_sgemm(10))


def geometric_mean(values: Sequence[float]) -> float:
    """The geometric mean of positive values, nan for none."""
    return math.exp(statistics.fmean(map(math.log, values))) if values else math.nan


def _warm_up(call: Call) -> float:
    _rest()
    return min(_clock(call, 1) for _ in range(WARM_UP))


def _turn(call: Call, count: int) -> float:
    _rest()
    call()
    return _clock(call, count)


def _rest(limit: float = 0.25) -> None:
    """Sleep until no thread of this process works, `limit` seconds at most."""
    end = time.perf_counter() + limit
    while time.perf_counter() < end:
        begin = time.process_time()
        time.sleep(REST)
        if time.process_time() - begin < IDLE:
            return


def _clock(call: Call, count: int) -> float:
    """Seconds per call; results die at once, as in a pipeline that has moved on."""
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begin) / count


def _sgemm(repeats: int, size: int = 1024) -> list[float]:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    out = np.empty_like(a)
    np.matmul(a, b, out=out)
    return [2e-9 * size**3 / _clock(lambda: np.matmul(a, b, out=out), 1) for _ in range(repeats)]


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
