"""LiteRT (TensorFlow Lite) with XNNPACK, which it applies by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from tconv.bench.peers.base import Array, Arrays, Call, Peer, Task
from tconv.bench.peers.same_or_valid import Spelling, arguments, spell, unspell

__all__ = ["LiteRt", "LiteRtPooled"]


class LiteRt(Peer):
    """`set_tensor`, `invoke` and `get_tensor`: the input and the result are copied."""

    name = "litert"

    def start(self, threads: int) -> str:
        import ai_edge_litert
        import ai_edge_litert.interpreter
        import flatbuffers  # noqa: F401 - builds the model

        return str(ai_edge_litert.__version__)

    def refusal(self, task: Task) -> str | None:
        workload = task.workload
        if reason := super().refusal(task):
            return reason
        if workload.groups > 1:
            return "has no groups"
        if max(workload.dilation_rate) > 1:
            return "has no dilation"
        return None if spell(workload) else "its padding cannot say this crop"

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        interpreter, x, result = _interpreter(task, arrays, threads)
        source = interpreter.get_input_details()[0]["index"]

        def call() -> Any:
            interpreter.set_tensor(source, x)
            interpreter.invoke()
            return interpreter.get_tensor(result)

        return call

    def result(self, task: Task, output: Any) -> Array:
        spelling = spell(task.workload)
        assert spelling is not None
        return unspell(task, np.array(output), spelling)


class LiteRtPooled(LiteRt):
    """`invoke` alone, in the interpreter's own memory: the input is in place before, the result is a view."""

    name = "litert-pooled"
    pooled = True

    def prepare(self, task: Task, arrays: Arrays, threads: int) -> Call:
        interpreter, _, result = _interpreter(task, arrays, threads)
        view = interpreter.tensor(result)

        def call() -> Any:
            interpreter.invoke()
            return view()

        return call


def _interpreter(task: Task, arrays: Arrays, threads: int) -> tuple[Any, Array, int]:
    """An interpreter with its input in place, that input, and the index of its result."""
    from ai_edge_litert.interpreter import Interpreter

    spelling = spell(task.workload)
    assert spelling is not None
    x, kernel, bias, _ = arguments(task, arrays, spelling)
    interpreter = Interpreter(model_content=_model(task, kernel, bias, x.shape, spelling), num_threads=threads)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    return interpreter, x, interpreter.get_output_details()[0]["index"]


def _model(task: Task, kernel: Array, bias: Array, shape: tuple[int, ...], spelling: Spelling) -> bytes:
    """A model of one operator, TRANSPOSE_CONV or CONV_3D_TRANSPOSE.

    Source: the operators' inputs and options are those of TensorFlow Lite's schema.fbs.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    workload = task.workload
    batch, *spatial, filters = workload.output_shape
    unit = [1] if workload.rank == 1 else []
    out = np.array([batch, *unit, *spatial, filters], np.int32)
    strides = unit + [*workload.strides]
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    if workload.rank < 3:
        kernel = np.ascontiguousarray(np.moveaxis(kernel, 2, 0))
        options = schema.TransposeConvOptionsT()
        code.builtinCode, code.version = schema.BuiltinOperator.TRANSPOSE_CONV, 3
        operator.builtinOptionsType = schema.BuiltinOptions.TransposeConvOptions
    else:
        options = schema.Conv3DOptionsT()
        options.strideD, options.dilationDFactor, options.dilationHFactor, options.dilationWFactor = strides[0], 1, 1, 1
        code.builtinCode, code.version = schema.BuiltinOperator.CONV_3D_TRANSPOSE, 1
        operator.builtinOptionsType = schema.BuiltinOptions.Conv3DOptions
    options.strideH, options.strideW = strides[-2:]
    options.padding = getattr(schema.Padding, spelling.padding)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)  # the schema's word for "see builtinCode"
    operator.opcodeIndex, operator.builtinOptions = 0, options

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    graph.tensors, graph.operators = [], [operator]

    def add(name: str, shape: Any, constant: Array | None = None) -> int:
        tensor = schema.TensorT()
        whole = constant is not None and constant.dtype == np.int32
        tensor.name, tensor.shape, tensor.buffer = name, [*shape], 0
        tensor.type = schema.TensorType.INT32 if whole else schema.TensorType.FLOAT32
        if constant is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(constant.tobytes(), np.uint8)
            tensor.buffer = len(model.buffers)
            model.buffers.append(buffer)
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    sizes, weights, offset = (
        add("output_shape", out.shape, out),
        add("kernel", kernel.shape, kernel),
        add("bias", bias.shape, bias),
    )
    x, y = add("x", shape), add("y", out)
    operator.inputs, operator.outputs = [sizes, weights, x, offset], [y]
    graph.inputs, graph.outputs = [x], [y]
    builder = flatbuffers.Builder(kernel.nbytes + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
