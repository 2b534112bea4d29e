"""The workloads of the benchmarks: `workloads.json`, with the arithmetic that follows from its numbers.

Geometry is written in PyTorch's convention: `padding` is cropped at both ends of an axis, `output_padding` is added at
its end. All arrays are channels-last and float32, kernels are `(*kernel_size, filters // groups, in_channels)`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

TABLE = Path(__file__).with_name("workloads.json")

COMPUTE_BOUND = (
    *("dcgan1", "dcgan2", "dcgan3", "unet_up1", "vae", "s1k3"),
    *("hifigan1", "hifigan2", "hifigan3", "hifigan4", "vnet", "gan3d"),
)
"""Workloads whose time is arithmetic rather than memory on a machine of the table's kind."""


@dataclass(frozen=True)
class Workload:
    """One transposed convolution; extents in pixels, one number per spatial axis."""

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
        return (self.batch, *(full - crop for full, crop in zip(self._full(), self._cropped())), self.filters)

    @property
    def flops(self) -> int:
        """By convention `2 * batch * prod(spatial) * prod(kernel) * in * filters / groups`; cropped taps count."""
        taps = math.prod(self.kernel_size)
        return 2 * self.batch * math.prod(self.spatial) * taps * self.in_channels * self.filters // self.groups

    @property
    def traffic(self) -> int:
        """Bytes that must move at least: input, kernel and bias read once, output written once."""
        shapes = (self.input_shape, self.kernel_shape, (self.filters,), self.output_shape)
        return 4 * sum(math.prod(shape) for shape in shapes)

    def arrays(self, seed: int = 0) -> tuple[Array, Array, Array]:
        """Seeded normal `x`, `kernel`, `bias`; the kernel is scaled so that results have magnitudes near one."""
        rng = np.random.default_rng(seed)
        x = rng.standard_normal(self.input_shape, dtype=np.float32)
        kernel = rng.standard_normal(self.kernel_shape, dtype=np.float32)
        fan = self.in_channels // self.groups * math.prod(self.kernel_size) / math.prod(self.strides)
        kernel *= np.float32(1 / math.sqrt(max(fan, 1.0)))
        return x, kernel, rng.standard_normal(self.filters, dtype=np.float32)

    def keras_padding(self) -> dict[str, Any] | None:
        """The layer arguments `padding` and `output_padding` that mean this geometry; None where Keras has none."""
        wanted = [(out, crop) for out, crop in zip(self.output_shape[1:-1], self.padding)]
        for output_padding in (None, self.output_padding):
            for padding in ("valid", "same"):
                if self._keras_axes(padding, output_padding) == wanted:
                    return {"padding": padding, "output_padding": output_padding}
        return None

    def _effective(self) -> list[int]:
        return [(k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate)]

    def _full(self) -> list[int]:
        return [(i - 1) * s + ke for i, s, ke in zip(self.spatial, self.strides, self._effective())]

    def _cropped(self) -> list[int]:
        return [2 * p - op for p, op in zip(self.padding, self.output_padding)]

    def _keras_axes(self, padding: str, output_padding: tuple[int, ...] | None) -> list[tuple[int, int]]:
        """Keras' `(output extent, crop at the begin)` of each axis."""
        axes = []
        for axis, (i, s, ke) in enumerate(zip(self.spatial, self.strides, self._effective())):
            full = (i - 1) * s + ke
            if output_padding is None:
                out = i * s if padding == "same" else (i - 1) * s + max(ke, s)
            else:
                out = (full if padding == "valid" else (i - 1) * s + ke % 2) + output_padding[axis]
            axes.append((out, max(full - out, 0) // 2))
        return axes


def load(only: str | None = None) -> list[Workload]:
    """All workloads in the order of the table, or those named in the comma-separated `only`.

    Raises:
        ValueError: `only` names a workload that the table does not have.
    """
    table = [_workload(row) for row in json.loads(TABLE.read_text(encoding="utf-8"))]
    if only is None:
        return table
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = set(names) - {workload.name for workload in table}
    if unknown or not names:
        legal = ", ".join(workload.name for workload in table)
        raise ValueError(f"benchmarks: no workload {', '.join(sorted(unknown)) or repr(only)}; the table has {legal}.")
    return [workload for workload in table if workload.name in names]


def _workload(row: dict[str, Any]) -> Workload:
    exact: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Workload(**exact)
