"""Wrong input, argument by argument: the exception's type, a message that begins with the operation and names the
argument, one sentence, and nothing written."""

import itertools

import numpy as np
import pytest

import tconv

F32 = np.float32


class Raising:
    """An array-like whose conversion raises."""

    def __init__(self, error=None):
        self.error = error or RuntimeError("no array today")

    def __array__(self, dtype=None, copy=None):
        raise self.error


class RaisingSequence:
    def __len__(self):
        return 2

    def __getitem__(self, item):
        raise RuntimeError("no item today")


class RaisingIndex:
    def __index__(self):
        raise RuntimeError("no index today")


class RaisingRepr:
    def __repr__(self):
        raise RuntimeError("no repr today")


class Liar:
    """A sequence that says it has a million items."""

    def __len__(self):
        return 10**6

    def __getitem__(self, item):
        return 1


def arrays():
    return {
        "conv_transpose": {
            "x": np.ones((1, 4, 5, 3), F32),
            "kernel": np.ones((3, 3, 4, 3), F32),
            "bias": np.ones(4, F32),
        },
        "conv_transpose_grad_input": {
            "dy": np.ones((1, 9, 11, 4), F32),
            "kernel": np.ones((3, 3, 4, 3), F32),
            "input_shape": (1, 4, 5, 3),
        },
        "conv_transpose_grad_kernel": {
            "x": np.ones((1, 4, 5, 3), F32),
            "dy": np.ones((1, 9, 11, 4), F32),
            "kernel_shape": (3, 3, 4, 3),
        },
        "conv_transpose_output_shape": {"input_shape": (1, 4, 5, 3), "kernel_size": (3, 3), "filters": 4},
    }


OUT = {
    "conv_transpose": (1, 9, 11, 4),
    "conv_transpose_grad_input": (1, 4, 5, 3),
    "conv_transpose_grad_kernel": (3, 3, 4, 3),
}
FUNCTIONS = list(arrays())
HUGE = 2**62

# One argument of the geometry, a wrong value, what is raised.
V, T = ValueError, TypeError
EITHER = (ValueError, TypeError)
COUNTS = [
    (0, V), (-1, V), (True, T), (False, T), (1.0, T), (1.5, T), ("2", T), (b"2", T), (None, T), (1j, T), ((), EITHER),
    ((1,), V), ((1, 1, 1), V), ((1, 0), V), ((-1, 1), V), ((1, True), T), ((1, 1.0), T), ((1, None), T), ((1, "1"), T),
    ((1, (1,)), EITHER), ([[1, 1]], EITHER), ({1, 2}, T), ({1: 1, 2: 2}, T), (np.ones((2, 2), int), EITHER),
    (np.array([1.0, 2.0]), T), (np.float32(2), T), (np.bool_(True), T), (2**63, V), (-(2**63), V), (2**200, V),
    (10**400, V), ((1, 2**70), V),
    (HUGE, V), ((1, HUGE), V), (float("nan"), T), (float("inf"), T), (RaisingSequence(), EITHER), (RaisingIndex(),
    EITHER),
    (RaisingRepr(), T), (object(), T), (Liar(), V), (range(3), V), (iter([1, 1]), T), (slice(1, 2), T), (lambda: 1, T),
]  # fmt: skip


def without(cases, *legal):
    """The cases but those whose value is legal for the argument at hand."""
    return [c for c in cases if not any(type(c[0]) is type(value) and c[0] == value for value in legal)]


