"""What an array may be: dtypes and how they meet, memory of any layout, other libraries' arrays, `out`."""

import numpy as np
import pytest

import tconv
from problems import BFLOAT16, DTYPES, NAMED, np_dtype

P = NAMED["docs2d"].but(bias=True, integers=True)
EXPECTED = P.expected()[0]


def forward(x, kernel, bias=None, **more):
    return tconv.conv_transpose(x, kernel, bias, **P.geometry, **more)


@pytest.mark.parametrize(
    ("x", "kernel", "bias", "result"),
    [
        ("float32", "float32", "float32", "float32"),
        ("float64", "float32", "float32", "float64"),
        ("float32", "float32", "float64", "float64"),
        ("float16", "float32", "float16", "float32"),
        ("float16", "float16", "float16", "float16"),
        ("int8", "float16", "bool", "float16"),
        ("float32", "int64", "int64", "float32"),
        ("int64", "int64", "int64", "float32"),
        ("uint8", "bool", "int8", "float32"),
        ("float16", "float64", "int8", "float64"),
        ("bfloat16", "bfloat16", "bfloat16", "bfloat16"),
        ("bfloat16", "float16", "float16", "float32"),
        ("bfloat16", "float32", "bfloat16", "float32"),
        ("bfloat16", "float64", "bfloat16", "float64"),
        ("bfloat16", "int64", "int64", "bfloat16"),
    ],
)
def test_the_floating_operands_decide(x, kernel, bias, result):
    if "bfloat16" in (x, kernel, bias) and BFLOAT16 is None:
        pytest.skip("ml_dtypes is not installed")
    operands = [(P.x, x), (P.kernel, kernel), (P.b, bias)]
    arrays = [np.abs(a).astype(np_dtype(d)) for a, d in operands]  # bool and uint8 have no sign
    got = forward(*arrays)
    assert got.dtype == np_dtype(result)
    wide = [a.astype(np.float64) for a in arrays]
    np.testing.assert_array_equal(got.astype(np.float64), forward(*wide))


def test_lists_and_numbers_are_arrays():
    y = tconv.conv_transpose([[[1], [2]]], [[[1]], [[10]]], [5])
    assert y.dtype == np.float32
    assert y.ravel().tolist() == [6, 17, 25]


def test_floatx_decides_where_nothing_floats():
    tconv.config.set_floatx("float64")
    try:
        assert tconv.conv_transpose([[[1], [2]]], [[[1]], [[10]]]).dtype == np.float64
    finally:
        tconv.config.set_floatx("float32")


class WithArray:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


class WithDlpack:
    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **arguments):
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Subclass(np.ndarray):
    pass


