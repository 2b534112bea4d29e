"""The library equals the oracle, over the whole argument space."""

import numpy as np
import pytest
from hypothesis import given

import reference
import tconv
from problems import DTYPES, NAMED, error_excess, np_dtype, problems
from reference import ACTIVATIONS


def forward(p, **more):
    return tconv.conv_transpose(p.x, p.kernel, p.b, activation=p.activation, **p.geometry, **more)


def grad_input(p, **more):
    return tconv.conv_transpose_grad_input(p.dy, p.kernel, p.input_shape, **p.geometry, **more)


def grad_kernel(p, **more):
    return tconv.conv_transpose_grad_kernel(p.x, p.dy, p.kernel_shape, **p.geometry, **more)


def check_all(p):
    """Forward and both gradients against the oracle."""
    y = forward(p)
    assert y.shape == p.output
    assert y.dtype == np_dtype(p.dtype)
    assert error_excess(p, y, *p.expected(), p.terms) <= 1
    dx = grad_input(p)
    assert dx.shape == p.input_shape
    assert dx.dtype == np_dtype(p.dtype)
    assert error_excess(p, dx, *p.expected_grad_input(), p.terms_grad_input) <= 1
    dkernel = grad_kernel(p)
    assert dkernel.shape == p.kernel_shape
    assert dkernel.dtype == np_dtype(p.dtype)
    assert error_excess(p, dkernel, *p.expected_grad_kernel(), p.terms_grad_kernel) <= 1


FORMS = [("float32", "channels_last"), ("float32", "channels_first"), *((d, "channels_last") for d in DTYPES[1:])]


@pytest.mark.parametrize(("dtype", "data_format"), FORMS)
@pytest.mark.parametrize("name", NAMED)
def test_named(name, dtype, data_format):
    check_all(NAMED[name].but(data_format=data_format, dtype=dtype, activation=None))


@given(problems())
def test_float32(p):
    check_all(p)


@given(problems(dtypes=[d for d in DTYPES if d != "float32"]))
def test_other_dtypes(p):
    check_all(p)


@given(problems(dtypes=("float32", "float64"), integers=True))
def test_whole_numbers_are_exact(p):
    """Sums of small whole numbers have no rounding, whatever their order: every bit is decided."""
    np.testing.assert_array_equal(forward(p), p.expected()[0])
    np.testing.assert_array_equal(grad_input(p), p.expected_grad_input()[0])
    np.testing.assert_array_equal(grad_kernel(p), p.expected_grad_kernel()[0])


@pytest.mark.parametrize(("rank", "extent"), [(1, 300), (1, 1025), (2, 37), (2, 66), (3, 18)])
@pytest.mark.parametrize(("in_channels", "filters"), [(1, 1), (3, 17), (16, 16), (33, 9), (8, 65)])
def test_extents_that_cross_tiles(rank, extent, in_channels, filters):
    p = NAMED["one_tap"].but(
        spatial=(3,) * (rank - 1) + (extent,),
        kernel_size=(3,) * rank,
        strides=2,
        padding="same",
        in_channels=in_channels,
        filters=filters,
        integers=True,
    )
    np.testing.assert_array_equal(forward(p), p.expected()[0])
    p = p.but(data_format="channels_first", strides=1)
    np.testing.assert_array_equal(forward(p), p.expected()[0])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("filters", [*range(1, 36), 47, 48, 49, 63, 64, 65])
def test_every_number_of_filters(filters, groups, data_format):
    """Panels of filters and what is left over of them."""
    p = NAMED["lower"].but(
        spatial=(3, 4), filters=filters * groups, in_channels=3 * groups, groups=groups, data_format=data_format,
        integers=True,
    )  # fmt: skip
    np.testing.assert_array_equal(forward(p), p.expected()[0])


@pytest.mark.parametrize("in_channels", [*range(1, 36), 63, 64, 65, 127, 129, 255, 257, 1025])
def test_every_number_of_input_channels(in_channels):
    p = NAMED["lower"].but(spatial=(2, 3), in_channels=in_channels, filters=5, integers=True)
    np.testing.assert_array_equal(forward(p), p.expected()[0])
    np.testing.assert_array_equal(grad_input(p), p.expected_grad_input()[0])
    np.testing.assert_array_equal(grad_kernel(p), p.expected_grad_kernel()[0])


@pytest.mark.parametrize("width", range(1, 40))
def test_every_width(width):
    """Rows of pixels and what is left over of them, in both data formats."""
    p = NAMED["lower"].but(spatial=(2, width), in_channels=2, filters=3, integers=True)
    for problem in (p, p.but(data_format="channels_first"), p.but(strides=(1, 3), padding=0, dilation_rate=(1, 2))):
        np.testing.assert_array_equal(forward(problem), problem.expected()[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if a != "linear"])
def test_fused_activations(activation, data_format, dtype):
    p = NAMED["docs2d"].but(activation=activation, dtype=dtype, data_format=data_format, filters=19, in_channels=3)
    z, size = p.expected()
    exact = ACTIVATIONS[activation](z)
    slope = np.exp(z + 0.1) if activation == "exponential" else 1.8
    before = p.terms * reference.SUMMED[dtype] * size  # the activation comes before the rounding to the result
    rounded = 8 * reference.SUMMED[dtype] * (np.abs(exact) + 1e-3) + reference.STORED[dtype] * np.abs(exact)
    limit = slope * before + rounded + reference.TINY[dtype]
    assert np.max(np.abs(forward(p).astype(np.float64) - exact) / limit) <= 1


@given(problems(ranks=(1, 2, 3), dtypes=("float32", "float64")))
def test_an_activation_that_is_any_callable(p):
    got = tconv.conv_transpose(p.x, p.kernel, p.b, activation=lambda z: z * 2 + 1, **p.geometry)
    np.testing.assert_array_equal(got, forward(p) * 2 + 1)
