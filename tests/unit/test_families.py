"""Activations, initializers, regularizers, constraints: values by formula, names, configs."""

import functools

import numpy as np
import pytest

import reference
import tconv
from tconv import activations, constraints, initializers, regularizers

Z = np.array(
    [
        -np.inf,
        -1e30,
        -100,
        -20,
        -6,
        -3.1,
        -3,
        -1.5,
        -1,
        -1e-3,
        -1e-30,
        -0.0,
        0.0,
        1e-30,
        1e-3,
        0.5,
        1,
        3,
        6,
        6.5,
        20,
        1e30,
        np.inf,
    ]
)
EXTRA = {
    "softplus": lambda z: np.logaddexp(0, z),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "gelu": lambda z: 0.5 * z * (1 + np.vectorize(__import__("math").erf)(z / np.sqrt(2))),
    "mish": lambda z: z * np.tanh(np.logaddexp(0, z)),
    "swish": reference.ACTIVATIONS["silu"],
}


def finite(values):
    return values[np.abs(values) < 1e20]


@pytest.mark.parametrize("name", [*reference.ACTIVATIONS, *EXTRA])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activation_values(name, dtype):
    function = activations.get(name)
    z = finite(Z).astype(dtype)
    got = function(z)
    assert got.dtype == z.dtype
    assert got.shape == z.shape
    with np.errstate(over="ignore"):
        exact = {**reference.ACTIVATIONS, **EXTRA}[name](z.astype(np.float64))
    fits = np.abs(exact) < 1e37
    tolerance = {"float32": 2e-6, "float64": 1e-14}[dtype]
    np.testing.assert_allclose(got[fits], exact[fits], rtol=tolerance, atol=tolerance / 100)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 23])
@pytest.mark.parametrize("name", reference.ACTIVATIONS)
def test_fused_values_over_the_whole_range(name, count, dtype):
    """One pixel, one input channel, kernel = z: the result is activation(z), at any position in a vector."""
    z = Z[:count].astype(dtype)
    with np.errstate(all="ignore"):
        exact = reference.ACTIVATIONS[name](z.astype(np.float64))
    if name in ("silu", "hard_silu"):
        exact[np.isneginf(z)] = np.nan  # -inf * 0; both answers are accepted below
    got = tconv.conv_transpose(np.ones((1, 1, 1), dtype), z.reshape(1, -1, 1), activation=name).ravel()
    for value, want, at in zip(got.astype(np.float64), exact, z, strict=True):
        if np.isnan(want):
            assert np.isnan(value) or value == 0, (at, value)
        elif np.isinf(want) or abs(want) > np.finfo(dtype).max:
            assert value == np.sign(want) * np.inf, (at, value)
        else:
            tolerance = {"float32": 4e-6, "float64": 4e-14}[dtype]
            assert value == pytest.approx(
                want, rel=tolerance, abs=1e-30 if name == "exponential" else tolerance / 100
            ), at


@pytest.mark.parametrize("name", reference.ACTIVATIONS)
def test_nan_stays_nan(name):
    x = np.array([1, np.nan, 1, 1, 1, 1, 1, 1, 1, 1], np.float32).reshape(1, 10, 1)
    got = tconv.conv_transpose(x, np.ones((1, 1, 1), np.float32), activation=name).ravel()
    assert np.isnan(got[1])
    assert np.isfinite(np.delete(got, 1)).all()
    assert np.isnan(activations.get(name)(np.float32([np.nan])))[0]


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.3, 1.0, -0.5, 2.0])
def test_slopes(slope):
    p_x = np.linspace(-4, 4, 33, dtype=np.float32).reshape(1, 33, 1)
    kernel = np.ones((1, 1, 1), np.float32)
    leaky = functools.partial(activations.leaky_relu, negative_slope=slope)
    elu = functools.partial(activations.elu, alpha=slope)
    for function, exact in (
        (leaky, np.where(p_x < 0, slope * p_x, p_x)),
        (elu, np.where(p_x < 0, slope * np.expm1(p_x), p_x)),
    ):
        got = tconv.conv_transpose(p_x, kernel, activation=function)
        np.testing.assert_allclose(got, exact, rtol=2e-6, atol=1e-7)
        np.testing.assert_allclose(function(p_x), exact, rtol=2e-6, atol=1e-7)


