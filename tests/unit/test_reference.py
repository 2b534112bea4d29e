"""The oracle is right: against the peers' measured numbers, against itself from the other side, by differences."""

import itertools

import numpy as np
import pytest
from hypothesis import given

import reference
from problems import NAMED, problems
from separating_cases import CASES


def case_axis(case):
    return reference.resolve(
        len(case.x),
        len(case.w),
        case.stride,
        case.dilation,
        case.padding,
        case.output_padding,
        case.output_shape,
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_separating_cases(case):
    x, w = np.array(case.x, float), np.array(case.w, float)
    y = reference.forward(x.reshape(1, -1, 1), w.reshape(-1, 1, 1), axes=[case_axis(case)])
    np.testing.assert_array_equal(y.ravel(), case.y)


def test_group_layout():
    # PyTorch's groups=2, x = ones(1, 4, 3), weight arange(1..8).view(4, 1, 2), read (in, filters/groups, k)
    kernel = np.arange(1.0, 9).reshape(4, 1, 2).transpose(2, 1, 0)
    y = reference.forward(np.ones((1, 4, 3)), kernel, axes=[reference.resolve(3, 2)], groups=2, channels_first=True)
    np.testing.assert_array_equal(y[0], [[4, 10, 10, 6], [12, 26, 26, 14]])


def test_extents_of_the_defaults_are_legal_but_one():
    """Every default and every output_padding < stride obeys the law, but `same`, even span, output_padding=0."""
    for k, d, s, i in itertools.product(range(1, 8), range(1, 4), range(1, 8), range(1, 6)):
        for padding, op in itertools.product(["valid", "same", "same_lower"], [None, *range(s)]):
            span = (k - 1) * d + 1
            legal = reference.legal_outputs(i, k, s, d, padding)
            exception = padding != "valid" and span % 2 == 0 and op == 0
            try:
                out = reference.resolve(i, k, s, d, padding, op).out
            except reference.Illegal:
                assert exception
                assert i == 1
                continue
            assert (out in legal) != exception, (k, d, s, i, padding, op)


def test_tensorflow_ranges():
    # SAME accepts (i-1)s+1 .. i*s, VALID accepts F .. F+s-1
    for i, k, s in itertools.product(range(1, 6), range(1, 6), range(1, 5)):
        assert reference.legal_outputs(i, k, s, 1, "same") == list(range((i - 1) * s + 1, i * s + 1))
        full = (i - 1) * s + k
        assert reference.legal_outputs(i, k, s, 1, "valid") == list(range(full, full + s))


@given(problems(ranks=(1, 2, 3), unbatched=False, data_format="channels_last", bias=False))
def test_scatter_equals_gather(p):
    p = p.but(spatial=tuple(min(i, 5) for i in p.spatial), padding="same", output_shape=None, output_padding=None)
    got = reference.forward(p.x, p.kernel, **p.oracle)
    want = reference.gather(p.x, p.kernel, axes=p.axes, groups=p.groups)
    np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize("name", ["negative_crop", "crop_beyond_taps", "lower", "dilation_and_stride_common"])
def test_scatter_equals_gather_at_corners(name):
    p = NAMED[name]
    want = reference.gather(p.x, p.kernel, p.b, axes=p.axes, groups=p.groups)
    np.testing.assert_allclose(reference.forward(p.x, p.kernel, p.b, **p.oracle), want, atol=1e-12)


@given(problems(unbatched=False, bias=False, dtypes=("float64",)))
def test_gradients_are_adjoint(p):
    y = reference.forward(p.x, p.kernel, **p.oracle)
    dx = reference.grad_input(p.dy, p.kernel, **p.oracle)
    dkernel = reference.grad_kernel(p.x, p.dy, **p.oracle)
    assert dx.shape == p.x.shape
    assert dkernel.shape == p.kernel.shape
    size = 1e-13 * (np.vdot(reference.absolute_products(p.x, p.kernel, **p.oracle), np.abs(p.dy)) + 1)
    assert np.vdot(y, p.dy) == pytest.approx(np.vdot(p.x, dx), abs=size)
    assert np.vdot(y, p.dy) == pytest.approx(np.vdot(p.kernel, dkernel), abs=size)


def test_empty_extents_follow_the_arithmetic():
    assert reference.resolve(0, 5, 2).out == 3
    assert reference.resolve(0, 2, 5).out == 0
    assert reference.resolve(0, 3, 2, padding="same").out == 0
    y = reference.forward(np.ones((1, 0, 2)), np.ones((5, 3, 2)), [1, 2, 3], axes=[reference.resolve(0, 5, 2)])
    np.testing.assert_array_equal(y, [[[1, 2, 3]] * 3])