def unaligned(array):
    memory = np.empty(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def strided(array):
    wide = np.full([2 * n for n in array.shape], 99, array.dtype)
    view = wide[tuple(slice(1, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def swapped(array):
    return array.astype(array.dtype.newbyteorder())


FORMS = {
    "fortran": np.asfortranarray,
    "strided": strided,
    "negative": lambda a: np.flip(np.ascontiguousarray(np.flip(a))),
    "read only": read_only,
    "unaligned": unaligned,
    "byte order": swapped,
    "__array__": WithArray,
    "__dlpack__": WithDlpack,
    "subclass": lambda a: a.view(Subclass),
    "list": lambda a: a.tolist(),
    "memoryview": lambda a: memoryview(a),
    "memmap-like": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("form", FORMS)
def test_memory_of_any_form(form, dtype):
    make = FORMS[form]
    x, kernel, bias = (a.astype(dtype) for a in (P.x, P.kernel, P.b))
    if form == "list":  # Python's numbers are float64
        dtype = "float64"
    got = forward(make(x), make(kernel), make(bias))
    assert type(got) is np.ndarray
    assert got.dtype == np.dtype(dtype)
    assert got.flags.c_contiguous
    assert got.flags.writeable
    np.testing.assert_array_equal(got.astype(np.float64), EXPECTED)
    dy = np.asarray(P.dy, dtype if form != "list" else x.dtype)
    dx = tconv.conv_transpose_grad_input(make(dy), make(kernel), P.input_shape, **P.geometry)
    dkernel = tconv.conv_transpose_grad_kernel(make(x), make(dy), P.kernel_shape, **P.geometry)
    np.testing.assert_array_equal(dx.astype(np.float64), P.expected_grad_input()[0])
    np.testing.assert_array_equal(dkernel.astype(np.float64), P.expected_grad_kernel()[0])


def test_broadcast_views():
    x = np.broadcast_to(np.float32(1), P.input_shape)
    kernel = np.broadcast_to(np.float32(2), P.kernel_shape)
    np.testing.assert_array_equal(forward(x, kernel), forward(x.copy(), kernel.copy()))


@pytest.mark.parametrize("dtype", DTYPES)
def test_out_is_the_result(dtype):
    p = P.but(dtype=dtype)
    arguments = (p.x, p.kernel, p.b)
    out = np.full(p.output, 7, np_dtype(dtype))
    assert forward(*arguments, out=out) is out
    np.testing.assert_array_equal(out, forward(*arguments))
    view = np.full((3, *p.output), 7, np_dtype(dtype))
    forward(*arguments, out=view[1])
    np.testing.assert_array_equal(view[1], out)
    assert (view[0] == 7).all()
    assert (view[2] == 7).all()


def test_out_of_gradients_is_overwritten_not_added_to():
    dx, dkernel = np.full(P.input_shape, 7, np.float32), np.full(P.kernel_shape, 7, np.float32)
    assert tconv.conv_transpose_grad_input(P.dy, P.kernel, P.input_shape, **P.geometry, out=dx) is dx
    assert tconv.conv_transpose_grad_kernel(P.x, P.dy, P.kernel_shape, **P.geometry, out=dkernel) is dkernel
    np.testing.assert_array_equal(dx, P.expected_grad_input()[0])
    np.testing.assert_array_equal(dkernel, P.expected_grad_kernel()[0])


@pytest.mark.parametrize("activation", [None, "relu", np.tanh])
def test_out_with_activation(activation):
    out = np.full(P.output, 7, np.float32)
    got = forward(P.x, P.kernel, P.b, activation=activation, out=out)
    assert got is out
    np.testing.assert_array_equal(out, forward(P.x, P.kernel, P.b, activation=activation))


def test_a_result_is_fresh_memory():
    first = forward(P.x, P.kernel)
    kept = first.copy()
    forward(-P.x, P.kernel)
    np.testing.assert_array_equal(first, kept)
    assert first.base is None or not np.shares_memory(first, P.x)


def test_nothing_outside_of_out_is_written():
    p = NAMED["vae"].but(filters=3)
    size = int(np.prod(p.output))
    for offset in (1, 3, 5):
        memory = np.full(size + 64, 7, np.float32)
        tconv.conv_transpose(p.x, p.kernel, p.b, **p.geometry, out=memory[offset : offset + size].reshape(p.output))
        assert (memory[:offset] == 7).all()
        assert (memory[offset + size :] == 7).all()


# ---------------------------------------------------------------------------------------------------- non-finite


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(
    "name",
    [
        *("vae", "s1k3", "fsrcnn", "hifigan1", "strided_dil", "bilinear_dw", "negative_crop", "stride_beyond_kernel"),
        *("dcgan1", "dcgan3", "docs3d", "one_tap", "crop_beyond_taps", "multiplier"),
    ],
)
def test_non_finite_values_stay_where_the_definition_puts_them(name, dtype, value):
    """One wild pixel spoils the outputs that it meets and no other; one wild weight likewise."""
    for data_format in ("channels_last", "channels_first"):
        p = NAMED[name].but(dtype=dtype, activation=None, data_format=data_format)
        x, kernel = p.x, p.kernel
        pixel = tuple(n // 2 for n in x.shape)
        x[pixel] = value
        check(p, x, kernel)
        x = p.x
        kernel[tuple(n // 3 for n in kernel.shape)] = value
        check(p, x, kernel)


def check(p, x, kernel):
    import reference

    with np.errstate(all="ignore"):
        exact = reference.forward(x, kernel, p.b, **p.oracle)
        got = tconv.conv_transpose(x, kernel, p.b, **p.geometry).astype(np.float64)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(exact))
    np.testing.assert_array_equal(np.isposinf(got), np.isposinf(exact))
    np.testing.assert_array_equal(np.isneginf(got), np.isneginf(exact))


def test_an_inf_beside_zeros_is_nan_only_where_they_are_multiplied():
    x = np.array([0, np.inf, 0, 0], np.float32).reshape(1, 4, 1)
    y = tconv.conv_transpose(x, np.array([0, 1], np.float32).reshape(2, 1, 1), strides=2)
    np.testing.assert_array_equal(y.ravel(), [0, 0, np.nan, np.inf, 0, 0, 0, 0])


def test_16_bit_overflow_is_infinite_and_sums_are_wide():
    x = np.full((1, 3, 4), 200, np.float16)
    y = tconv.conv_transpose(x, np.full((1, 1, 4), 100, np.float16))
    assert np.isposinf(y).all()  # 80000
    kernel = np.array([100, 100, -100, -100], np.float16).reshape(1, 1, 4) * np.float16(4)
    assert (tconv.conv_transpose(x, kernel) == 0).all()  # 160000 on the way


def test_sums_of_16_bit_numbers_are_kept_in_float32():
    ones = np.ones((1, 1, 4096), np.float16)
    assert tconv.conv_transpose(ones, np.ones((1, 1, 4096), np.float16)).item() == 4096  # float16 stops at 2048