NOT_NONE = without(COUNTS, None)
GEOMETRY = {
    "strides": COUNTS,
    "dilation_rate": COUNTS,
    "output_padding": [*without(NOT_NONE, 0, (1, 0)), (2, V), ((0, 2), V), (HUGE, V)],
    "output_shape": [*without(NOT_NONE, 0, -1, 2**63, 2**200, -(2**63), 10**400, HUGE), (9, EITHER), ((9, 100), V),
    ((8, 11), V), ((9, 13), V)],
    "padding": [
        ("causal", V), ("full", V), ("", V), ("valid ", V), ("sàme", V), (b"same", T), (None, T), (1.0, T), (True, T),
        (np.bool_(False), T), ((1,), V), ((1, 1, 1), V), ((1, True), T), ((1, "same"), T), (((1, 1),), V),
        (((1, 1), (1,)), V), (((1, 1), (1, 1, 1)), V), (((1, 1), (1, 1.0)), T), (((1, 1), (1, None)), T), ((), V),
        (2**63, V), (2**200, V), (-(2**200), V), (HUGE, V), (-HUGE, V), (((HUGE, HUGE), 0), V), (((-HUGE, -HUGE),
        0), V),
        (100, V), (((0, 0), (5, 7)), V), ({"begin": 1}, T), ({1, 2}, T),
        (RaisingSequence(), EITHER), (RaisingIndex(), T), (RaisingRepr(), T), (object(), T), (Liar(), V),
        (float("nan"), T),
    ],
    "groups": [
        (0, V), (-1, V), (2, V), (True, T), (1.0, T), ("1", T), (None, T), ((1,), T), (np.array([1]), T),
        (2**63, V), (2**200, V),
        (HUGE, V), (RaisingIndex(), T), (RaisingRepr(), T), (float("nan"), T),
    ],
    "data_format": [
        ("channels", V), ("NHWC", V), ("", V), (1, T), (True, T), (b"channels_last", T), (("channels_last",), T),
        (RaisingRepr(), T),
    ],
}  # fmt: skip

NOT_ARRAYS = [
    (None, T), ("text", T), (b"bytes", T), (object(), T), (Raising(), EITHER), (Raising(KeyError("k")), EITHER),
    (Raising(IndexError("i")), EITHER), (np.ones((1, 4, 5, 3), complex), T), (np.ones((1, 4, 5, 3), object), T),
    (np.ones((1, 4, 5, 3), "M8[s]"), T), (np.full((1, 4, 5, 3), "a"), T), (np.ones((1, 4, 5, 3), [("a", "f4")]), T),
    ([[1, 2], [3]], EITHER), ({"a": 1}, T), (np.float32(1), V), (1, V), ([], V), ([1.0], V), (np.ones((2, 2), F32), V),
    (np.ones((1, 4, 5, 3, 1, 1), F32), V), (np.ones((1,) * 20, F32), V), (RaisingRepr(), T), (lambda: 1, T),
    (np.ma.masked_array(np.ones((1, 4, 5, 3), F32)), T),
]  # fmt: skip
if np.dtype(np.longdouble).itemsize > 8:
    NOT_ARRAYS.append((np.ones((1, 4, 5, 3), np.longdouble), T))

SHAPES = [
    (None, T), (4, T), ("1453", T), ((), V), ((1, 4), V), ((1, 4, 5, 3, 1), V), ((1, 4, 5, -3), V), ((1, -4, 5, 3), V),
    ((-1, 4, 5, 3), V), ((1, 4, 5, True), T), ((1, 4.0, 5, 3), T), ((1, "4", 5, 3), T), ((1, 2**63, 5, 3), V),
    ((1, 2**200, 5, 3), V), (RaisingSequence(), EITHER), (RaisingRepr(), T), (np.ones((1, 4, 5, 3), F32), T),
    ({1, 4}, T),
    (Liar(), V), ((1, (4,), 5, 3), T),
]  # fmt: skip

THREADS = [
    (0, V),
    (-1, V),
    (True, T),
    (1.0, T),
    ("1", T),
    ((1,), T),
    (2**63, V),
    (2**200, V),
    (RaisingIndex(), T),
    (RaisingRepr(), T),
]

