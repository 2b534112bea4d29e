"""TensorFlow's way to say a geometry: "SAME" or "VALID" for all axes, an output shape, and rank 1 as rank 2.

"SAME" crops the odd pixel at the end of an axis. Where a workload crops it at the begin, everything is mirrored: input
and kernel before the call, the result after it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tconv.bench.workloads import GRAD_KERNEL, Array, Arrays, Task, Workload

__all__ = ["Spelling", "arguments", "spell", "unspell"]


class Spelling(NamedTuple):
    """The padding's name, and the spatial axes that are mirrored, counted from 0."""

    padding: str
    mirrored: tuple[int, ...]


def spell(workload: Workload) -> Spelling | None:
    """How TensorFlow says the geometry; None if it cannot.

    Source: TensorFlow's GetWindowedOutputSize; crops as in docs/geometry.md.
    """
    if not any(workload.padding):
        return Spelling("VALID", ())
    mirrored = []
    for axis, (extent, stride) in enumerate(zip(workload.spatial, workload.strides)):
        out, begin, total = workload.output_shape[1 + axis], workload.padding[axis], workload.cropped[axis]
        if -(-out // stride) != extent or total < 0:
            return None
        if begin != total // 2:
            if total - begin != total // 2:
                return None
            mirrored.append(axis)
    return Spelling("SAME", tuple(mirrored))


def arguments(task: Task, arrays: Arrays, spelling: Spelling) -> Arrays:
    """The arrays mirrored, and with a unit axis where the rank is 1."""
    batched = tuple(1 + axis for axis in spelling.mirrored)
    x, dy = (np.flip(array, batched) if array.ndim > 1 else array for array in (arrays.x, arrays.dy))
    kernel = np.flip(arrays.kernel, spelling.mirrored)
    if task.workload.rank == 1:
        x, kernel = x[:, None], kernel[None]
        dy = dy[:, None] if dy.ndim > 1 else dy
    return Arrays(*map(np.ascontiguousarray, (x, kernel, arrays.bias, dy)))


def unspell(task: Task, result: Array, spelling: Spelling) -> Array:
    """What `arguments` did, undone on a result."""
    first = 0 if task.wanted == GRAD_KERNEL else 1
    if task.workload.rank == 1:
        result = result.squeeze(first)
    return np.flip(result, tuple(first + axis for axis in spelling.mirrored))
