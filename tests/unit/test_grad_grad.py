"""The double backward's arguments and results; its values are compared with PyTorch's in tests/parity."""

import numpy as np
import pytest

import tconv

X, KERNEL, RESULT = (2, 5, 4, 6), (3, 3, 4, 6), (2, 10, 8, 4)


def arrays(dtype=np.float64):
    random = np.random.default_rng(0)
    return [random.standard_normal(shape).astype(dtype) for shape in (X, KERNEL, RESULT, X, KERNEL)]


def grad_grad(*given, **more):
    return tconv.conv_transpose_grad_grad(*given, strides=2, padding="same", **more)


def test_it_differentiates_both_first_gradients():
    """Along any direction the loss <ddx, dx> + <ddkernel, dkernel> changes as the gradients say: it is trilinear."""
    x, kernel, dy, ddx, ddkernel = arrays()

    def loss(x, kernel, dy):
        dx = tconv.conv_transpose_grad_input(dy, kernel, X, strides=2, padding="same")
        dkernel = tconv.conv_transpose_grad_kernel(x, dy, KERNEL, strides=2, padding="same")
        return np.vdot(ddx, dx) + np.vdot(ddkernel, dkernel)

    gradients = grad_grad(x, kernel, dy, ddx, ddkernel)
    random = np.random.default_rng(1)
    for number, gradient in enumerate(gradients):
        step = random.standard_normal(gradient.shape)
        up, down = [x, kernel, dy], [x, kernel, dy]
        up[number], down[number] = up[number] + step, down[number] - step
        assert loss(*up) - loss(*down) == pytest.approx(2 * np.vdot(gradient, step), rel=1e-9)


def test_what_has_no_part_is_none():
    x, kernel, dy, ddx, ddkernel = arrays()
    by_x, by_kernel, by_dy = grad_grad(x, kernel, dy, ddx)
    assert by_x is None
    assert (by_kernel.shape, by_dy.shape) == (KERNEL, RESULT)
    by_x, by_kernel, by_dy = grad_grad(x, kernel, dy, None, ddkernel)
    assert by_kernel is None
    assert (by_x.shape, by_dy.shape) == (X, RESULT)
    assert grad_grad(x, kernel, dy) == (None, None, None)


def test_all_arrays_decide_the_dtype():
    x, kernel, dy, ddx, ddkernel = arrays(np.float32)
    assert {g.dtype for g in grad_grad(x, kernel, dy, ddx, ddkernel)} == {np.dtype(np.float32)}
    assert {g.dtype for g in grad_grad(x, kernel, dy, ddx, ddkernel.astype(np.float64))} == {np.dtype(np.float64)}
    assert {g.dtype for g in grad_grad(*(a.astype(np.float16) for a in arrays()))} == {np.dtype(np.float16)}


def test_one_example_needs_no_batch():
    x, kernel, dy, ddx, ddkernel = arrays()
    whole = grad_grad(x[:1], kernel, dy[:1], ddx[:1], ddkernel)
    single = grad_grad(x[0], kernel, dy[0], ddx[0], ddkernel)
    assert np.array_equal(single[0], whole[0][0])
    assert np.array_equal(single[1], whole[1])
    assert np.array_equal(single[2], whole[2][0])


@pytest.mark.parametrize(
    ("number", "array", "reason"),
    [
        (2, np.ones((2, 9, 8, 4)), "dy must have the shape of the result"),
        (3, np.ones((2, 5, 5, 6)), "ddx must have the shape of x"),
        (4, np.ones((3, 3, 6, 4)), "ddkernel must have the shape of kernel"),
        (1, np.ones((3, 3, 4, 5)), "kernel has 5 input channels but x has 6"),
    ],
)
def test_shapes_that_do_not_go_together_are_refused(number, array, reason):
    given = arrays()
    given[number] = array
    with pytest.raises(tconv.ShapeError, match=f"^conv_transpose_grad_grad: {reason}"):
        grad_grad(*given)


@pytest.mark.parametrize("number", range(5))
def test_what_is_no_array_is_refused(number):
    given = arrays()
    given[number] = "abc"
    with pytest.raises((TypeError, ValueError), match=r"^conv_transpose_grad_grad: "):
        grad_grad(*given)