def test_softmax_is_over_channels():
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    y = tconv.conv_transpose(x, np.ones((2, 4, 3), np.float32) * np.arange(4)[:, None], activation="softmax")
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-6)


def test_activation_names():
    assert activations.get(None) is activations.linear
    assert activations.get("relu") is activations.relu
    assert activations.get(activations.tanh) is activations.tanh
    assert activations.serialize(activations.relu) == "relu"
    assert activations.serialize(activations.linear) == "linear"
    assert activations.deserialize("relu") is activations.relu
    for name in reference.ACTIVATIONS:
        assert activations.serialize(activations.get(name)) == name
    with pytest.raises(ValueError, match="no_such"):
        activations.get("no_such")


# --------------------------------------------------------------------------------------------------- initializers

SHAPE = (3, 3, 64, 48)
FAN_IN, FAN_OUT = 64 * 9, 48 * 9  # as Keras counts them


@pytest.mark.parametrize(
    ("name", "arguments", "mean", "stddev", "limit"),
    [
        ("Zeros", {}, 0, 0, 0),
        ("Ones", {}, 1, 0, 1),
        ("Constant", {"value": 3.0}, 3, 0, 3),
        ("RandomNormal", {}, 0, 0.05, None),
        ("RandomNormal", {"mean": 1.0, "stddev": 0.5}, 1, 0.5, None),
        ("RandomUniform", {}, 0, 0.1 / 12**0.5, 0.05),
        ("TruncatedNormal", {"stddev": 0.5}, 0, 0.5 * 0.87962566, 1.0),
        ("GlorotUniform", {}, 0, (2 / (FAN_IN + FAN_OUT)) ** 0.5, (6 / (FAN_IN + FAN_OUT)) ** 0.5),
        ("GlorotNormal", {}, 0, (2 / (FAN_IN + FAN_OUT)) ** 0.5, None),
        ("HeNormal", {}, 0, (2 / FAN_IN) ** 0.5, None),
        ("HeUniform", {}, 0, (2 / FAN_IN) ** 0.5, (6 / FAN_IN) ** 0.5),
        ("LecunNormal", {}, 0, (1 / FAN_IN) ** 0.5, None),
        ("LecunUniform", {}, 0, (1 / FAN_IN) ** 0.5, (3 / FAN_IN) ** 0.5),
        (
            "VarianceScaling",
            {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"},
            0,
            (2 / FAN_OUT) ** 0.5,
            None,
        ),
    ],
)
def test_initializers_by_distribution(name, arguments, mean, stddev, limit):
    cls = getattr(initializers, name)
    values = cls(**arguments)(SHAPE, dtype="float32")
    assert values.shape == SHAPE
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(mean, abs=6 * stddev / values.size**0.5 + 1e-7)
    assert values.std() == pytest.approx(stddev, rel=0.02, abs=1e-7)
    assert limit is None or np.abs(values).max() <= limit * 1.0001
    if stddev:
        seeded = [cls(**arguments, seed=seed)(SHAPE) for seed in (1, 1, 2)]
        np.testing.assert_array_equal(seeded[0], seeded[1])
        assert not np.array_equal(seeded[0], seeded[2])
        assert not np.array_equal(cls(**arguments)(SHAPE), cls(**arguments)(SHAPE))


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()  # noqa: NPY002
    tconv.layers.Conv2DTranspose(4, 3)(np.ones((1, 5, 5, 3)))
    initializers.GlorotUniform()(SHAPE)
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@pytest.mark.parametrize(
    "spelling", ["glorot_uniform", "GlorotUniform", initializers.GlorotUniform, initializers.GlorotUniform()]
)
def test_initializer_spellings(spelling):
    found = initializers.get(spelling)
    assert isinstance(found, initializers.GlorotUniform)
    again = initializers.deserialize(initializers.serialize(found))
    assert type(again) is type(found)
    assert again.get_config() == found.get_config()


def test_an_initializer_is_any_callable_or_array():
    layer = tconv.layers.Conv1DTranspose(2, 3, kernel_initializer=lambda shape, dtype=None: np.full(shape, 3.0))
    layer.build((None, 5, 2))
    assert (layer.kernel.numpy() == 3).all()
    bad = tconv.layers.Conv1DTranspose(2, 3, kernel_initializer=lambda shape, dtype=None: np.ones((1, 2)))
    with pytest.raises(ValueError):
        bad.build((None, 5, 2))
    assert not bad.built


# ------------------------------------------------------------------------------------- regularizers, constraints

W = np.random.default_rng(5).standard_normal((3, 3, 4, 5)).astype(np.float32)
W64 = W.astype(np.float64)


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (regularizers.L1(0.1), 0.1 * np.abs(W64).sum()),
        (regularizers.L2(0.1), 0.1 * np.square(W64).sum()),
        (regularizers.L1L2(0.1, 0.2), 0.1 * np.abs(W64).sum() + 0.2 * np.square(W64).sum()),
        (regularizers.get("l1"), 0.01 * np.abs(W64).sum()),
        (regularizers.get("l2"), 0.01 * np.square(W64).sum()),
        (regularizers.get({"class_name": "L2", "config": {"l2": 0.5}}), 0.5 * np.square(W64).sum()),
    ],
)
def test_regularizers(regularizer, expected):
    assert float(regularizer(W)) == pytest.approx(expected, rel=1e-5)
    again = regularizers.deserialize(regularizers.serialize(regularizer))
    assert float(again(W)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "much", True])
