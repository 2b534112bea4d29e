"""JAX on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tconv.bench.peers.base import ALL, Array, Arrays, Call, Peer, Task, filters_first, turned
from tconv.bench.workloads import GRAD_INPUT, GRAD_KERNEL

__all__ = ["Jax"]


class Jax(Peer):
    """A jitted `conv_general_dilated` with dilated input on channels-last arrays, and its transposes."""

    name = "jax"
    dtypes = ("float32", "float64", "float16", "bfloat16")
    wanted = ALL

    def environment(self, threads: int) -> Mapping[str, str]:
        return {**super().environment(threads), "JAX_PLATFORMS": "cpu", "NPROC": str(threads)}

    def start(self, threads: int) -> str:
        import jax

        jax.config.update("jax_enable_x64", True)
        return str(jax.__version__)

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        import jax

        workload = task.workload
        axes = "XYZ"[: workload.rank]
        ends = [
            (reach - 1 - p, reach - 1 - p + op)
            for reach, p, op in zip(workload.reach, workload.padding, workload.output_padding)
        ]

        def forward(x: Any, kernel: Any) -> Any:
            return jax.lax.conv_general_dilated(
                x,
                kernel,
                window_strides=(1,) * workload.rank,
                padding=ends,
                lhs_dilation=workload.strides,
                rhs_dilation=workload.dilation_rate,
                dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
                feature_group_count=workload.groups,
            )

        kernel = np.moveaxis(filters_first(arrays.kernel, workload.groups), (0, 1), (-1, -2))
        x, weights, bias, dy = map(jax.numpy.asarray, (arrays.x, turned(kernel, workload.rank), arrays.bias, arrays.dy))
        if task.wanted == GRAD_INPUT:
            to_input = jax.jit(lambda dy, weights: jax.linear_transpose(lambda x: forward(x, weights), x)(dy)[0])
            return lambda: to_input(dy, weights).block_until_ready()
        if task.wanted == GRAD_KERNEL:
            to_kernel = jax.jit(lambda dy, x: jax.linear_transpose(lambda kernel: forward(x, kernel), weights)(dy)[0])
            return lambda: to_kernel(dy, x).block_until_ready()
        function = jax.jit(lambda x, weights, bias: forward(x, weights) + bias)
        return lambda: function(x, weights, bias).block_until_ready()

    def result(self, task: Task, output: Any) -> Array:
        array: Array = np.asarray(output)
        return kernel_of(task, array) if task.wanted == GRAD_KERNEL else array


def kernel_of(task: Task, gradient: Array) -> Array:
    """A gradient of `(*kernel_size, in // groups, filters)`, its taps turned round, in Keras' layout."""
    groups, rank = task.workload.groups, task.workload.rank
    *size, per_group, filters = gradient.shape
    blocks = turned(gradient, rank).reshape(*size, per_group, groups, filters // groups)
    return np.moveaxis(blocks, (-1, -2, -3), (-3, -2, -1)).reshape(*size, filters // groups, groups * per_group)
