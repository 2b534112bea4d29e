"""The bias gradient: sums over all axes but one."""

import numpy as np
import pytest

from tconv.ops import sum_to_axis

SHAPES = [(3,), (2, 5), (4, 3, 7), (2, 3, 4, 5), (600, 3), (1, 700, 300), (70, 2, 1100), (0, 3), (3, 0), (2, 0, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_sums(shape, dtype):
    dtype = np.dtype(pytest.importorskip("ml_dtypes").bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    array = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    for axis in range(-len(shape), len(shape)):
        others = tuple(a for a in range(len(shape)) if a != axis % len(shape))
        sums = sum_to_axis(array, axis, num_threads=1)
        wide = array.astype(np.float64)
        assert sums.dtype == (np.float32 if dtype.itemsize == 2 else dtype)
        assert sums.shape == (shape[axis],)
        slack = 8 * np.finfo(sums.dtype).eps * np.abs(wide).sum(axis=others)
        assert np.all(np.abs(sums - wide.sum(axis=others)) <= slack)
        for threads in (2, 7):
            assert sum_to_axis(array, axis, num_threads=threads).tobytes() == sums.tobytes()


def test_other_orders_of_memory():
    array = np.random.default_rng(1).standard_normal((6, 8, 10)).astype(np.float32)
    for view in (array[::2, ::-1], array.T, np.asfortranarray(array)):
        np.testing.assert_array_equal(sum_to_axis(view, 1), sum_to_axis(view.copy("C"), 1))


def test_long_sums_stay_accurate():
    tenths = np.full((1 << 21, 2), 0.1, np.float32)
    exact = len(tenths) * float(tenths[0, 0])
    assert sum_to_axis(tenths, 1) == pytest.approx([exact, exact], rel=1e-6)
    assert sum_to_axis(np.ascontiguousarray(tenths.T), 0) == pytest.approx([exact, exact], rel=1e-6)
