"""The contestants as this process sees them: processes that it asks, one at a time, while the others are stopped.

A library's idle threads go on spinning after a call, and would take cores from the next contestant; a stopped process
takes none. A process each also keeps what one library does to the allocator, or a crash, from the others.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

from tconv.bench.machine import thread_variables
from tconv.bench.peers import OURS
from tconv.bench.peers.base import Peer
from tconv.bench.workloads import Task

__all__ = ["Contestant", "RefusedError", "Turn", "entered"]

START, PREPARE = 120.0, 100.0  # seconds that a contestant may take


class RefusedError(Exception):
    """Why a contestant did not do what it was asked: one line."""


class Turn(NamedTuple):
    """Seconds of one call, and how many cores were busy."""

    seconds: float
    cores: float


class Contestant:
    """A peer with a number of threads, in a process of its own; its methods raise `RefusedError`.

    Attributes:
        version: the library's, None before `start` and where it is not installed.
        reason: why it is not there, where `version` is None.
    """

    def __init__(self, peer: Peer, threads: int, name: str | None = None) -> None:
        self.peer, self.threads, self.name = peer, threads, name or peer.name
        self.version: str | None = None
        self.reason = ""
        self._process: subprocess.Popen[str] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()

    def launch(self) -> None:
        """Begins the process without waiting for it."""
        environment = {**os.environ, **thread_variables(self.threads), **self.peer.environment(self.threads)}
        command = [sys.executable, "-m", "tconv.bench.worker", self.peer.name, str(self.threads)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            text=True,
            encoding="utf-8",
        )

    def start(self) -> None:
        """Waits for the process to have imported its library."""
        if self._process is None:
            self.launch()
        try:
            answer = self._ask(START, do="start")
        except RefusedError as refusal:
            answer = {"version": None, "reason": str(refusal)}
        self.version, self.reason = answer["version"], answer.get("reason", "")

    def prepare(self, task: Task, *, save: str | None = None, reference: str | None = None) -> dict[str, float]:
        """Readies a task, see `Worker.prepare`; "seconds" and "difference"."""
        if reason := self.peer.refusal(task):
            raise RefusedError(reason)
        if self._process is None:  # it died of the task before
            self.start()
        return self._ask(PREPARE, do="prepare", task=task.to_json(), save=save, reference=reference)

    def turn(self, count: int) -> Turn:
        """Times `count` calls of the prepared task."""
        answer = self._ask(PREPARE, do="turn", count=count)
        return Turn(answer["seconds"], answer["cores"])

    def measure_memory(self, task: Task) -> dict[str, int]:
        """Bytes of one forward pass, see `memory.measure`."""
        if reason := self.peer.refusal(task):
            raise RefusedError(reason)
        return self._ask(PREPARE, do="measure_memory", task=task.to_json())

    def close(self) -> None:
        """Ends the process."""
        self._end()
        self._errors.close()

    def _ask(self, limit: float, **request: Any) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RefusedError("its process is gone")
        try:
            process.send_signal(signal.SIGCONT)
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], limit)[0]:
                self._end()
                raise RefusedError(f"took longer than {limit:.0f} s")
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = process.wait()
            self._end()
            raise RefusedError(f"its process ended with code {code}: {self._last_error()}")
        _stop(process)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RefusedError(answer["error"])
        return answer

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            if self._process.stdin is not None:
                with suppress(BrokenPipeError):  # what could not be written when it had ended
                    self._process.stdin.close()
            with self._process:  # closes the other pipe and waits
                pass
            self._process = None

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "no message")


def _stop(process: subprocess.Popen[str]) -> None:
    """Stops a process, and waits until none of its threads runs."""
    process.send_signal(signal.SIGSTOP)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):  # it has ended by itself
        process.returncode = os.waitstatus_to_exitcode(status)


@contextmanager
def entered(contestants: Sequence[Contestant]) -> Iterator[list[Contestant]]:
    """Starts all at once, yields those whose library is installed, and ends them.

    Raises:
        ChildProcessError: one of tconv's own does not start.
    """
    with ExitStack() as stack:
        for contestant in contestants:
            stack.callback(contestant.close)
            contestant.launch()
        for contestant in contestants:
            contestant.start()
            if contestant.version is None and contestant.peer in OURS:
                raise ChildProcessError(f"bench: {contestant.name} does not start: {contestant.reason}.")
        yield [contestant for contestant in contestants if contestant.version is not None]
