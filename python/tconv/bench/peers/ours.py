"""tconv itself, tconv in float32 and without fast algorithms to measure against, and a probe of the machine."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import tconv
from tconv import layers
from tconv.bench.peers.base import ALL, Array, Arrays, Call, Peer, Task, Workload
from tconv.bench.workloads import GRAD_INPUT, GRAD_KERNEL, OUTPUT

__all__ = ["PRODUCT_FLOPS", "Probe", "Tconv", "TconvDirect", "TconvFloat32"]

SIDE = 1024
PRODUCT_FLOPS = 2 * SIDE**3
"""Floating-point operations of the probe's call."""


class Tconv(Peer):
    """`layer(x)`, `conv_transpose_grad_input(...)`, `conv_transpose_grad_kernel(...)`: NumPy in, NumPy out."""

    name = "tconv"
    dtypes = ("float32", "float64", "float16", "bfloat16")
    wanted = ALL
    ranks = tuple(range(1, 10))
    algorithm = "auto"

    def start(self, threads: int) -> str:
        tconv.set_num_threads(threads)
        return f"{tconv.__version__} ({tconv.build_info()['isa']})"

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        x, kernel, bias, dy = arrays
        if task.data_format == "channels_first":
            x, dy = (np.ascontiguousarray(np.moveaxis(array, -1, 1)) if array.ndim > 1 else array for array in (x, dy))
        if task.wanted == OUTPUT:
            layer = self._layer(task)
            layer.build(x.shape)
            layer.set_weights([kernel, bias])
            return lambda: layer(x)
        geometry = {**_geometry(task.workload), "data_format": task.data_format}
        geometry["algorithm"] = self.algorithm
        if task.wanted == GRAD_INPUT:
            return partial(tconv.conv_transpose_grad_input, dy, kernel, x.shape, **geometry)
        return partial(tconv.conv_transpose_grad_kernel, x, dy, kernel.shape, **geometry)

    def result(self, task: Task, output: Any) -> Array:
        result: Array = np.asarray(output)
        if task.data_format == "channels_first" and task.wanted != GRAD_KERNEL:
            return np.moveaxis(result, 1, -1)
        return result

    def weight_bytes(self, task: Task, arrays: Arrays) -> tuple[int, int]:
        plan = tconv.Plan(arrays.kernel, **_geometry(task.workload))
        schedule = plan.schedule(task.workload.input_shape)
        return schedule.packed_bytes, schedule.transformed_bytes

    def _layer(self, task: Task) -> Any:
        workload = task.workload
        options: dict[str, Any] = {
            "filters": workload.filters,
            "kernel_size": workload.kernel_size,
            "data_format": task.data_format,
            "allow_strided_dilation": workload.strided_and_dilated,
            "dtype": task.dtype,
            "algorithm": self.algorithm,
            **_geometry(workload),
        }
        if workload.rank <= 3:
            return getattr(layers, f"Conv{workload.rank}DTranspose")(**options)
        return layers.ConvNDTranspose(workload.rank, **options)


class TconvDirect(Tconv):
    """tconv with `algorithm="direct"`: what the fast algorithms gain."""

    name = "tconv-direct"
    by_default = False
    algorithm = "direct"


class TconvFloat32(Tconv):
    """tconv on the same workload in float32, whatever the dtype asked for."""

    name = "tconv-float32"

    def computes_in(self, task: Task) -> str:
        return "float32"

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        exact = Arrays(*(array.astype(np.float32) for array in arrays))
        return super().prepare(replace(task, dtype="float32"), exact, threads)


class Probe(Peer):
    """NumPy's matrix product of 1024^3, whatever the task: a loop of FMAs that tells whether the cores are ours."""

    name = "probe"
    dtypes = Tconv.dtypes
    wanted = ALL
    ranks = Tconv.ranks

    def start(self, threads: int) -> str:
        return str(np.__version__)

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        dtype: Any = np.float64 if task.dtype == "float64" else np.float32
        rng = np.random.default_rng(0)
        a, b = (rng.standard_normal((SIDE, SIDE), dtype=dtype) for _ in range(2))
        return partial(np.matmul, a, b, out=np.empty_like(a))

    def result(self, task: Task, output: Any) -> Array:
        return np.asarray(output)


def _geometry(workload: Workload) -> dict[str, Any]:
    return {
        "strides": workload.strides,
        "padding": workload.padding,
        "output_padding": workload.output_padding,
        "dilation_rate": workload.dilation_rate,
        "groups": workload.groups,
    }
