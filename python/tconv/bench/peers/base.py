"""What a contestant is: one library in one configuration.

It gets channels-last arrays and a kernel in Keras' layout, turns them once into what it likes best, and hands back the
call to be timed, which computes on prepared inputs and returns a fresh result, as a user gets it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np

from tconv.bench.workloads import GRAD_INPUT, GRAD_KERNEL, OUTPUT, Array, Arrays, Task, Workload

__all__ = [
    "Array",
    "Arrays",
    "Call",
    "Peer",
    "Task",
    "Workload",
    "channels_first",
    "filters_first",
    "in_first",
    "turned",
]

Call = Callable[[], Any]

KEPT_PAGES = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(2**26),
}
"""Tells glibc to take large blocks from its heap, and to keep what is freed: results without first touch."""


class Peer(ABC):
    """One library in one configuration; `name` is `library` or `library-configuration`.

    Attributes:
        pooled: whether results live in memory that was used before: kept by the allocator, or the caller's own.
        by_default: whether a run without `--peers` has it.
        dtypes: what it computes in.
        wanted: what it computes, of "output", "dInput", "dKernel".
        ranks: the numbers of spatial axes it computes.
    """

    name: ClassVar[str]
    pooled: ClassVar[bool] = False
    by_default: ClassVar[bool] = True
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    wanted: ClassVar[tuple[str, ...]] = (OUTPUT,)
    ranks: ClassVar[tuple[int, ...]] = (1, 2, 3)

    @property
    def library(self) -> str:
        """The library's name, without the configuration."""
        return self.name.partition("-")[0]

    def environment(self, threads: int) -> Mapping[str, str]:
        """Environment variables that the library reads when it loads, beyond those that all contestants get."""
        return KEPT_PAGES if self.pooled else {}

    @abstractmethod
    def start(self, threads: int) -> str:
        """Imports the library, tells it to compute on `threads` threads, and returns its version.

        Raises:
            ImportError: it is not installed.
        """

    def refusal(self, task: Task) -> str | None:
        """Why the library cannot do this, None if it can."""
        if task.dtype not in self.dtypes:
            return f"does not compute in {task.dtype}"
        if task.wanted not in self.wanted:
            return "computes no gradients"
        if task.workload.rank not in self.ranks:
            return f"has none of rank {task.workload.rank}"
        return None

    def computes_in(self, task: Task) -> str:
        """The dtype of its arithmetic."""
        return task.dtype

    def session(self) -> AbstractContextManager[Any]:
        """What to enter around all calls."""
        return nullcontext()

    @abstractmethod
    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        """The call to time, computing on `threads` threads."""

    @abstractmethod
    def result(self, task: Task, output: Any) -> Array:
        """What the call returned, as an array of `task.result_shape`."""

    def weight_bytes(self, task: Task, arrays: Arrays) -> tuple[int, int]:
        """Bytes of weights the library keeps, packed and transformed for a fast algorithm; 0 where it does not tell."""
        return 0, 0


def channels_first(x: Array) -> Array:
    """`(batch, *spatial, channels)` as `(batch, channels, *spatial)`, contiguous."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def in_first(kernel: Array) -> Array:
    """`(*kernel_size, filters // groups, in)` as `(in, filters // groups, *kernel_size)`, contiguous."""
    return np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1)))


def filters_first(kernel: Array, groups: int) -> Array:
    """`(*kernel_size, filters // groups, in)` as `(filters, in // groups, *kernel_size)`, contiguous."""
    size, (per_group, channels) = kernel.shape[:-2], kernel.shape[-2:]
    blocks = kernel.reshape(*size, per_group, groups, channels // groups)
    blocks = np.moveaxis(blocks, (-2, -3, -1), (0, 1, 2))
    return np.ascontiguousarray(blocks.reshape(groups * per_group, channels // groups, *size))


def turned(kernel: Array, rank: int) -> Array:
    """The kernel with the order of its taps turned round, its first `rank` axes."""
    return np.flip(kernel, tuple(range(rank)))


ALL = (OUTPUT, GRAD_INPUT, GRAD_KERNEL)
