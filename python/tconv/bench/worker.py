"""A contestant's process: `python -m tconv.bench.worker NAME THREADS`. Requests and answers are lines of JSON."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, TextIO

import numpy as np

from tconv.bench import memory, peers
from tconv.bench.peers.base import Call, Peer
from tconv.bench.workloads import Array, Task

__all__ = ["Worker", "difference", "main", "serve"]

PATIENCE = 2.0  # seconds; a first call that takes longer is not repeated to warm up
PARTS, ENOUGH = 8, 0.25  # a turn is timed in so many parts, and ends after a part when it took so many seconds
LONG = 0.25  # seconds; before a call that takes longer, the untimed one of a turn is left out


class Worker:
    """One peer on one task at a time; its public methods are the requests. `stack` holds the peer's session."""

    def __init__(self, peer: Peer, threads: int, stack: ExitStack) -> None:
        self._peer, self._threads, self._stack = peer, threads, stack
        self._call: Call | None = None
        self._seconds = 0.0

    def start(self) -> dict[str, Any]:
        """Imports the library; its version, None where it is not installed."""
        try:
            version = self._peer.start(self._threads)
        except ImportError as error:
            return {"version": None, "reason": str(error)}
        self._stack.enter_context(self._peer.session())
        return {"version": version}

    def prepare(self, task: dict[str, Any], save: str | None = None, reference: str | None = None) -> dict[str, Any]:
        """Readies a task and warms up; saves the result, or compares it with a saved one.

        Returns:
            "seconds", of one call, and "difference", the largest over the largest magnitude of the reference.
        """
        self._call = None  # what it holds is freed before the next
        exact = Task.from_json(task)
        arrays = exact.arrays()
        self._call = self._peer.prepare(exact, arrays, self._threads)
        begin = time.perf_counter()
        output = self._call()
        seconds = time.perf_counter() - begin
        result = _comparable(self._peer.result(exact, output))
        del output
        distance = difference(result, np.load(reference, mmap_mode="r")) if reference else 0.0
        if save:
            np.save(save, result)
        del result
        if seconds < PATIENCE:
            seconds = min(clock(self._call, 1)[0] for _ in range(2))
        self._seconds = seconds
        return {"seconds": seconds, "difference": distance}

    def turn(self, count: int) -> dict[str, Any]:
        """Times `count` calls: "seconds" of one, and "cores", how many were busy."""
        if self._call is None:
            raise RuntimeError("no task is prepared")
        gc.collect()
        gc.disable()
        try:
            if self._seconds < LONG:
                self._call()
            seconds, cores = clock(self._call, count)
        finally:
            gc.enable()
        return {"seconds": seconds, "cores": cores}

    def measure_memory(self, task: dict[str, Any]) -> dict[str, Any]:
        """Bytes of one forward pass, see `memory.measure`."""
        return memory.measure(self._peer, Task.from_json(task), self._threads)


def clock(call: Call, count: int) -> tuple[float, float]:
    """Seconds per call, and busy cores; fewer than `count` calls where they take much longer than they did before.

    Results die at once, as in a pipeline that has moved on.
    """
    busy, begin, done = time.process_time(), time.perf_counter(), 0
    while done < count:
        some = range(max(1, min(count // PARTS, count - done)))
        for _ in some:
            call()
        done += len(some)
        if time.perf_counter() - begin > ENOUGH:
            break
    total = time.perf_counter() - begin
    return total / done, (time.process_time() - busy) / max(total, 1e-9)


def difference(result: Array, reference: Array) -> float:
    """The largest absolute difference over the largest magnitude; infinite for different shapes and for no numbers."""
    if result.shape != reference.shape:
        return float("inf")
    scale = float(np.max(np.abs(reference), initial=0.0))
    distance = float(np.max(np.abs(result - reference), initial=0.0))
    if not np.isfinite(distance) or not np.isfinite(scale):
        return float("inf")
    return distance / scale if scale else distance


def serve(worker: Worker, requests: TextIO, answers: TextIO) -> None:
    """Answers requests until they end; an exception is an answer too."""
    actions: Mapping[str, Callable[..., dict[str, Any]]] = {
        "start": worker.start,
        "prepare": worker.prepare,
        "turn": worker.turn,
        "measure_memory": worker.measure_memory,
    }
    for line in requests:
        request = json.loads(line)
        try:
            answer = actions[request.pop("do")](**request)
        except Exception as error:  # a library may refuse in any way
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Serves the contestant named on the command line."""
    name, threads = sys.argv[1:]
    _die_with_parent()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    with ExitStack() as stack:
        serve(Worker(peers.find(name), int(threads), stack), sys.stdin, answers)


def _comparable(result: Array) -> Array:
    return np.ascontiguousarray(result, np.float64 if result.dtype == np.float64 else np.float32)


def _die_with_parent() -> None:
    """A stopped process could not notice that its parent is gone; Linux kills it."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    main()
