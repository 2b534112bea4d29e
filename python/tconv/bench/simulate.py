"""`tconv bench simulate`: how the work is cut for more threads than there may be, without computing anything.

Each thread takes the units of its own part of a stage one by one, and then the last ones of those that others have not
come to. So they are dealt here, by the costs of the core's model. A stage takes as long as its busiest thread. What the
simulation does not know is how memory and clocks behave when more cores work.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

import tconv
from tconv.bench.figures import geometric_mean
from tconv.bench.machine import describe
from tconv.bench.memory import MIB
from tconv.bench.modes import Lines, Options, Outcome
from tconv.bench.report import aligned, heading, table
from tconv.bench.scaling import thread_counts
from tconv.bench.workloads import Task, Workload

__all__ = ["Load", "dealt", "simulate"]

MOST_PARTS = 64  # of a stage, as in the core's parallel.hpp: more threads share them
COLUMNS = ["workload", "threads", "units", "stages", "per thread", "imbalance", "MiB read"]


class Load(NamedTuple):
    """What threads do.

    Attributes:
        busiest: costs of the busiest thread of each stage, added up.
        mean: costs per thread, those without work counted.
        bytes: that the thread which reads most of all reads.
    """

    busiest: float
    mean: float
    bytes: float

    @property
    def imbalance(self) -> float:
        """How much longer it takes than if all threads were busy to the end."""
        return self.busiest / self.mean if self.mean else 1.0


def dealt(stages: Sequence[tuple[Sequence[float], Sequence[float]]], threads: int) -> Load:
    """The load of `threads` threads that take the units of stages, given as (costs, bytes).

    Example:
        >>> from tconv.bench.simulate import dealt
        >>> dealt([([1.0, 1.0, 4.0], [10.0, 10.0, 5.0])], 2)
        Load(busiest=5.0, mean=3.0, bytes=15.0)
    """
    busiest, read = 0.0, [0.0] * threads
    for costs, sizes in stages:
        units, team = len(costs), min(threads, len(costs))
        parts = min(team, MOST_PARTS)
        left = [deque(range(units * part // parts, units * (part + 1) // parts)) for part in range(parts)]
        free = [(0.0, thread) for thread in range(team)]
        end = 0.0
        while any(left):
            begin, thread = free[0]
            own = left[thread % parts]
            others = (left[(thread + i) % parts] for i in range(1, parts))
            unit = own.popleft() if own else next(part for part in others if part).pop()
            heapq.heapreplace(free, (begin + costs[unit], thread))
            read[thread] += sizes[unit]
            end = max(end, begin + costs[unit])
        busiest += end
    return Load(busiest, sum(sum(costs) for costs, _ in stages) / threads, max(read))


def simulate(options: Options) -> Lines:
    """Units, their number per thread, imbalance and bytes read by a thread, for 1, 2, 4 ... threads; batch 1 too."""
    counts = thread_counts(options.threads)
    rows: list[dict[str, Any]] = []
    yield aligned(COLUMNS, COLUMNS)
    for workload in _with_single_examples(options.workloads):
        task = Task(workload, dtype=options.dtype, data_format=options.data_format)
        for count in counts:
            rows.append(_row(task, count))
            yield aligned(_cells(rows[-1]), COLUMNS)
    means = {count: geometric_mean([row["imbalance"] for row in rows if row["threads"] == count]) for count in counts}
    sentence = f"Geometric mean of the imbalance: {', '.join(f'{n}: {mean:.2f}' for n, mean in means.items())}."
    yield sentence
    machine = describe(options.threads, {"tconv": f"{tconv.__version__} ({tconv.build_info()['isa']})"})
    title = f"The cut for threads, simulated, {options.dtype}, {options.data_format}"
    note = (
        "Units that threads take one by one, first of their own part; stages wait for each other. Imbalance: the "
        "busiest threads' costs over the mean, idle threads counted. MiB read: by one thread, pixels and weights, from "
        "whatever cache."
    )
    page = "\n\n".join([*heading(title, machine), note, table(COLUMNS, [_cells(row) for row in rows]), sentence]) + "\n"
    return Outcome(page, {"title": title, **machine, "imbalance": means, "rows": rows})


def _with_single_examples(workloads: Sequence[Workload]) -> Iterator[Workload]:
    """Each as it is and, if it has a batch, with one example: the fewest units, the same weights."""
    for workload in workloads:
        yield workload
        if workload.batch > 1:
            yield replace(workload, name=f"{workload.name}_b1", batch=1)


def _row(task: Task, threads: int) -> dict[str, Any]:
    workload = task.workload
    plan = tconv.Plan(
        np.ones(workload.kernel_shape, np.float32),
        strides=workload.strides,
        padding=workload.padding,
        output_padding=workload.output_padding,
        dilation_rate=workload.dilation_rate,
        groups=workload.groups,
        data_format=task.data_format,
        dtype=task.dtype,
    )
    shape = workload.input_shape
    if task.data_format == "channels_first":
        shape = (shape[0], shape[-1], *shape[1:-1])
    schedule = plan.schedule(shape, threads)
    load = dealt([(stage.costs, stage.bytes) for stage in schedule.stages], schedule.threads)
    return {
        "workload": workload.name,
        "threads": threads,
        "working": schedule.threads,
        "units": sum(len(stage.costs) for stage in schedule.stages),
        "stages": len(schedule.stages),
        "imbalance": load.imbalance * threads / schedule.threads,
        "bytes": load.bytes,
        "workspace": schedule.workspace_bytes,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        row["workload"],
        str(row["threads"]),
        str(row["units"]),
        str(row["stages"]),
        f"{row['units'] / row['threads']:.1f}",
        f"{row['imbalance']:.2f}",
        f"{row['bytes'] / MIB:.2f}",
    ]
