"""A model with one ConvTranspose, its weights being constants, for the libraries that read ONNX."""

from __future__ import annotations

from tconv.bench.peers.base import Arrays, Task, in_first

__all__ = ["onnx_model"]


def onnx_model(task: Task, arrays: Arrays) -> bytes:
    """The serialized model; it maps "x" to "y", both `(batch, channels, *spatial)`.

    Raises:
        ImportError: onnx is not installed.
    """
    from onnx import TensorProto, helper, numpy_helper

    workload = task.workload
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
    real = TensorProto.DOUBLE if task.dtype == "float64" else TensorProto.FLOAT
    ends = [
        helper.make_tensor_value_info(name, real, [shape[0], shape[-1], *shape[1:-1]])
        for name, shape in (("x", workload.input_shape), ("y", workload.output_shape))
    ]
    weights = [numpy_helper.from_array(in_first(arrays.kernel), "w"), numpy_helper.from_array(arrays.bias, "b")]
    graph = helper.make_graph([node], workload.name, ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())