def test_wrong_regularizers(value):
    with pytest.raises((ValueError, TypeError)):
        regularizers.L2(value)


def norms(axis):
    return np.sqrt(np.square(W64).sum(axis=axis, keepdims=True))


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (constraints.NonNeg(), np.maximum(W64, 0)),
        (constraints.UnitNorm(), W64 / (1e-7 + norms(0))),
        (constraints.UnitNorm(axis=[0, 1, 2]), W64 / (1e-7 + norms((0, 1, 2)))),
        (constraints.MaxNorm(1.0), W64 * np.clip(norms(0), 0, 1) / (1e-7 + norms(0))),
        (
            constraints.MinMaxNorm(0.5, 1.5, 0.5, axis=3),
            W64 * (0.5 * np.clip(norms(3), 0.5, 1.5) + 0.5 * norms(3)) / (1e-7 + norms(3)),
        ),
        (constraints.get("non_neg"), np.maximum(W64, 0)),
        (constraints.get("max_norm"), W64 * np.clip(norms(0), 0, 2) / (1e-7 + norms(0))),
    ],
)
def test_constraints(constraint, expected):
    np.testing.assert_allclose(constraint(W), expected, rtol=1e-5, atol=1e-7)
    again = constraints.deserialize(constraints.serialize(constraint))
    np.testing.assert_array_equal(again(W), constraint(W))


@pytest.mark.parametrize("family", [activations, initializers, regularizers, constraints])
@pytest.mark.parametrize(
    "config",
    [
        {"module": "os", "class_name": "system", "config": {"command": "true"}},
        {"module": "builtins", "class_name": "eval", "config": "1"},
        {"module": "builtins", "class_name": "function", "config": "print", "registered_name": "function"},
        {"class_name": "__lambda__", "config": {"value": "4wEAAA=="}},
        {"class_name": 3, "config": {}},
        {"config": {}},
        {"class_name": "L2", "config": {"no_such_key": 1}},
        {"class_name": "Zeros", "config": [1]},
        "__import__('os')",
    ],
)
def test_hostile_configs(family, config):
    with pytest.raises((ValueError, TypeError)):
        family.deserialize(config)