OTHERS = {
    "conv_transpose": {
        "x": [*NOT_ARRAYS, (np.ones((1, 4, 5, 2), F32), V), (np.ones((1, 4, 5, 0), F32), V)],
        "kernel": [*NOT_ARRAYS, (np.ones((3, 3, 4, 2), F32), V), (np.ones((0, 3, 4, 3), F32), V),
        (np.ones((3, 0, 4, 3), F32), V)],
        "bias": [*without(NOT_ARRAYS, None), (np.ones(3, F32), V), (np.ones(5, F32), V), (np.ones((1, 4), F32), V),
        (np.ones((4, 1), F32), V), (np.ones(0, F32), V)],
        "activation": [
            ("no such", V), (3, EITHER), (True, EITHER), (("relu",), EITHER), ("relu()", V), ("os.system", V),
            (b"relu", EITHER),
            ({"class_name": "os.system", "config": {}}, EITHER), ({}, EITHER), (RaisingRepr(), EITHER),
            (lambda z: z[..., :1], V), (lambda z: None, EITHER), (lambda z: "text", EITHER), (lambda z: z * 1j, T),
        ],
        "num_threads": THREADS,
    },
    "conv_transpose_grad_input": {
        "dy": [*NOT_ARRAYS, (np.ones((1, 9, 11, 3), F32), V), (np.ones((1, 8, 11, 4), F32), V),
        (np.ones((2, 9, 11, 4), F32), V), (np.ones((9, 11, 4), F32), V)],
        "kernel": [(None, T), ("text", T), (Raising(), EITHER), (np.ones((3, 3), F32), V), (np.ones((3, 3, 4, 2),
        F32), V)],
        "input_shape": [*SHAPES, ((1, 4, 5, 2), V), ((2, 4, 5, 3), V), ((1, 4, None, 3), T), ((4, 5, 3), V)],
        "num_threads": THREADS,
    },
    "conv_transpose_grad_kernel": {
        "x": [*NOT_ARRAYS, (np.ones((1, 4, 5, 2), F32), V), (np.ones((1, 4, 6, 3), F32), V), (np.ones((2, 4, 5, 3),
        F32), V)],
        "dy": [*NOT_ARRAYS, (np.ones((1, 9, 11, 3), F32), V), (np.ones((1, 9, 12, 4), F32), V),
        (np.ones((2, 9, 11, 4), F32), V)],
        "kernel_shape": [*SHAPES, ((3, 3, 4, 2), V), ((3, 3, 5, 3), V), ((3, 0, 4, 3), V), ((3, None, 4, 3), T)],
        "num_threads": THREADS,
    },
    "conv_transpose_output_shape": {
        "input_shape": [case for case in SHAPES if not isinstance(case[0], np.ndarray)],
        "kernel_size": without(COUNTS, HUGE, (1, HUGE), (1, 1, 1)),  # three axes are one example
        "filters": [(-1, V), (True, T), (1.0, T), ("1", T), (None, T), ((1,), T), (2**63, V), (2**200, V),
        (RaisingIndex(), T)],
    },
}  # fmt: skip


# Where two arguments do not go together, the message may begin with the other one.
ALSO_CALLED = {
    "strides": ["stride"],
    "dilation_rate": ["dilation"],
    "groups": ["kernel"],
    "x": ["kernel"],
    "kernel_shape": ["kernel", "dy"],
    "kernel_size": ["input_shape"],
}


def cases():
    for function in FUNCTIONS:
        table = {**GEOMETRY, **OTHERS[function]}
        for argument, wrong in table.items():
            for number, (value, kind) in enumerate(wrong):
                yield pytest.param(function, argument, value, kind, id=f"{function}-{argument}-{number}")


def call(function, arguments):
    return getattr(tconv, function)(**{"strides": 2, "data_format": "channels_last", **arguments})


@pytest.mark.parametrize(("function", "argument", "value", "kind"), list(cases()))
def test_wrong_argument(function, argument, value, kind):
    out = None
    arguments = {**arrays()[function], argument: value}
    if function in OUT:
        out = arguments["out"] = np.full(OUT[function], 7, F32)
    with np.errstate(all="ignore"), pytest.raises(kind) as caught:
        call(function, arguments)
    if out is not None:
        assert (out == 7).all()
    assert not isinstance(caught.value, (IndexError, KeyError, UnicodeError, ArithmeticError))
    message = str(caught.value)
    assert message.startswith(f"{function}: "), message
    subject = message.split(": ", 1)[1]
    assert any(name in subject for name in (argument, *ALSO_CALLED.get(argument, ()))), message
    assert "\n" not in message, message
    assert message.endswith((".", "?")), message
    assert len(message) < 600, message


# ---------------------------------------------------------------------------------------- arguments that don't exist


