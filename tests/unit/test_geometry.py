"""The geometry against the separating cases and the peers' conventions."""

import itertools

import numpy as np
import pytest

import reference
import tconv
from separating_cases import CASES, FULL
from tconv import geometry


def run(case, **geometry_arguments):
    x, w = np.array(case.x, np.float32), np.array(case.w, np.float32)
    arguments = {"strides": case.stride, "dilation_rate": case.dilation, **geometry_arguments}
    return tconv.conv_transpose(x.reshape(1, -1, 1), w.reshape(-1, 1, 1), data_format="channels_last", **arguments)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_separating_cases(case):
    padding = case.padding if isinstance(case.padding, str) else (case.padding,)
    y = run(case, padding=padding, output_padding=case.output_padding, output_shape=case.output_shape)
    assert y.ravel().tolist() == case.y


def test_group_layout():
    kernel = np.moveaxis(np.arange(1.0, 9).reshape(4, 1, 2), (0, 1), (-1, -2))  # from PyTorch's (in, out/groups, k)
    y = tconv.conv_transpose(np.ones((1, 4, 3)), kernel, groups=2, data_format="channels_first")
    assert y[0].tolist() == [[4, 10, 10, 6], [12, 26, 26, 14]]


def test_every_default_by_brute_force():
    grid = itertools.product(
        range(6), range(1, 6), range(1, 5), range(1, 4), ["valid", "same", "same_lower", 0, 1, (2, -1)]
    )
    for i, k, s, d, padding in grid:
        for op in [None, *range(max(s, d) + 1)]:
            pads = (padding, padding) if isinstance(padding, int) else padding
            try:
                want = reference.resolve(i, k, s, d, pads, op)
            except reference.Illegal:
                with pytest.raises(tconv.ShapeError):
                    geometry.resolve(i, k, s, d, padding, op)
                continue
            assert geometry.resolve(i, k, s, d, padding, op) == want


def test_axis_is_what_it_is_called():
    axis = geometry.resolve(4, 3, stride=2, padding="same")
    assert (axis.input, axis.out, axis.kernel, axis.stride, axis.dilation, axis.crop) == (4, 8, 3, 2, 1, 0)
    assert axis == geometry.Axis(4, 8, 3, 2, 1, 0)


# ------------------------------------------------------------------------------------------------- output shapes


@pytest.mark.parametrize(
    ("shape", "kernel", "filters", "arguments", "expected"),
    [
        ((4, 10, 8, 128), (2, 2), 32, {"strides": 2}, (4, 20, 16, 32)),
        ((None, None, None, None), (2, 2), 32, {"strides": 2}, (None, None, None, 32)),
        ((None, 10, None, 3), (3, 3), 5, {"strides": (2, 3), "padding": "same"}, (None, 20, None, 5)),
        ((None, 3, 10, 8), (3, 3), 6, {"data_format": "channels_first", "groups": 3}, (None, 6, 12, 10)),
        ((10, 8, 3), (3, 3), 5, {}, (12, 10, 5)),
        ((2, 7, 3), (4,), 5, {"strides": 3, "output_padding": 2}, (2, 24, 5)),
        ((2, 7, 3), 4, 5, {"strides": 3, "padding": 1}, (2, 20, 5)),
        ((2, 4, 3), (3,), 5, {"strides": 2, "padding": "same", "output_shape": (7,)}, (2, 7, 5)),
        ((0, 4, 3), (3,), 0, {}, (0, 6, 0)),
        ((1, 0, 3), (5,), 2, {"strides": 2}, (1, 3, 2)),
    ],
)
def test_output_shape(shape, kernel, filters, arguments, expected):
    assert tconv.conv_transpose_output_shape(shape, kernel, filters, **arguments) == expected


@pytest.mark.parametrize(
    ("extent", "kernel", "stride", "padding", "wanted", "first", "last"),
    [(8, 3, 2, "same", 17, 15, 16), (4, 3, 2, "valid", 8, 9, 10), (4, 3, 2, "same", 9, 7, 8), (4, 3, 2, 1, 6, 7, 8)],
)
def test_an_unreachable_extent_names_the_legal_ones(extent, kernel, stride, padding, wanted, first, last):
    shape = (1, 8, extent, 1)
    arguments = {"strides": (1, stride), "padding": padding}
    legal = tconv.conv_transpose_output_shape(shape, (1, kernel), 1, **arguments)[1]
    with pytest.raises(tconv.ShapeError) as caught:
        tconv.conv_transpose_output_shape(shape, (1, kernel), 1, output_shape=(legal, wanted), **arguments)
    message = str(caught.value)
    assert message.startswith(f"conv_transpose_output_shape: output_shape[1]={wanted} ")
    assert f"{first}..{last}" in message
    assert "\n" not in message


