"""ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from tconv.bench.peers.base import Array, Arrays, Call, Peer, Task, channels_first
from tconv.bench.peers.onnx_model import onnx_model

__all__ = ["OnnxRuntime", "OnnxRuntimePooled"]


class OnnxRuntime(Peer):
    """`InferenceSession.run`. Its threads spin between calls, which is best for it: nobody else runs in its turn."""

    name = "onnxruntime"

    def start(self, threads: int) -> str:
        import onnx
        import onnxruntime

        return f"{onnxruntime.__version__} (onnx {onnx.__version__})"

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        session = self._session(task, arrays, threads)
        feed = {"x": channels_first(arrays.x)}
        return lambda: session.run(None, feed)

    def result(self, task: Task, output: Any) -> Array:
        return np.moveaxis(output[0], 1, -1)

    def _session(self, task: Task, arrays: Arrays, threads: int) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        model = onnx_model(task, arrays)
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class OnnxRuntimePooled(OnnxRuntime):
    """`run_with_iobinding` into an output of the caller's."""

    name = "onnxruntime-pooled"
    pooled = True

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        import onnxruntime

        session = self._session(task, arrays, threads)
        batch, *spatial, filters = task.workload.output_shape
        x = onnxruntime.OrtValue.ortvalue_from_numpy(channels_first(arrays.x))
        y = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty((batch, filters, *spatial), np.float32))
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", x)
        binding.bind_ortvalue_output("y", y)

        def call() -> Any:
            session.run_with_iobinding(binding)
            return [y.numpy]

        return call

    def result(self, task: Task, output: Any) -> Array:
        return super().result(task, [output[0]()])
