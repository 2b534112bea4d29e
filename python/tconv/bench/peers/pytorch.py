"""PyTorch, eager: its default layout, channels-last, and oneDNN's operator on weights packed before.

`torch.compile` without freezing calls the same operators; with it, the packed one.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import numpy as np

from tconv.bench.peers.base import ALL, Array, Arrays, Call, Peer, Task, channels_first, in_first
from tconv.bench.workloads import GRAD_KERNEL, OUTPUT

__all__ = ["TorchChannelsFirst", "TorchChannelsLast", "TorchChannelsLastPooled", "TorchPacked"]


class TorchChannelsFirst(Peer):
    """Contiguous tensors, as most people have them."""

    name = "torch-nchw"
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64", "float16", "bfloat16")
    wanted: ClassVar[tuple[str, ...]] = ALL

    def start(self, threads: int) -> str:
        import torch

        torch.set_num_threads(threads)
        return str(torch.__version__)

    def session(self) -> AbstractContextManager[Any]:
        import torch

        session: AbstractContextManager[Any] = torch.inference_mode()
        return session

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        import torch

        x, kernel, bias, dy = self._tensors(task, arrays)
        extra = x.ndim - 2 - task.workload.rank
        geometry = _geometry(task, extra)
        if task.wanted == OUTPUT:
            function = getattr(torch.nn.functional, f"conv_transpose{x.ndim - 2}d")
            options = dict(zip(("stride", "padding", "dilation", "output_padding", "groups"), geometry))
            if extra:
                return lambda: function(x, kernel, bias, **options).squeeze(2)
            return lambda: function(x, kernel, bias, **options)
        stride, padding, dilation, output_padding, groups = geometry
        mask = [task.wanted != GRAD_KERNEL, task.wanted == GRAD_KERNEL, False]
        fixed = (None, stride, padding, dilation, True, output_padding, groups, mask)
        chosen = mask.index(True)
        backward = torch.ops.aten.convolution_backward.default
        return lambda: backward(dy, x, kernel, *fixed)[chosen]

    def result(self, task: Task, output: Any) -> Array:
        import torch

        exact = output.to(torch.float64 if task.dtype == "float64" else torch.float32)
        array: Array = exact.numpy()
        if array.ndim > task.workload.rank + 2:
            array = array.squeeze(2)
        if task.wanted == GRAD_KERNEL:
            return np.moveaxis(array, (0, 1), (-1, -2))
        return np.moveaxis(array, 1, -1)

    def _tensors(self, task: Task, arrays: Arrays) -> list[Any]:
        """x, kernel, bias and dy as this configuration likes them; no dy where no gradient is wanted."""
        import torch

        exact = np.float64 if task.dtype == "float64" else np.float32
        turned = [channels_first(arrays.x), in_first(arrays.kernel), arrays.bias]
        if task.wanted != OUTPUT:
            turned.append(channels_first(arrays.dy))
        dtype = getattr(torch, task.dtype)
        tensors = [torch.from_numpy(array.astype(exact, copy=False)).to(dtype) for array in turned]
        return [*(tensor if tensor.ndim == 1 else self._layout(tensor) for tensor in tensors), None][:4]

    def _layout(self, tensor: Any) -> Any:
        return tensor.contiguous()


class TorchChannelsLast(TorchChannelsFirst):
    """The channels-last memory format; rank 1, which has none, as rank 2 with a unit axis."""

    name = "torch-nhwc"

    def _layout(self, tensor: Any) -> Any:
        import torch

        if tensor.ndim == 3:
            tensor = tensor.unsqueeze(2)
        layout = torch.channels_last if tensor.ndim == 4 else torch.channels_last_3d
        return tensor.contiguous(memory_format=layout)


class TorchChannelsLastPooled(TorchChannelsLast):
    """Channels-last, with glibc told to keep its pages."""

    name = "torch-nhwc-pooled"
    pooled = True


class TorchPacked(TorchChannelsLast):
    """Channels-last on oneDNN's operator with weights packed before: what a frozen, compiled graph runs."""

    name = "torch-packed"
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    wanted: ClassVar[tuple[str, ...]] = (OUTPUT,)

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        import torch

        x, kernel, bias, _ = self._tensors(task, arrays)
        extra = x.ndim - 2 - task.workload.rank
        stride, padding, dilation, output_padding, groups = _geometry(task, extra)
        operators = torch.ops.mkldnn
        packed = operators._reorder_convolution_transpose_weight(
            kernel, padding, output_padding, stride, dilation, groups, list(x.shape)
        )
        function = operators._convolution_transpose_pointwise.default
        geometry: tuple[Any, ...] = (padding, output_padding, stride, dilation, groups, "none", [], "")
        if extra:
            return lambda: function(x, packed, bias, *geometry).squeeze(2)
        return lambda: function(x, packed, bias, *geometry)


def _geometry(task: Task, extra: int) -> tuple[list[int], list[int], list[int], list[int], int]:
    """Stride, padding, dilation, output padding and groups, with `extra` unit axes in front."""
    workload = task.workload
    return (
        [1] * extra + [*workload.strides],
        [0] * extra + [*workload.padding],
        [1] * extra + [*workload.dilation_rate],
        [0] * extra + [*workload.output_padding],
        workload.groups,
    )