def test_output_padding_and_output_shape_must_agree():
    shape = tconv.conv_transpose_output_shape(
        (1, 4, 1), 3, 1, strides=2, padding=1, output_padding=1, output_shape=(8,)
    )
    assert shape == (1, 8, 1)
    with pytest.raises(tconv.ShapeError, match=r"output_shape|output_padding"):
        tconv.conv_transpose_output_shape((1, 4, 1), 3, 1, strides=2, padding=1, output_padding=1, output_shape=(7,))


# ---------------------------------------------------------------------------------------------- peers' conventions

TENSORFLOW = [  # padding, kernel, stride, L, y; from the released package
    ("SAME", (1, 10, 100), 2, 7, FULL[1:8]),
    ("SAME", (1, 10, 100), 2, 8, FULL[:8]),
    ("same", (1, 10, 100), 2, 8, FULL[:8]),
    ("VALID", (1, 10, 100), 2, 9, FULL),
    ("VALID", (1, 10, 100), 2, 10, [*FULL, 0]),
    ([(0, 0), (1, 0), (0, 0)], (1, 10, 100), 2, 9, [*FULL[1:], 0]),
    ([(0, 0), (1, 0), (0, 0)], (1, 10, 100), 2, 8, FULL[1:]),
]


@pytest.mark.parametrize(("padding", "w", "stride", "length", "y"), TENSORFLOW)
@pytest.mark.parametrize("data_format", [None, "NWC", "NCW"])
def test_from_tensorflow(padding, w, stride, length, y, data_format):
    first = data_format == "NCW"
    if first and not isinstance(padding, str):
        padding = [padding[0], padding[2], padding[1]]
    arguments = geometry.from_tensorflow((1, 1, length) if first else (1, length, 1), padding, data_format)
    assert set(arguments) <= {"padding", "output_shape", "output_padding"}
    case = CASES[0]._replace(w=w, stride=stride)
    assert run(case, **arguments).ravel().tolist() == y


@pytest.mark.parametrize(("padding", "length"), [("SAME", 6), ("SAME", 9), ("VALID", 8), ("VALID", 11)])
def test_tensorflow_rejects_these_and_so_do_we(padding, length):
    with pytest.raises(tconv.ShapeError, match="output_shape"):
        run(CASES[0], **geometry.from_tensorflow((1, length, 1), padding))


def test_tensorflow_extents_by_brute_force():
    """SAME: total = max((i-1)s + ke - L, 0), crop = total // 2; VALID: crop = 0, zeros beyond the full output."""
    for i, k, s, d in itertools.product(range(1, 5), range(1, 5), range(1, 4), (1, 2)):
        full = (i - 1) * s + (k - 1) * d + 1
        for length in range((i - 1) * s + 1, i * s + 1):
            arguments = geometry.from_tensorflow((1, length, 1), "SAME")
            axis = geometry.resolve(i, k, s, d, arguments["padding"], output=arguments["output_shape"][0])
            assert (axis.out, axis.crop) == (length, max(full - length, 0) // 2)
        for length in range(full, full + s):
            arguments = geometry.from_tensorflow((1, length, 1), "VALID")
            axis = geometry.resolve(i, k, s, d, arguments["padding"], output=arguments["output_shape"][0])
            assert (axis.out, axis.crop) == (length, 0)


def test_from_pytorch():
    """out = (i-1)s - 2p + d(k-1) + op + 1, crop p."""
    for i, k, s, d, p in itertools.product(range(1, 5), range(1, 4), range(1, 4), (1, 2, 3), (0, 1, 2)):
        for op in range(max(s, d)):
            out = (i - 1) * s - 2 * p + d * (k - 1) + op + 1
            if out < 1:
                continue
            arguments = geometry.from_pytorch(1, p, op)
            axis = geometry.resolve(i, k, s, d, arguments["padding"][0], arguments["output_padding"][0])
            assert (axis.out, axis.crop) == (out, p)
            if op < s:
                arguments = geometry.from_pytorch(1, p, output_size=(2, 5, out))
                axis = geometry.resolve(i, k, s, d, arguments["padding"][0], output=arguments["output_shape"][0])
                assert (axis.out, axis.crop) == (out, p)


def test_pytorch_stride_beyond_kernel_is_not_extended():
    case = CASES[0]._replace(x=(1, 2, 3), w=(1, 10), stride=4)
    assert run(case, **geometry.from_pytorch(1)).ravel().tolist() == [1, 10, 0, 0, 2, 20, 0, 0, 3, 30]
    assert run(case, padding="valid").ravel().tolist() == [1, 10, 0, 0, 2, 20, 0, 0, 3, 30, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "y"),
    [
        ({}, FULL),
        ({"pads": (1, 1)}, FULL[1:8]),
        ({"pads": (1, 1), "output_padding": 1}, FULL[1:]),
        ({"pads": (2, 0)}, FULL[2:]),
        ({"auto_pad": "VALID"}, FULL),
        ({"auto_pad": "SAME_UPPER"}, FULL[:8]),
        ({"auto_pad": "SAME_LOWER"}, FULL[1:]),
        ({"output_shape": (8,)}, FULL[1:]),
        ({"output_shape": (8,), "auto_pad": "SAME_UPPER"}, FULL[:8]),
        ({"output_shape": (7,)}, FULL[1:8]),
        ({"output_shape": (8,), "pads": (2, 2)}, FULL[1:]),  # pads are ignored
        ({"output_shape": (9,), "output_padding": 1}, [*FULL[1:], 0]),
    ],
)
def test_from_onnx(arguments, y):
    converted = geometry.from_onnx((4,), (3,), strides=2, **arguments)
    assert run(CASES[0], **converted).ravel().tolist() == y


