"""The workloads of the benchmark: `workloads.json`, with the arithmetic that follows from its numbers.

Geometry is written in PyTorch's convention: `padding` is cropped at both ends of an axis, `output_padding` is added at
its end. All arrays are channels-last, kernels are `(*kernel_size, filters // groups, in_channels)`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Arrays", "Task", "Workload", "choose", "read_table"]

Array = npt.NDArray[Any]

TABLE = Path(__file__).with_name("workloads.json")
OUTPUT, GRAD_INPUT, GRAD_KERNEL = "output", "dInput", "dKernel"


@dataclass(frozen=True)
class Workload:
    """One transposed convolution; extents in pixels, one number per spatial axis. `modes` run it unless told names."""

    name: str
    rank: int
    batch: int
    spatial: tuple[int, ...]
    in_channels: int
    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    dilation_rate: tuple[int, ...]
    groups: int
    modes: tuple[str, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input, `(batch, *spatial, in_channels)`."""
        return (self.batch, *self.spatial, self.in_channels)

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """Shape of the kernel, `(*kernel_size, filters // groups, in_channels)`."""
        return (*self.kernel_size, self.filters // self.groups, self.in_channels)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the result, `(batch, *spatial, filters)`."""
        extents = (full - cropped for full, cropped in zip(self.full, self.cropped))
        return (self.batch, *extents, self.filters)

    @property
    def flops(self) -> int:
        """By convention `2 * batch * prod(spatial) * prod(kernel) * in * filters / groups`; cropped taps count."""
        taps = math.prod(self.kernel_size)
        return 2 * self.batch * math.prod(self.spatial) * taps * self.in_channels * self.filters // self.groups

    @property
    def reach(self) -> tuple[int, ...]:
        """Pixels from the first tap to the last, both counted."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate))

    @property
    def full(self) -> tuple[int, ...]:
        """Extents of the result before anything is cropped or added."""
        return tuple((i - 1) * s + reach for i, s, reach in zip(self.spatial, self.strides, self.reach))

    @property
    def cropped(self) -> tuple[int, ...]:
        """Pixels taken from the full extents, at both ends together."""
        return tuple(2 * p - op for p, op in zip(self.padding, self.output_padding))

    @property
    def strided_and_dilated(self) -> bool:
        """Whether an axis has a stride and a dilation, which Keras' layers refuse."""
        return any(s > 1 and d > 1 for s, d in zip(self.strides, self.dilation_rate))


class Arrays(NamedTuple):
    """The arguments of a task: input, kernel, bias, and the gradient with respect to the result."""

    x: Array
    kernel: Array
    bias: Array
    dy: Array


@dataclass(frozen=True)
class Task:
    """What is computed: the `output` of a workload or a gradient, in a dtype; `data_format` is the layout for tconv."""

    workload: Workload
    wanted: str = OUTPUT
    dtype: str = "float32"
    data_format: str = "channels_last"

    @property
    def label(self) -> str:
        """The task's name in tables: the workload's, with the gradient in front."""
        return self.workload.name if self.wanted == OUTPUT else f"{self.wanted} {self.workload.name}"

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of what is wanted, channels last."""
        workload = self.workload
        shapes = {
            OUTPUT: workload.output_shape,
            GRAD_INPUT: workload.input_shape,
            GRAD_KERNEL: workload.kernel_shape,
        }
        return shapes[self.wanted]

    def arrays(self, seed: int = 0) -> Arrays:
        """Seeded normal arrays; the kernel is scaled so that results have magnitudes near one."""
        workload, rng = self.workload, np.random.default_rng(seed)
        draw: Any = np.float64 if self.dtype == "float64" else np.float32
        x = rng.standard_normal(workload.input_shape, dtype=draw)
        kernel = rng.standard_normal(workload.kernel_shape, dtype=draw)
        fan = workload.in_channels // workload.groups * math.prod(workload.kernel_size) / math.prod(workload.strides)
        kernel *= draw(1 / math.sqrt(max(fan, 1.0)))
        bias = rng.standard_normal(workload.filters, dtype=draw)
        shape = (0,) if self.wanted == OUTPUT else workload.output_shape
        dy = rng.standard_normal(shape, dtype=draw)
        dtype = numpy_dtype(self.dtype)
        return Arrays(*(array.astype(dtype, copy=False) for array in (x, kernel, bias, dy)))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` makes an equal task of."""
        return asdict(self)

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> Task:
        """The task that `to_json` wrote."""
        return cls(**{**entries, "workload": _workload(entries["workload"])})


def numpy_dtype(name: str) -> np.dtype[Any]:
    """NumPy's dtype of that name; bfloat16 is ml_dtypes'."""
    if name == "bfloat16":
        import ml_dtypes

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    return np.dtype(name)


def read_table(path: Path = TABLE) -> list[Workload]:
    """All workloads of a JSON table, in its order.

    Raises:
        OSError: the file cannot be read.
        ValueError: a row has unknown or missing entries, or numbers that do not go together.
    """
    rows = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(rows, list):
        raise ValueError(f"bench: {path.name} must be a list of workloads.")
    return [_workload(row) for row in rows]


def choose(table: Sequence[Workload], names: Sequence[str], mode: str) -> list[Workload]:
    """The workloads with one of the names, or with a mode of such a name; those of `mode` for no names.

    Raises:
        ValueError: a name is neither a workload's nor a mode's.
    """
    wanted = set(names) or {mode}
    known = {name for workload in table for name in (workload.name, *workload.modes)}
    if unknown := sorted(wanted - known):
        legal = ", ".join([workload.name for workload in table] + sorted(known - {row.name for row in table}))
        raise ValueError(f"bench: no workload {', '.join(unknown)}; there are {legal}.")
    return [workload for workload in table if wanted & {workload.name, *workload.modes}]


def _workload(row: dict[str, Any]) -> Workload:
    keys = {field.name for field in fields(Workload)}
    if not isinstance(row, dict) or not keys - {"modes"} <= row.keys() <= keys:
        raise ValueError(f"bench: a workload has the entries {', '.join(sorted(keys))}; this one is {row!r}.")
    exact: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    workload = Workload(**exact)
    axes = ("spatial", "kernel_size", "strides", "padding", "output_padding", "dilation_rate")
    for key in axes:
        if len(getattr(workload, key)) != workload.rank:
            raise ValueError(f"bench: {workload.name}: {key} must have {workload.rank} entries, one per axis.")
    if workload.filters % workload.groups or workload.in_channels % workload.groups:
        raise ValueError(f"bench: {workload.name}: groups={workload.groups} must divide in_channels and filters.")
    if min(workload.output_shape[1:-1]) < 1:
        raise ValueError(f"bench: {workload.name}: padding={workload.padding} leaves no pixel of {workload.full}.")
    return workload
