"""ONNX' ConvTranspose through onnxruntime, where it follows the specification."""

import itertools

import numpy as np
import pytest

import tconv

pytestmark = pytest.mark.filterwarnings("ignore")
onnx = pytest.importorskip("onnx")
evaluators = pytest.importorskip("onnx.reference")
onnxruntime = pytest.importorskip("onnxruntime")


def run(x, weight, bias=None, **attributes):
    """ONNX Runtime's answer for X (N, C, spatial...), W (C, M/group, k...)."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    inputs = {"X": x, "W": weight, **({} if bias is None else {"B": bias})}
    node = helper.make_node("ConvTranspose", list(inputs), ["Y"], **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info(name, kind, array.shape) for name, array in inputs.items()],
        [helper.make_tensor_value_info("Y", kind, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def ours(x, weight, bias=None, group=1, **attributes):
    kernel = np.moveaxis(weight, (0, 1), (-1, -2))
    converted = tconv.geometry.from_onnx(x.shape[2:], weight.shape[2:], **attributes)
    steps = {"strides": attributes.get("strides", 1), "dilation_rate": attributes.get("dilations", 1)}
    return tconv.conv_transpose(x, kernel, bias, **steps, groups=group, data_format="channels_first", **converted)


def numbers(*shape):
    return np.random.default_rng(0).integers(-3, 4, shape).astype(np.float32)


NODE_TESTS = [  # the cases of ONNX' own backend node tests: shapes of X and W, attributes
    ((1, 1, 3, 3), (1, 2, 3, 3), {}),
    ((1, 1, 3), (1, 2, 3), {}),
    ((1, 1, 3, 4, 5), (1, 2, 3, 3, 3), {}),
    ((1, 1, 3, 3), (1, 2, 3, 3), {"strides": [3, 2], "output_shape": [10, 8]}),
    ((1, 1, 3, 3), (1, 2, 3, 3), {"strides": [3, 2], "output_padding": [1, 1]}),
    ((1, 1, 3, 3), (1, 2, 3, 3), {"strides": [3, 2], "pads": [1, 2, 1, 2]}),
    ((1, 1, 3, 3), (1, 1, 2, 2), {"dilations": [2, 2]}),
    ((1, 1, 3, 3), (1, 2, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ((1, 2, 3, 3), (2, 1, 3, 3), {"group": 2}),
    ((3, 2, 3, 3), (2, 1, 3, 3), {"group": 2}),
    ((2, 6, 4, 5), (6, 2, 3, 2), {"group": 3, "strides": [2, 1], "pads": [0, 1, 1, 0]}),
]


@pytest.mark.parametrize(("x_shape", "w_shape", "attributes"), NODE_TESTS, ids=str)
@pytest.mark.parametrize("with_bias", [False, True])
def test_backend_node_cases(x_shape, w_shape, attributes, with_bias):
    x, weight = numbers(*x_shape), numbers(*w_shape)
    bias = numbers(w_shape[1] * attributes.get("group", 1)) if with_bias else None
    np.testing.assert_array_equal(ours(x, weight, bias, **attributes), run(x, weight, bias, **attributes))


def test_every_combination_in_one_dimension():
    """Pads, output_padding, output_shape and auto_pad where ONNX Runtime follows the specification."""
    names = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    for i, k, s, d, auto_pad in itertools.product((1, 4), (1, 2, 3, 4), (1, 2, 3), (1, 2), names):
        span = (k - 1) * d + 1
        x, weight = numbers(1, 2, i), numbers(2, 3, k)
        base = {"strides": [s], "dilations": [d]}
        trials = [{"auto_pad": auto_pad}]
        if auto_pad == "NOTSET":
            pads = itertools.product((0, 1), (0, 2), range(s))  # ONNX Runtime refuses an output_padding >= stride
            trials += [{"pads": [b, e], "output_padding": [op]} for b, e, op in pads]
        if auto_pad.startswith("SAME") and span < s:
            trials = []  # there ONNX Runtime gives fewer than i*s
        for extra in trials:
            out = (i - 1) * s + span - sum(extra.get("pads", [0])) + extra.get("output_padding", [0])[0]
            if out < 1:
                continue
            attributes = {**base, **extra}
            got, want = ours(x, weight, **attributes), run(x, weight, **attributes)
            np.testing.assert_array_equal(got, want, err_msg=str((i, k, s, d, attributes)))


@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("wanted", [7, 8, 9])
def test_output_shape(auto_pad, wanted):
    x, weight = numbers(1, 2, 4), numbers(2, 3, 3)
    attributes = {"strides": [2], "output_shape": [wanted], "auto_pad": auto_pad}
    np.testing.assert_array_equal(ours(x, weight, **attributes), run(x, weight, **attributes))


def test_four_spatial_axes():
    x, weight = numbers(1, 2, 3, 2, 3, 2), numbers(2, 3, 2, 2, 1, 2)
    np.testing.assert_array_equal(ours(x, weight, strides=[2, 1, 2, 1]), run(x, weight, strides=[2, 1, 2, 1]))


EVALUATED = [case for case in NODE_TESTS if not {"auto_pad", "group", "output_shape"} & set(case[2])]


@pytest.mark.parametrize(("x_shape", "w_shape", "attributes"), EVALUATED, ids=str)
def test_the_reference_evaluator(x_shape, w_shape, attributes):
    x, weight = numbers(*x_shape), numbers(*w_shape)
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node("ConvTranspose", ["X", "W"], ["Y"], **attributes)
    infos = [helper.make_tensor_value_info(n, kind, None) for n in ("X", "W", "Y")]
    graph = helper.make_graph([node], "g", infos[:2], infos[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)])
    theirs = evaluators.ReferenceEvaluator(model).run(None, {"X": x, "W": weight})[0]
    np.testing.assert_array_equal(ours(x, weight, **attributes), theirs)
