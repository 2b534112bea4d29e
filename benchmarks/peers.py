"""The contestants: tconv and the libraries that it is measured against, one small class each.

A contestant gets channels-last arrays and a kernel in Keras' layout, turns them once into what it likes best, and hands
back the call to be timed: a forward pass with bias on prepared inputs that returns a fresh output. To add one, subclass
`Peer` and list it in `CONTESTANTS`.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from workloads import Array, Workload

Call = Callable[[], Any]


class Peer(ABC):
    """One library in one configuration; `name` is `library` or `library-configuration`."""

    name: str
    requires: tuple[str, ...]  # distributions, named like their modules

    def available(self) -> bool:
        """Whether everything it requires can be imported."""
        return all(_load(module) is not None for module in self.requires)

    def supports(self, workload: Workload) -> bool:
        """Whether this configuration means anything for the workload."""
        return True

    @abstractmethod
    def prepare(self, workload: Workload, x: Array, kernel: Array, bias: Array, threads: int) -> Call:
        """The call to time, computing on `threads` threads."""

    @abstractmethod
    def result(self, output: Any) -> Array:
        """What the call returned, as a channels-last array."""

    def packed_bytes(self, workload: Workload, kernel: Array) -> int:
        """Bytes of weights the library packs and keeps; 0 where it does not tell."""
        return 0


class Tconv(Peer):
    """`layer(x)` of `tconv.layers`; `padding` is the crop in pixels where Keras' words cannot express the workload."""

    name = "tconv"
    requires = ("tconv",)

    def prepare(self, workload: Workload, x: Array, kernel: Array, bias: Array, threads: int) -> Call:
        tconv = importlib.import_module("tconv")
        tconv.set_num_threads(threads)
        layer = self._layer(workload)
        layer.build(x.shape)
        layer.set_weights([kernel, bias])
        return lambda: layer(x)

    def result(self, output: Any) -> Array:
        return np.asarray(output)

    def packed_bytes(self, workload: Workload, kernel: Array) -> int:
        return int(self._plan(workload, kernel).packed_bytes)

    def _layer(self, workload: Workload) -> Any:
        layers = importlib.import_module("tconv.layers")
        crop = {"padding": workload.padding, "output_padding": workload.output_padding}
        both = any(s > 1 and d > 1 for s, d in zip(workload.strides, workload.dilation_rate))
        options: dict[str, Any] = {
            "filters": workload.filters,
            "kernel_size": workload.kernel_size,
            "strides": workload.strides,
            "dilation_rate": workload.dilation_rate,
            "groups": workload.groups,
            "data_format": "channels_last",
            "allow_strided_dilation": both,
            **(workload.keras_padding() or crop),
        }
        if workload.rank <= 3:
            return getattr(layers, f"Conv{workload.rank}DTranspose")(**options)
        return layers.ConvNDTranspose(workload.rank, **options)

    def _plan(self, workload: Workload, kernel: Array) -> Any:
        tconv = importlib.import_module("tconv")
        return tconv.Plan(
            kernel,
            strides=workload.strides,
            padding=workload.padding,
            output_padding=workload.output_padding,
            dilation_rate=workload.dilation_rate,
            groups=workload.groups,
            data_format="channels_last",
        )


class TorchChannelsFirst(Peer):
    """PyTorch eager on contiguous tensors, its default layout."""

    name = "torch-nchw"
    requires = ("torch",)

    def supports(self, workload: Workload) -> bool:
        return workload.rank <= 3

    def prepare(self, workload: Workload, x: Array, kernel: Array, bias: Array, threads: int) -> Call:
        torch = importlib.import_module("torch")
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        data, weight = (self._layout(torch, torch.from_numpy(a)) for a in (_channels_first(x), _in_first(kernel)))
        offset = torch.from_numpy(bias)
        function = getattr(torch.nn.functional, f"conv_transpose{data.ndim - 2}d")
        unit = data.ndim - 2 - workload.rank  # axes of extent one put in front
        geometry = {
            "stride": (1,) * unit + workload.strides,
            "padding": (0,) * unit + workload.padding,
            "output_padding": (0,) * unit + workload.output_padding,
            "dilation": (1,) * unit + workload.dilation_rate,
            "groups": workload.groups,
        }
        if unit:
            return lambda: function(data, weight, offset, **geometry).squeeze(2)
        return lambda: function(data, weight, offset, **geometry)

    def result(self, output: Any) -> Array:
        return np.moveaxis(output.numpy(), 1, -1)

    def _layout(self, torch: ModuleType, tensor: Any) -> Any:
        return tensor.contiguous()


