"""OpenVINO on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from tconv.bench.peers.base import Array, Arrays, Call, Peer, Task, channels_first
from tconv.bench.peers.onnx_model import onnx_model

__all__ = ["OpenVino", "OpenVinoChannelsLast", "OpenVinoPooled"]


class OpenVino(Peer):
    """`InferRequest.infer` on `(batch, channels, *spatial)` arrays, the input shared, the result a fresh array."""

    name = "openvino"
    channels_last = False
    shared = False

    def start(self, threads: int) -> str:
        import onnx
        import openvino

        return f"{openvino.__version__} (onnx {onnx.__version__})"

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        import openvino

        core = openvino.Core()
        model = core.read_model(onnx_model(task, arrays))
        if self.channels_last:
            model = _with_channels_last(model, task.workload.rank)
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        request = core.compile_model(model, "CPU", options).create_infer_request()
        feed = [np.ascontiguousarray(arrays.x) if self.channels_last else channels_first(arrays.x)]
        shared = self.shared
        return lambda: request.infer(feed, share_inputs=True, share_outputs=shared)

    def result(self, task: Task, output: Any) -> Array:
        array: Array = output[0]
        return array if self.channels_last else np.moveaxis(array, 1, -1)


class OpenVinoChannelsLast(OpenVino):
    """The same on channels-last arrays."""

    name = "openvino-nhwc"
    channels_last = True


class OpenVinoPooled(OpenVinoChannelsLast):
    """Channels-last, the result a view of memory that the next call writes again."""

    name = "openvino-nhwc-pooled"
    pooled = True
    shared = True


def _with_channels_last(model: Any, rank: int) -> Any:
    """The model with channels-last ends; the plugin chooses the layout between them."""
    import openvino
    from openvino.preprocess import PrePostProcessor

    spatial = "DHW"[3 - rank :]
    ours, theirs = openvino.Layout(f"N{spatial}C"), openvino.Layout(f"NC{spatial}")
    change = PrePostProcessor(model)
    for end in (change.input(), change.output()):
        end.tensor().set_layout(ours)
        end.model().set_layout(theirs)
    return change.build()
