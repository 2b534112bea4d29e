"""What the library is for, in a dozen asserts."""

import numpy as np
import pytest

import tconv

X = np.array([1, 2, 3, 4], np.float32).reshape(1, 4, 1)
KERNEL = np.array([1, 10, 100], np.float32).reshape(3, 1, 1)


def test_every_input_adds_a_copy_of_the_kernel():
    y = tconv.conv_transpose(X, KERNEL, strides=2)
    assert y.ravel().tolist() == [1, 10, 102, 20, 203, 30, 304, 40, 400]
    assert y.dtype == np.float32


def test_same_gives_input_times_stride_and_crops_the_end():
    y = tconv.conv_transpose(X, KERNEL, strides=2, padding="same")
    assert y.ravel().tolist() == [1, 10, 102, 20, 203, 30, 304, 40]


def test_pytorch_crops_both_ends():
    y = tconv.conv_transpose(X, KERNEL, strides=2, padding=1, output_padding=1)
    assert y.ravel().tolist() == [10, 102, 20, 203, 30, 304, 40, 400]


def test_bias_and_activation():
    y = tconv.conv_transpose(X, KERNEL, [-100], strides=2, activation="relu")
    assert y.ravel().tolist() == [0, 0, 2, 0, 103, 0, 204, 0, 300]


def test_gradients():
    dy = np.ones((1, 9, 1), np.float32)
    dx = tconv.conv_transpose_grad_input(dy, KERNEL, X.shape, strides=2)
    dkernel = tconv.conv_transpose_grad_kernel(X, dy, KERNEL.shape, strides=2)
    assert dx.ravel().tolist() == [111, 111, 111, 111]
    assert dkernel.ravel().tolist() == [10, 10, 10]


def test_images_upsampled():
    image = np.ones((1, 5, 7, 3), np.float32)
    kernel = np.ones((2, 2, 8, 3), np.float32)
    y = tconv.conv_transpose(image, kernel, strides=2)
    assert y.shape == (1, 10, 14, 8)
    assert (y == 3).all()
    assert tconv.conv_transpose_output_shape((None, 5, 7, 3), (2, 2), 8, strides=2) == (None, 10, 14, 8)


def test_a_layer():
    layer = tconv.layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")
    y = layer(np.ones((2, 5, 7, 3), np.float32))
    assert y.shape == (2, 10, 14, 8)
    assert y.min() >= 0
    assert [w.shape for w in layer.get_weights()] == [(3, 3, 8, 3), (8,)]


def test_wrong_input_is_told():
    with pytest.raises(tconv.ShapeError, match=r"^conv_transpose: strides=0 must be at least 1"):
        tconv.conv_transpose(X, KERNEL, strides=0)