@pytest.mark.parametrize("function", FUNCTIONS)
def test_unknown_missing_and_positional_arguments(function):
    arguments = arrays()[function]
    with pytest.raises(TypeError):
        getattr(tconv, function)()
    with pytest.raises(TypeError):
        call(function, {**arguments, "stride": 2})
    with pytest.raises(TypeError):
        getattr(tconv, function)(*arguments.values(), 2)


# ------------------------------------------------------------------------------------------------------------- out


def wrong_outs(function):
    shape = OUT[function]
    read_only = np.full(shape, 7, F32)
    read_only.flags.writeable = False
    unaligned = np.zeros(4 * int(np.prod(shape)) + 1, np.uint8)[1:].view(F32).reshape(shape)
    yield "shape", np.full((*shape[:-1], shape[-1] + 1), 7, F32)
    yield "rank", np.full(shape[1:], 7, F32)
    yield "flat", np.full(int(np.prod(shape)), 7, F32)
    yield "float64", np.full(shape, 7, np.float64)
    yield "float16", np.full(shape, 7, np.float16)
    yield "int32", np.full(shape, 7, np.int32)
    yield "byte order", np.full(shape, 7, np.dtype(F32).newbyteorder())
    yield "fortran", np.asfortranarray(np.full(shape, 7, F32))
    yield "strided", np.full((*shape, 2), 7, F32)[..., 0]
    yield "negative strides", np.full(shape, 7, F32)[::1, ::-1]
    yield "broadcast", np.broadcast_to(np.full((1,) * len(shape), 7, F32), shape)
    yield "read only", read_only
    yield "unaligned", unaligned
    yield "list", np.full(shape, 7, F32).tolist()
    yield "number", 7
    yield "text", "out"
    yield "bytearray", bytearray(4 * int(np.prod(shape)))


@pytest.mark.parametrize("function", OUT)
def test_wrong_out(function):
    for name, out in wrong_outs(function):
        before = np.array(out, copy=True)
        with pytest.raises((ValueError, TypeError)) as caught:
            call(function, {**arrays()[function], "out": out})
        assert str(caught.value).startswith(f"{function}: "), name
        assert "out" in str(caught.value), name
        np.testing.assert_array_equal(np.array(out), before, err_msg=name)


def test_out_must_not_overlap():
    memory = np.zeros(4000, F32)
    x, kernel, bias = memory[:60].reshape(1, 4, 5, 3), memory[500:608].reshape(3, 3, 4, 3), memory[700:704]
    size = 9 * 11 * 4
    for start in (0, 59, 608 - 1, 500, 704 - 1, 700 - size + 1, 500 - size + 1):
        out = memory[start : start + size].reshape(1, 9, 11, 4)
        memory[:] = 3
        with pytest.raises(ValueError, match=r"^conv_transpose: out"):
            tconv.conv_transpose(x, kernel, bias, strides=2, out=out)
        assert (memory == 3).all()
    out = memory[704 : 704 + size].reshape(1, 9, 11, 4)
    tconv.conv_transpose(x, kernel, bias, strides=2, out=out)
    assert out[0, 0, 0, 0] == 3 * 9 + 3
    assert (memory[704 + size :] == 3).all()
    assert (memory[:704] == 3).all()


def test_gradients_out_must_not_overlap():
    memory = np.ones(2000, F32)
    dy, kernel = memory[:396].reshape(1, 9, 11, 4), memory[400:508].reshape(3, 3, 4, 3)
    with pytest.raises(ValueError, match=r"^conv_transpose_grad_input: out"):
        tconv.conv_transpose_grad_input(dy, kernel, (1, 4, 5, 3), strides=2, out=memory[390:450].reshape(1, 4, 5, 3))
    x = memory[400:460].reshape(1, 4, 5, 3)
    with pytest.raises(ValueError, match=r"^conv_transpose_grad_kernel: out"):
        tconv.conv_transpose_grad_kernel(x, dy, (3, 3, 4, 3), strides=2, out=memory[459:567].reshape(3, 3, 4, 3))
    assert (memory == 1).all()


