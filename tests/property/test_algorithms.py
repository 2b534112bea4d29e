"""`algorithm`: what it may be, that it changes no result beyond rounding, and what it leaves exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tconv

ALGORITHMS = ("auto", "direct", "fast")


@st.composite
def problems(draw):
    rank = draw(st.integers(1, 3))
    extent = (40, 12, 5)[rank - 1]
    axes = range(rank)
    taps = [draw(st.integers(1, 6 if rank < 3 else 4)) for _ in axes]
    groups = draw(st.sampled_from((1, 1, 1, 2)))
    numbers = st.one_of(st.integers(1, 24), st.just(32))  # 32 of both have halves
    channels, filters = draw(numbers) * groups, draw(numbers) * groups
    first = draw(st.booleans())
    spatial = [draw(st.integers(1, extent)) for _ in axes]
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (channels, *spatial) if first else (*spatial, channels)
    x = random.standard_normal((draw(st.integers(1, 3)), *shape))
    kernel = random.standard_normal((*taps, filters // groups, channels))
    how = {
        "strides": [draw(st.integers(1, 4)) for _ in axes],
        "dilation_rate": [draw(st.sampled_from((1, 1, 1, 2, 3))) for _ in axes],
        "padding": draw(st.sampled_from(("valid", "same", "same_lower"))),
        "groups": groups,
        "data_format": "channels_first" if first else "channels_last",
        "activation": draw(st.sampled_from((None, "relu", "tanh"))),
    }
    return x, kernel, random.standard_normal(filters), how


@given(problems(), st.sampled_from(("float32", "float64", "float16")))
def test_no_algorithm_changes_the_result_beyond_rounding(problem, dtype):
    x, kernel, bias, how = problem
    x, kernel, bias = x.astype(dtype), kernel.astype(dtype), bias.astype(dtype)
    wide = [array.astype(np.float64) for array in (x, kernel, bias)]
    expected = tconv.conv_transpose(*wide, algorithm="direct", **how)
    reach = {**how, "activation": None}
    size = tconv.conv_transpose(*map(np.abs, wide), algorithm="direct", **reach).max(initial=1)
    unit = np.finfo(np.float64 if dtype == "float64" else np.float32).eps
    rounding = 8 * unit * size + np.finfo(dtype).eps * np.abs(expected) + np.finfo(dtype).tiny
    for algorithm in ALGORITHMS:
        y = tconv.conv_transpose(x, kernel, bias, algorithm=algorithm, **how)
        assert (np.abs(y - expected) <= rounding).all(), algorithm
        threads = tconv.conv_transpose(x, kernel, bias, algorithm=algorithm, num_threads=3, **how)
        assert threads.tobytes() == y.tobytes()


def check_gradient(gradient, first, second, shape, how):
    """Every algorithm's gradient of two arrays against direct's in float64, and the same bits for other threads."""
    dtype = first.dtype
    wide = [array.astype(np.float64) for array in (first, second)]
    expected = gradient(*wide, shape, algorithm="direct", **how)
    beyond = np.abs(wide[0]).max(initial=1) * np.abs(wide[1]).max(initial=1)  # a product of the neighbours'
    size = gradient(*map(np.abs, wide), shape, algorithm="direct", **how).max(initial=beyond)
    unit = np.finfo(np.float64 if dtype == np.float64 else np.float32).eps
    rounding = 8 * unit * size + np.finfo(dtype).eps * np.abs(expected) + np.finfo(dtype).tiny
    for algorithm in ALGORITHMS:
        found = gradient(first, second, shape, algorithm=algorithm, **how)
        assert (np.abs(found - expected) <= rounding).all(), algorithm
        threads = gradient(first, second, shape, algorithm=algorithm, num_threads=3, **how)
        assert threads.tobytes() == found.tobytes()


@given(problems(), st.sampled_from(("float32", "float64", "float16")))
def test_no_algorithm_changes_the_gradients_beyond_rounding(problem, dtype):
    x, kernel, _, how = problem
    how = {key: value for key, value in how.items() if key != "activation"}
    dy = np.random.default_rng(1).standard_normal(tconv.conv_transpose(x, kernel, **how).shape)
    x, kernel, dy = x.astype(dtype), kernel.astype(dtype), dy.astype(dtype)
    check_gradient(tconv.conv_transpose_grad_input, dy, kernel, x.shape, how)
    check_gradient(tconv.conv_transpose_grad_kernel, x, dy, kernel.shape, how)


@given(problems())
def test_direct_takes_examples_one_by_one(problem):
    x, kernel, bias, how = problem
    y = tconv.conv_transpose(x, kernel, bias, algorithm="direct", **how)
    for example, result in zip(x, y, strict=True):
        assert tconv.conv_transpose(example, kernel, bias, algorithm="direct", **how).tobytes() == result.tobytes()


def test_a_plan_says_what_it_chose_and_why():
    kernel = np.ones((4, 4, 64, 64), np.float32)
    said = {a: tconv.Plan(kernel, strides=2, algorithm=a).describe((4, 32, 32, 64)) for a in ALGORITHMS}
    assert said["auto"].startswith("fast") and said["fast"].startswith("fast") and "F(3,2)*F(3,2)" in said["fast"]
    assert said["direct"].startswith("direct") and "asked for" in said["direct"]
    assert "bytes of workspace" in said["fast"]
    small = tconv.Plan(kernel, strides=2).describe((1, 2, 2, 64))
    assert small.startswith("direct") and "not fast: " in small


def test_fast_leaves_the_bias_where_no_tap_reaches():
    random = np.random.default_rng(5)
    x = random.standard_normal((1, 32, 32, 64), dtype=np.float32)
    kernel = random.standard_normal((3, 3, 64, 64), dtype=np.float32)
    bias = random.standard_normal(64, dtype=np.float32)
    how = {"strides": 2, "dilation_rate": 2}
    assert tconv.Plan(kernel, **how).describe(x.shape).startswith("fast")
    y = tconv.conv_transpose(x, kernel, bias, **how)
    assert (y[:, 1::2] == bias).all() and (y[:, :, 1::2] == bias).all()
    np.testing.assert_allclose(y, tconv.conv_transpose(x, kernel, bias, algorithm="direct", **how), atol=1e-3)


def test_direct_is_exact_about_what_is_not_finite():
    x = np.zeros((1, 50, 16), np.float32)
    x[0, 20, 3] = np.inf
    kernel = np.ones((4, 8, 16), np.float32)
    y = tconv.conv_transpose(x, kernel, strides=2, algorithm="direct")
    assert np.isposinf(y[0, 40:44]).all() and (np.delete(y[0], slice(40, 44), axis=0) == 0).all()
    fast = tconv.conv_transpose(x, kernel, strides=2, algorithm="fast")
    assert not np.isfinite(fast[0, 40:44]).any() and (fast[0, :30] == 0).all() and (fast[0, 54:] == 0).all()


@pytest.mark.parametrize("value", ["FAST", "", "winograd", "automatic", "reference"])
def test_unknown_algorithms_are_refused(value):
    x, kernel = np.ones((1, 4, 2), np.float32), np.ones((2, 3, 2), np.float32)
    with pytest.raises(ValueError, match=r'algorithm=.* must be "auto" or "direct" or "fast"\.'):
        tconv.conv_transpose(x, kernel, algorithm=value)
    with pytest.raises(ValueError, match="algorithm="):
        tconv.Plan(kernel, algorithm=value)
    with pytest.raises(ValueError, match="algorithm="):
        tconv.conv_transpose_grad_input(x, kernel, x.shape, algorithm=value)
    with pytest.raises(ValueError, match="conv_transpose_grad_kernel: algorithm="):
        tconv.conv_transpose_grad_kernel(x, x, kernel.shape, algorithm=value)


@pytest.mark.parametrize("value", [None, 1, b"fast", ["fast"], np.str_])
def test_algorithms_are_strings(value):
    x, kernel = np.ones((1, 4, 2), np.float32), np.ones((2, 3, 2), np.float32)
    with pytest.raises(TypeError, match="algorithm="):
        tconv.conv_transpose(x, kernel, algorithm=value)
    with pytest.raises(ValueError, match="`algorithm` argument"):
        tconv.layers.Conv1DTranspose(3, 2, algorithm=value)


def test_a_layer_takes_it_from_its_config_alone():
    layer = tconv.layers.Conv2DTranspose(8, 4, strides=2, algorithm="fast")
    assert layer.get_config()["algorithm"] == "fast"
    again = tconv.layers.Conv2DTranspose.from_config(layer.get_config())
    assert again.algorithm == "fast"
    assert "algorithm" not in tconv.layers.Conv2DTranspose(8, 4).get_config()  # Keras knows no such key
    x = np.random.default_rng(0).standard_normal((2, 9, 9, 24)).astype(np.float32)
    y = layer(x)
    layer.algorithm = "direct"
    np.testing.assert_allclose(layer(x), y, atol=1e-5)
    expected = tconv.conv_transpose(x, layer.kernel.numpy(), strides=2, algorithm="direct")
    assert layer(x).tobytes() == expected.tobytes()
    for algorithm in ALGORITHMS:
        layer.algorithm = algorithm
        y, pullback = layer.vjp(x)
        dx = tconv.conv_transpose_grad_input(y, layer.kernel.numpy(), x.shape, strides=2, algorithm=algorithm)
        dkernel = tconv.conv_transpose_grad_kernel(x, y, layer.kernel.shape, strides=2, algorithm=algorithm)
        found, weights = pullback(y)
        assert found.tobytes() == dx.tobytes() and weights[0].tobytes() == dkernel.tobytes()
