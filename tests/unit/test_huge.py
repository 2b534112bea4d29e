"""Numbers beyond all memory and beyond 64 bits: refused, never overflown, never waited for."""

import numpy as np
import pytest

import tconv

F32 = np.float32


@pytest.mark.parametrize(
    "arguments",
    [
        {"strides": (2**31, 2**31)},
        {"strides": (2**40, 2**20)},
        {"strides": 2**61},
        {"dilation_rate": 2**61},
        {"dilation_rate": 2**40},
        {"padding": ((-(2**40), 0), (0, -(2**40)))},
        {"padding": -(2**61)},
        {"strides": 2**31, "dilation_rate": 2**31},
        {"strides": 2**31, "padding": "same"},
        {"strides": 2**30, "output_padding": 2**29},
        {"strides": (1, 2**62), "padding": "same"},
        {"strides": 2**45, "padding": "same", "output_padding": 1},
    ],
)
def test_huge_results_are_refused(arguments):
    """Shapes beyond 2**63, or memory beyond what there is: never an overflow, a crash or a wait."""
    x, kernel = np.ones((1, 4, 5, 3), F32), np.ones((3, 3, 4, 3), F32)
    with pytest.raises((tconv.ShapeError, MemoryError)):
        tconv.conv_transpose(x, kernel, **arguments)
    with pytest.raises((tconv.ShapeError, MemoryError)):
        tconv.conv_transpose(x[:0], np.ones((3, 3, 2**20, 3), F32)[:, :, :0], **{**arguments, "strides": 2**62})


def test_a_result_that_cannot_be_allocated_is_memory_error():
    x, kernel = np.ones((1, 2, 1), F32), np.ones((1, 1, 1), F32)
    with pytest.raises(MemoryError):
        tconv.conv_transpose(x, kernel, strides=2**56)
    with pytest.raises(MemoryError):
        tconv.conv_transpose(x, kernel, strides=2**57)
    with pytest.raises(MemoryError):
        tconv.conv_transpose(x.astype(np.float64), kernel, padding=-(2**50))


@pytest.mark.parametrize("extent", [2**31, 2**40, 2**62, 2**63 - 1])
def test_output_shape_of_huge_extents(extent):
    with np.errstate(all="ignore"):
        for arguments in ({}, {"strides": 2}, {"padding": "same", "strides": 3}, {"padding": 2**31}):
            expected = (extent - 1) * arguments.get("strides", 1) + max(3, arguments.get("strides", 1))
            if arguments.get("padding") == "same":
                expected = extent * 3
            elif "padding" in arguments:
                expected = extent - 1 + 3 - 2 * 2**31
            if expected >= 2**63 or expected < 1:
                with pytest.raises(tconv.ShapeError, match=r"^conv_transpose_output_shape: "):
                    tconv.conv_transpose_output_shape((1, extent, 1), 3, 1, **arguments)
            else:
                try:
                    got = tconv.conv_transpose_output_shape((1, extent, 1), 3, 1, **arguments)
                except tconv.ShapeError:  # only where some quantity on the way or the array's bytes pass 2**63
                    assert extent > 2**58
                else:
                    assert got == (1, expected, 1)


def test_zero_stride_views_of_any_size_are_counted_not_believed():
    x = np.broadcast_to(F32(1), (2**40, 2**20, 1))  # one number, 2**60 elements
    with pytest.raises((tconv.ShapeError, MemoryError)):
        tconv.conv_transpose(x, np.ones((3, 1, 1), F32))


@pytest.mark.parametrize("crop", [20, 2**31, 2**61, -20, -(2**31), -(2**61)])
def test_a_window_beyond_everything_is_the_bias(crop):
    y = tconv.conv_transpose(np.ones((1, 4, 3), F32), np.ones((3, 2, 3), F32), [5, 6], padding=((crop, -crop),))
    assert y.tolist() == [[[5, 6]] * 6]
    dy = np.ones((1, 6, 2), F32)
    dx = tconv.conv_transpose_grad_input(dy, np.ones((3, 2, 3), F32), (1, 4, 3), padding=((crop, -crop),))
    dkernel = tconv.conv_transpose_grad_kernel(np.ones((1, 4, 3), F32), dy, (3, 2, 3), padding=((crop, -crop),))
    assert not dx.any()
    assert not dkernel.any()