def test_an_activation_that_raises_is_heard_and_writes_nothing():
    def broken(z):
        z[...] = 1
        raise ZeroDivisionError("mine")

    out = np.full(OUT["conv_transpose"], 7, F32)
    with pytest.raises(ZeroDivisionError, match="mine"):
        call("conv_transpose", {**arrays()["conv_transpose"], "activation": broken, "out": out})
    assert (out == 7).all()


def test_values_that_are_legal_though_unusual():
    x, kernel = np.ones((1, 4, 5, 3), F32), np.ones((3, 3, 4, 3), F32)
    expected = tconv.conv_transpose(x, kernel, strides=(2, 2))
    for strides in ([2, 2], np.array([2, 2]), np.int8(2), np.array(2), (np.uint64(2), 2)):
        np.testing.assert_array_equal(tconv.conv_transpose(x, kernel, strides=strides), expected)
    assert tconv.conv_transpose(x, kernel, groups=np.int64(1), num_threads=np.int32(1)).shape == (1, 6, 7, 4)
    assert tconv.conv_transpose(x, kernel, padding="SAME", data_format="Channels_Last").shape == (1, 4, 5, 4)


# ------------------------------------------------------------------------------------------------- settings and plans


@pytest.mark.parametrize(("value", "kind"), [case for case in THREADS if case[0] is not None])
def test_set_num_threads(value, kind):
    before = tconv.get_num_threads()
    with pytest.raises(kind) as caught:
        tconv.set_num_threads(value)
    assert str(caught.value).startswith("set_num_threads: n")
    assert tconv.get_num_threads() == before


def test_plan_refuses_what_the_function_refuses():
    kernel = np.ones((3, 3, 4, 3), F32)
    for argument, wrong in GEOMETRY.items():
        for value, kind in wrong:
            if kind is TypeError:
                with pytest.raises(TypeError):
                    tconv.Plan(kernel, **{argument: value})
    plan = tconv.Plan(kernel, strides=2)
    for x in (np.ones((1, 4, 5, 2), F32), np.ones((4, 5), F32), None, Raising(), "x", np.ones((1, 4, 5, 3), complex)):
        with pytest.raises(EITHER, match=r"^conv_transpose: "):
            plan(x)
    with pytest.raises(TypeError, match="float64"):
        plan(np.ones((1, 4, 5, 3)))  # a wider type than the kernel's is not narrowed silently
    with pytest.raises(tconv.ShapeError):
        plan.output_shape((1, 4, 5, 2))
    with pytest.raises(tconv.ShapeError):
        plan.describe((1, 4, 5, 2))


@pytest.mark.parametrize("rank", [1, 2, 3, 5])
def test_every_rank_has_the_same_errors(rank):
    x, kernel = np.ones((1, *[3] * rank, 2), F32), np.ones((*[2] * rank, 2, 2), F32)
    wrong = [("strides", 1, 0), ("dilation_rate", 1, -1), ("output_padding", 0, 5), ("output_shape", 4, 9)]
    for axis, (argument, fine, bad) in itertools.product(range(rank), wrong):
        values = [bad if a == axis else fine for a in range(rank)]
        with pytest.raises(tconv.ShapeError, match=rf"^conv_transpose: {argument}\[{axis}\]={bad} "):
            tconv.conv_transpose(x, kernel, **{argument: values})


@pytest.mark.parametrize("wrong", [True, 1.0, (1, True), (1.0, 1), ((1, True), (0, 0)), "1"])
@pytest.mark.parametrize("argument", ["strides", "dilation_rate", "groups", "padding", "output_padding"])
def test_what_equals_a_legal_argument_is_refused_after_it_too(argument, wrong):
    """A call whose arguments are equal to an earlier one's is still looked at."""
    given = arrays()["conv_transpose"]
    legal = [1, (1, 1)] if argument != "padding" else [1, (1, 1), ((1, 1), (0, 0))]
    geometry = {"strides": 2, "dilation_rate": 1} if argument == "output_padding" else {}
    for value in legal if argument != "groups" else legal[:1]:
        tconv.conv_transpose(**given, **{**geometry, argument: value})
    with pytest.raises((TypeError, ValueError), match=rf"^conv_transpose: {argument}"):
        tconv.conv_transpose(**given, **{**geometry, argument: wrong})