def test_onnx_arithmetic_by_brute_force():
    """total = s(i-1) + op + ke - L; SAME_UPPER crops total // 2 at the begin, everything else at the end."""
    names = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
    grid = itertools.product(range(1, 5), range(1, 5), range(1, 4), (1, 2), names)
    for i, k, s, d, auto_pad in grid:
        for op in range(max(s, d)):
            for length in range(1, (i - 1) * s + (k - 1) * d + 1 + op + 1):
                total = s * (i - 1) + op + (k - 1) * d + 1 - length
                begin = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
                got = geometry.from_onnx(
                    (i,), (k,), strides=s, dilations=d, output_padding=op, output_shape=(length,), auto_pad=auto_pad
                )
                extra = got.get("output_padding", (None,))[0]
                axis = geometry.resolve(i, k, s, d, got["padding"][0], extra)
                assert (axis.out, axis.crop) == (length, begin), (i, k, s, d, op, length, auto_pad, got)


@pytest.mark.parametrize(
    ("function", "arguments", "kind", "name"),
    [
        ("from_tensorflow", [(1, 8)], ValueError, "output_shape"),
        ("from_tensorflow", [None], TypeError, "output_shape"),
        ("from_tensorflow", [(1, 8, 1), "FULL"], ValueError, "padding"),
        ("from_tensorflow", [(1, 8, 1), [(1, 0), (0, 0), (0, 0)]], ValueError, "padding"),
        ("from_tensorflow", [(1, 8, 1), "SAME", 3], TypeError, "data_format"),
        ("from_pytorch", [0], ValueError, "rank"),
        ("from_pytorch", [True], TypeError, "rank"),
        ("from_pytorch", [2, (1,)], ValueError, "padding"),
        ("from_pytorch", [2, -1], ValueError, "padding"),
        ("from_pytorch", [2, "same"], TypeError, "padding"),
        ("from_pytorch", [2, 0, -1], ValueError, "output_padding"),
        ("from_onnx", [(4,), (3, 3)], ValueError, "kernel"),
        ("from_onnx", [4, 3], TypeError, "input"),
    ],
)
def test_bad_arguments_of_the_conversions(function, arguments, kind, name):
    with pytest.raises(kind) as caught:
        getattr(geometry, function)(*arguments)
    assert str(caught.value).startswith(f"{function}: ")
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"pads": (1,)}, "pads"),
        ({"pads": (-1, 0)}, "pads"),
        ({"pads": (1, 0), "auto_pad": "SAME_UPPER"}, "pads"),
        ({"auto_pad": "same"}, "auto_pad"),
        ({"strides": 0}, "strides"),
        ({"dilations": 0}, "dilations"),
        ({"output_padding": -1}, "output_padding"),
        ({"output_shape": (1, 2)}, "output_shape"),
    ],
)
def test_bad_arguments_of_from_onnx(arguments, name):
    with pytest.raises(ValueError, match=rf"^from_onnx: .*{name}"):
        geometry.from_onnx((4,), (3,), **arguments)


@pytest.mark.parametrize(("entries", "name"), [(3, "NWC"), (4, "nhwc"), (5, "NDHWC"), (5, "channels_last"), (6, None)])
def test_tensorflows_channels_last(entries, name):
    shape = tuple(range(7, 7 + entries))
    assert geometry.from_tensorflow(shape, "VALID", name)["output_shape"] == shape[1:-1]


@pytest.mark.parametrize(("entries", "name"), [(3, "NCW"), (4, "nchw"), (5, "NCDHW"), (6, "channels_first")])
def test_tensorflows_channels_first(entries, name):
    shape = tuple(range(7, 7 + entries))
    assert geometry.from_tensorflow(shape, "VALID", name)["output_shape"] == shape[2:]


@pytest.mark.parametrize("name", ["", "N", "NWC", "NCDHW", "HWNC", "channels", "NCHW_VECT_C", "NHWC\0"])
def test_tensorflow_has_no_such_data_format(name):
    with pytest.raises(ValueError, match=r"^from_tensorflow: data_format=.* must be NHWC or NCHW\.$"):
        geometry.from_tensorflow((1, 7, 7, 1), "SAME", name)


@pytest.mark.parametrize("pads", [(0, 1), (0, 1, 2), (0,) * 8])
def test_onnx_pads_of_another_length_are_counted(pads):
    with pytest.raises(tconv.ShapeError, match=r"^from_onnx: pads=.* entries; 4 are needed\.$"):
        geometry.from_onnx((4, 5), (3, 3), pads=pads)