class TorchChannelsLast(TorchChannelsFirst):
    """PyTorch eager in the channels-last memory format; rank 1, which has none, as rank 2 with a unit axis."""

    name = "torch-nhwc"

    def _layout(self, torch: ModuleType, tensor: Any) -> Any:
        if tensor.ndim == 3:
            tensor = tensor.unsqueeze(2)
        layout = torch.channels_last if tensor.ndim == 4 else torch.channels_last_3d
        return tensor.contiguous(memory_format=layout)


class OnnxRuntime(Peer):
    """`InferenceSession.run` of a model with one ConvTranspose, the weights being constants."""

    name = "onnxruntime"
    requires = ("onnxruntime", "onnx")

    def prepare(self, workload: Workload, x: Array, kernel: Array, bias: Array, threads: int) -> Call:
        runtime = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        model = self._model(workload, kernel, bias)
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        feed = {"x": np.ascontiguousarray(_channels_first(x))}
        return lambda: session.run(None, feed)

    def result(self, output: Any) -> Array:
        return np.moveaxis(output[0], 1, -1)

    def _model(self, workload: Workload, kernel: Array, bias: Array) -> bytes:
        helper = importlib.import_module("onnx.helper")
        numpy_helper = importlib.import_module("onnx.numpy_helper")
        real = importlib.import_module("onnx").TensorProto.FLOAT
        node = helper.make_node(
            "ConvTranspose",
            ["x", "w", "b"],
            ["y"],
            strides=workload.strides,
            pads=workload.padding * 2,
            output_padding=workload.output_padding,
            dilations=workload.dilation_rate,
            group=workload.groups,
        )
        ends = [
            helper.make_tensor_value_info(name, real, [shape[0], shape[-1], *shape[1:-1]])
            for name, shape in (("x", workload.input_shape), ("y", workload.output_shape))
        ]
        arrays = {"w": np.ascontiguousarray(_in_first(kernel)), "b": bias}
        weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
        graph = helper.make_graph([node], workload.name, ends[:1], ends[1:], weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        return bytes(model.SerializeToString())


CONTESTANTS: tuple[Peer, ...] = (Tconv(), TorchChannelsFirst(), TorchChannelsLast(), OnnxRuntime())
PEERS = CONTESTANTS[1:]


def select(names: str | None, contestants: tuple[Peer, ...] = PEERS) -> list[Peer]:
    """The contestants named in the comma-separated `names`, by full name or by library; all for None.

    Raises:
        ValueError: a name is not that of a contestant or its library.
    """
    if names is None:
        return list(contestants)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if not any(_is_called(peer, name) for peer in contestants):
            raise ValueError(f"benchmarks: no peer {name!r}; there are {', '.join(peer.name for peer in contestants)}.")
    return [peer for peer in contestants if any(_is_called(peer, name) for name in wanted)]


def _is_called(peer: Peer, name: str) -> bool:
    return name in (peer.name, peer.name.split("-")[0])


def _channels_first(x: Array) -> Array:
    return np.moveaxis(x, -1, 1)


def _in_first(kernel: Array) -> Array:
    """`(*kernel_size, filters // groups, in)` as `(in, filters // groups, *kernel_size)`."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def _load(module: str) -> ModuleType | None:
    try:
        return importlib.import_module(module)
    except ImportError:
        return None
