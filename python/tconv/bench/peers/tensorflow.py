"""TensorFlow on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tconv.bench.peers.base import ALL, Array, Arrays, Call, Peer, Task, Workload
from tconv.bench.peers.same_or_valid import Spelling, arguments, spell, unspell
from tconv.bench.workloads import GRAD_INPUT, OUTPUT

__all__ = ["TensorFlow", "TensorFlowEigen"]


class TensorFlow(Peer):
    """A `tf.function` of `conv*d_transpose` on channels-last tensors, its weights being constants; oneDNN is on.

    Dilation with stride 1 is an ordinary convolution; with stride it is compiled by XLA, because the kernels have none.
    """

    name = "tensorflow"
    dtypes = ("float32", "float64", "float16", "bfloat16")
    wanted = ALL
    onednn = "1"

    def environment(self, threads: int) -> Mapping[str, str]:
        own = {"TF_ENABLE_ONEDNN_OPTS": self.onednn, "TF_CPP_MIN_LOG_LEVEL": "3", "NPROC": str(threads)}
        return {**super().environment(threads), **own, "CUDA_VISIBLE_DEVICES": ""}

    def start(self, threads: int) -> str:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        return str(tf.__version__)

    def refusal(self, task: Task) -> str | None:
        workload = task.workload
        if reason := super().refusal(task):
            return reason
        if workload.groups > 1 and (workload.groups != workload.filters or workload.rank == 3):
            return "has no groups on CPUs"
        return None if spell(workload) else "its padding cannot say this crop"

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        import tensorflow as tf

        workload, spelling = task.workload, _spelling(task.workload)
        x, kernel, bias, dy = map(tf.constant, arguments(task, arrays, spelling))
        forward = _forward(workload, spelling, x.shape, dilated_by_convolution=task.wanted == OUTPUT)
        compiled = max(workload.dilation_rate) > 1 and not (task.wanted == OUTPUT and max(workload.strides) == 1)

        @tf.function(jit_compile=compiled)  # type: ignore[untyped-decorator]
        def output(x: Any) -> Any:
            return tf.nn.bias_add(forward(x, kernel), bias)

        @tf.function(jit_compile=compiled)  # type: ignore[untyped-decorator]
        def to_input(dy: Any, kernel: Any) -> Any:
            return _gradient(lambda x: forward(x, kernel), x, dy)

        @tf.function(jit_compile=compiled)  # type: ignore[untyped-decorator]
        def to_kernel(dy: Any, x: Any) -> Any:
            return _gradient(lambda kernel: forward(x, kernel), kernel, dy)

        if task.wanted == OUTPUT:
            return lambda: output(x)
        if task.wanted == GRAD_INPUT:
            return lambda: to_input(dy, kernel)
        return lambda: to_kernel(dy, x)

    def result(self, task: Task, output: Any) -> Array:
        return unspell(task, output.numpy(), _spelling(task.workload))


class TensorFlowEigen(TensorFlow):
    """The same without oneDNN."""

    name = "tensorflow-eigen"
    onednn = "0"
    by_default = False


def _forward(workload: Workload, spelling: Spelling, shape: Any, dilated_by_convolution: bool) -> Any:
    """A function of x and the kernel."""
    import tensorflow as tf

    planar = workload.rank < 3
    unit = [1] if workload.rank == 1 else []
    strides, dilations = unit + [*workload.strides], unit + [*workload.dilation_rate]
    batch, *spatial, filters = workload.output_shape
    out = [batch, *unit, *spatial, filters]
    if workload.groups > 1:

        def depthwise(x: Any, kernel: Any) -> Any:
            *size, _, channels = kernel.shape
            taps = tf.reshape(kernel, [*size, filters, channels // filters])
            return tf.nn.depthwise_conv2d_backprop_input(out, taps, x, [1, *strides, 1], spelling.padding)

        return depthwise
    if dilated_by_convolution and planar and max(dilations) > 1 and max(strides) == 1:
        ends = [
            (r - 1 - p, r - 1 - p + op) for r, p, op in zip(workload.reach, workload.padding, workload.output_padding)
        ]
        ends = [(0, 0), *([(0, 0)] if unit else []), *ends, (0, 0)]

        def convolution(x: Any, kernel: Any) -> Any:
            taps = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
            return tf.nn.conv2d(tf.pad(x, ends), taps, 1, "VALID", dilations=dilations)

        return convolution
    function = tf.nn.conv2d_transpose if planar else tf.nn.conv3d_transpose
    return lambda x, kernel: function(x, kernel, out, strides, spelling.padding, dilations=dilations)


def _gradient(function: Any, variable: Any, dy: Any) -> Any:
    """The gradient alone: the graph's pruning drops the result, which is linear in the variable."""
    import tensorflow as tf

    point = tf.zeros_like(variable)
    with tf.GradientTape() as tape:
        tape.watch(point)
        result = function(point)
    return tape.gradient(result, point, dy)


def _spelling(workload: Workload) -> Spelling:
    spelling = spell(workload)
    if spelling is None:
        raise ValueError(f"bench: {workload.name}: no padding of TensorFlow's says this crop.")
    return spelling
