"""What holds for every problem, whatever its numbers."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import reference
import tconv
from problems import DTYPES, NAMED, Problem, np_dtype, problems

FLOATS = ("float32", "float64")


def forward(p, x=None, **more):
    return tconv.conv_transpose(p.x if x is None else x, p.kernel, p.b, **p.geometry, **more)


def grad_input(p, dy=None, **more):
    return tconv.conv_transpose_grad_input(p.dy if dy is None else dy, p.kernel, p.input_shape, **p.geometry, **more)


def grad_kernel(p, **more):
    return tconv.conv_transpose_grad_kernel(p.x, p.dy, p.kernel_shape, **p.geometry, **more)


def bits(array):
    """The storage itself, so that 0.0 and -0.0, and all NaN, differ."""
    return np.ascontiguousarray(array).tobytes(), array.shape, array.dtype


def f64(array):
    return np.asarray(array).astype(np.float64)


# ------------------------------------------------------------------------------------------------------ gradients


@given(problems(dtypes=("float64",), bias=False))
def test_both_gradients_are_adjoint_to_the_forward(p):
    y, dx, dkernel = forward(p), grad_input(p), grad_kernel(p)
    size = np.vdot(np.abs(y), np.abs(p.dy)) + np.vdot(np.abs(p.x), np.abs(dx)) + 1
    assert np.vdot(y, p.dy) == pytest.approx(np.vdot(p.x, dx), abs=1e-12 * size)
    assert np.vdot(y, p.dy) == pytest.approx(np.vdot(p.kernel, dkernel), abs=1e-12 * size)


@given(problems(dtypes=FLOATS, integers=True, bias=False))
def test_adjoint_exactly(p):
    """With whole numbers the two inner products are the same number."""
    both = np.vdot(f64(forward(p)), f64(p.dy))
    assert both == np.vdot(f64(p.x), f64(grad_input(p))) == np.vdot(f64(p.kernel), f64(grad_kernel(p)))


@given(problems(ranks=(1, 2), dtypes=("float64",), empty=False, bias=False), st.integers(0, 2**16))
def test_gradients_are_differences(p, seed):
    """The map is linear in x and in the kernel: a difference is the derivative, no step size needed."""
    random = np.random.default_rng(seed)
    h, g = random.standard_normal(p.input_shape), random.standard_normal(p.kernel_shape)
    along_x = np.vdot(forward(p, p.x + h) - forward(p), p.dy)
    moved = tconv.conv_transpose(p.x, p.kernel + g, **p.geometry)
    along_kernel = np.vdot(moved - forward(p), p.dy)
    assert along_x == pytest.approx(np.vdot(h, grad_input(p)), rel=1e-9, abs=1e-9)
    assert along_kernel == pytest.approx(np.vdot(g, grad_kernel(p)), rel=1e-9, abs=1e-9)


# --------------------------------------------------------------------------------------------------------- linear


@given(problems(dtypes=FLOATS, integers=True, bias=False))
def test_linear(p):
    other = p.but(seed=p.seed + 1).x
    np.testing.assert_array_equal(forward(p, 2 * p.x - 3 * other), 2 * forward(p) - 3 * forward(p, other))


@given(problems(dtypes=FLOATS, integers=True, bias=True))
def test_the_bias_is_added_to_every_pixel(p):
    shape = [1] * len(p.output)
    shape[-1 - p.rank if p.channels_first else -1] = p.filters
    without = tconv.conv_transpose(p.x, p.kernel, **p.geometry)
    np.testing.assert_array_equal(forward(p), without + p.b.reshape(shape))


@given(problems(dtypes=FLOATS, integers=True, empty=False))
def test_groups_are_separate_problems(p):
    if p.batch is None:
        p = p.but(batch=1)
    axis = 1 if p.channels_first else -1
    parts = zip(
        np.split(p.x, p.groups, axis), np.split(p.kernel, p.groups, -1),
        np.split(p.b, p.groups) if p.bias else [None] * p.groups, strict=True,
    )  # fmt: skip
    apart = [tconv.conv_transpose(x, k, b, **{**p.geometry, "groups": 1}) for x, k, b in parts]
    np.testing.assert_array_equal(forward(p), np.concatenate(apart, axis))


@given(problems(dtypes=FLOATS, unbatched=False))
def test_a_batch_is_its_images(p):
    y = forward(p)
    for i in range(p.x.shape[0]):
        np.testing.assert_allclose(y[i : i + 1], forward(p, p.x[i : i + 1]), rtol=1e-5, atol=1e-5)


@given(problems(ranks=(1, 2, 3), dtypes=FLOATS, integers=True))
def test_a_further_axis_of_one_pixel_changes_nothing(p):
    assume(isinstance(p.padding, str) and p.output_shape is None and p.output_padding is None)
    wide = p.but(
        spatial=(1, *p.spatial), kernel_size=(1, *p.kernel_size), strides=(1, *p.per_axis(p.strides)),
        dilation_rate=(1, *p.per_axis(p.dilation_rate)),
    )  # fmt: skip
    got = forward(wide)
    axis = -wide.rank - (0 if p.channels_first else 1)
    np.testing.assert_array_equal(np.squeeze(got, axis), forward(p))


# ----------------------------------------------------------------------------------------------------- exact bits


@given(problems(dtypes=DTYPES))
def test_bitwise_equal_for_any_number_of_threads(p):
    for function in (forward, grad_input, grad_kernel):
        once = bits(function(p, num_threads=1))
        for threads in (1, 2, 3, 8):
            assert bits(function(p, num_threads=threads)) == once


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("name", NAMED)
def test_bitwise_equal_for_any_number_of_threads_named(name, data_format):
    p = NAMED[name].but(data_format=data_format)
    for function in (forward, grad_input, grad_kernel):
        once = bits(function(p, num_threads=1))
        for threads in (2, 3, 5, 8, 64):
            assert bits(function(p, num_threads=threads)) == once


@given(problems(dtypes=DTYPES))
def test_out_has_the_same_bits(p):
    out = np.full(p.output, 7, np_dtype(p.dtype))
    result = forward(p, out=out)
    assert result is out
    assert bits(out) == bits(forward(p))


@given(problems(dtypes=DTYPES))
def test_inputs_are_left_alone(p):
    x, kernel, bias, dy = p.x, p.kernel, p.b, p.dy
    before = [None if a is None else bits(a) for a in (x, kernel, bias, dy)]
    tconv.conv_transpose(x, kernel, bias, **p.geometry)
    tconv.conv_transpose_grad_input(dy, kernel, p.input_shape, **p.geometry)
    tconv.conv_transpose_grad_kernel(x, dy, p.kernel_shape, **p.geometry)
    assert [None if a is None else bits(a) for a in (x, kernel, bias, dy)] == before


@given(problems(dtypes=DTYPES, unbatched=False))
def test_unbatched_is_a_batch_of_one(p):
    one, alone = p.but(batch=1), p.but(batch=None)
    assert bits(forward(alone)) == bits(forward(one)[0])
    assert bits(grad_input(alone)) == bits(grad_input(one)[0])
    assert bits(grad_kernel(alone)) == bits(grad_kernel(one))


@given(problems(dtypes=DTYPES))
def test_memory_layout_does_not_matter(p):
    x, kernel = p.x, p.kernel
    wide = np.empty((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    scattered = wide[..., ::2]
    scattered.flags.writeable = False
    strange = tconv.conv_transpose(scattered, np.asfortranarray(kernel), p.b, **p.geometry)
    assert bits(strange) == bits(forward(p))
    backwards = tconv.conv_transpose(np.flip(np.flip(x).copy()), kernel, p.b, **p.geometry)
    assert bits(backwards) == bits(forward(p))


# ---------------------------------------------------------------------------------------------------- equivalences


@given(problems(dtypes=FLOATS, integers=True))
def test_data_formats_are_the_same_numbers(p):
    last, first = p.but(data_format="channels_last"), p.but(data_format="channels_first")
    channel = -1 - p.rank
    y = forward(first, np.moveaxis(last.x, -1, channel))
    np.testing.assert_array_equal(np.moveaxis(y, channel, -1), forward(last))
    dx = grad_input(first, np.moveaxis(last.dy, -1, channel))
    np.testing.assert_array_equal(np.moveaxis(dx, channel, -1), grad_input(last))


@given(problems(dtypes=FLOATS, empty=False))
def test_a_mode_is_the_crop_that_it_resolves_to(p):
    crops = []
    for a in p.axes:
        full = (a.input - 1) * a.stride + (a.kernel - 1) * a.dilation + 1
        crops.append((a.crop, full - a.crop - a.out))
    same = p.but(padding=tuple(crops), output_padding=None, output_shape=None)
    assert bits(forward(same)) == bits(forward(p))
    explicit = p.but(output_shape=tuple(a.out for a in p.axes), output_padding=None)
    if not explicit.is_legal:  # output_padding that leaves the law of explicit extents
        return
    if [a.crop for a in explicit.axes] == [a.crop for a in p.axes]:
        assert bits(forward(explicit)) == bits(forward(p))


@given(problems(dtypes=FLOATS, integers=True))
def test_plan_is_the_function(p):
    plan = tconv.Plan(p.kernel, **p.geometry)
    assert bits(plan(p.x, p.b)) == bits(forward(p))
    assert plan.output_shape(p.input_shape) == p.output
    if p.batch is not None and p.batch > 0 and p.output_shape is None:
        other = p.but(batch=p.batch + 1)
        assert bits(plan(other.x, p.b)) == bits(forward(other))
    assert plan.packed_bytes >= 0
    assert isinstance(plan.describe(p.input_shape), str)


# --------------------------------------------------------------------------------------------------------- shapes


@given(problems(dtypes=FLOATS))
def test_output_shape_is_the_shape_of_the_result(p):
    shape = tconv.conv_transpose_output_shape(p.input_shape, p.kernel_size, p.filters, **p.geometry)
    assert isinstance(shape, tuple)
    assert all(type(n) is int for n in shape)
    assert shape == forward(p).shape == p.output


@given(problems(dtypes=FLOATS, unbatched=False), st.data())
def test_unknown_extents_stay_unknown(p, data):
    """None gives None there and the same numbers elsewhere; the channels of the input may be unknown too."""
    unknown = data.draw(st.sets(st.integers(0, p.rank + 1)))
    shape = tuple(None if i in unknown else n for i, n in enumerate(p.input_shape))
    got = tconv.conv_transpose_output_shape(shape, p.kernel_size, p.filters, **p.geometry)
    channel = 1 if p.channels_first else p.rank + 1
    spatial = [i for i in range(1, p.rank + 2) if i != channel]
    for i, n in enumerate(p.output):
        if i == channel or i not in unknown:
            assert got[i] == n
        elif i in spatial and p.output_shape is not None:
            assert got[i] in (None, n)
        else:
            assert got[i] is None


AXES = st.fixed_dictionaries(
    {
        "input": st.integers(1, 9),
        "kernel": st.integers(1, 7),
        "stride": st.integers(1, 7),
        "dilation": st.integers(1, 3),
        "padding": st.sampled_from(["valid", "same", "same_lower"]) | st.tuples(*[st.integers(-3, 4)] * 2),
    }
)


@given(AXES, st.none() | st.integers(0, 8))
def test_resolve_equals_the_oracle(axis, output_padding):
    try:
        want = reference.resolve(**axis, output_padding=output_padding)
    except reference.Illegal:
        with pytest.raises(tconv.ShapeError, match=r"^resolve: "):
            tconv.geometry.resolve(**axis, output_padding=output_padding)
        return
    assert tconv.geometry.resolve(**axis, output_padding=output_padding) == want


@given(AXES)
def test_legality_law(axis):
    """An explicit extent is accepted exactly when the ordinary convolution of that extent gives back the input."""
    legal = reference.legal_outputs(**axis)
    for output in range(90):
        if output in legal:
            assert tconv.geometry.resolve(**axis, output=output) == reference.resolve(**axis, output=output)
        else:
            with pytest.raises(tconv.ShapeError) as caught:
                tconv.geometry.resolve(**axis, output=output)
            message = str(caught.value)
            assert message.startswith("resolve: ")
            assert f"={output} " in message.replace(",", " ")
            if legal:
                assert str(legal[0]) in message
                assert str(legal[-1]) in message


def test_the_default_problem_is_spelled_with_defaults():
    p = Problem((4, 5), (3, 3), in_channels=3, filters=4)
    assert bits(tconv.conv_transpose(p.x, p.kernel, p.b)) == bits(forward(p))
