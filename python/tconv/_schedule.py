"""How a plan's work is cut for threads."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Schedule", "Stage"]


class Stage(NamedTuple):
    """Units of work, in order, each with what the core's model says of it. A thread takes those of its own part one by
    one, and then the last ones that others have not come to.

    Attributes:
        costs: time, in products of two numbers; what is around the products is counted in.
        bytes: read, of pixels and weights.
    """

    costs: tuple[float, ...]
    bytes: tuple[float, ...]


class Schedule(NamedTuple):
    """What `Plan.schedule` tells. Stages come one after the other: each waits for all units of the one before.

    Attributes:
        threads: that are given work.
        packed_bytes: of the kernel as direct sums read it.
        transformed_bytes: of the kernel as a fast algorithm reads it, beside the former; 0 if none does,
            or reads the former as it is.
        workspace_bytes: that a call takes for all threads.
        stages: the units.
    """

    threads: int
    packed_bytes: int
    transformed_bytes: int
    workspace_bytes: int
    stages: tuple[Stage, ...]
