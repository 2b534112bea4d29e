"""ncnn on the CPU."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tconv.bench.peers.base import Array, Arrays, Call, Peer, Task, Workload, channels_first, filters_first

__all__ = ["Ncnn"]

# Keys of the layers' parameters for the axes w, h, d. Source: ncnn's docs, developer-guide/operators.
KERNEL, DILATION, STRIDE = (1, 11, 21), (2, 12, 22), (3, 13, 23)
PAD_BEGIN, PAD_END, OUTPUT_PAD = (4, 14, 24), (15, 16, 17), (18, 19, 20)
NUMBER_OF_FILTERS, HAS_BIAS, WEIGHTS, GROUPS = 0, 5, 6, 7


class Ncnn(Peer):
    """An extractor per image, because a network has no batch; in float32 throughout."""

    name = "ncnn"

    def start(self, threads: int) -> str:
        import ncnn

        return str(ncnn.__version__)

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        import ncnn

        net = ncnn.Net()
        net.opt.num_threads = threads
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.opt.use_bf16_packed = net.opt.use_bf16_storage = False
        with tempfile.TemporaryDirectory() as folder:
            text, weights = Path(folder, "net.param"), Path(folder, "net.bin")
            text.write_text(_parameters(task.workload), encoding="ascii")
            kernel = filters_first(arrays.kernel, task.workload.groups)
            weights.write_bytes(bytes(4) + kernel.tobytes() + arrays.bias.tobytes())
            if net.load_param(str(text)) or net.load_model(str(weights)):
                raise RuntimeError("ncnn cannot read its model")
        images = [ncnn.Mat(image).clone() for image in channels_first(arrays.x)]

        def call() -> list[Any]:
            results = []
            for image in images:
                extractor = net.create_extractor()
                extractor.input("x", image)
                code, result = extractor.extract("y")
                if code:
                    raise RuntimeError(f"ncnn's extract returns {code}")
                results.append(result)
            return results

        return call

    def result(self, task: Task, output: Any) -> Array:
        return np.moveaxis(np.stack([np.array(image) for image in output]), 1, -1)


def _parameters(workload: Workload) -> str:
    """The network as text: an input and one layer."""
    suffix = {1: "1D", 2: "", 3: "3D"}[workload.rank]
    kind = "DeconvolutionDepthWise" if workload.groups > 1 else "Deconvolution"
    entries = {
        NUMBER_OF_FILTERS: workload.filters,
        HAS_BIAS: 1,
        WEIGHTS: int(np.prod(workload.kernel_shape)),
    }
    if workload.groups > 1:
        entries[GROUPS] = workload.groups
    for keys, values in (
        (KERNEL, workload.kernel_size),
        (DILATION, workload.dilation_rate),
        (STRIDE, workload.strides),
        (PAD_BEGIN, workload.padding),
        (PAD_END, workload.padding),
        (OUTPUT_PAD, workload.output_padding),
    ):
        entries.update(zip(keys, reversed(values)))
    listed = " ".join(f"{key}={value}" for key, value in entries.items())
    return f"7767517\n2 2\nInput x 0 1 x\n{kind}{suffix} layer 1 1 x y {listed}\n"
