"""Real Keras 3: the families have the same names, defaults, values and configs."""

import functools
import inspect
import json
import os
import subprocess
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest

import tconv
from tconv import activations, constraints, initializers, regularizers

pytestmark = pytest.mark.filterwarnings("ignore")
keras = pytest.importorskip("keras")
if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
    pytest.skip("the names and defaults are those of Keras 3.15", allow_module_level=True)

FAMILIES = {
    "activations": activations,
    "initializers": initializers,
    "regularizers": regularizers,
    "constraints": constraints,
}
BY_FAMILY = pytest.mark.parametrize("family", FAMILIES)
RNG = np.random.default_rng(11)
X = np.concatenate([np.linspace(-9, 9, 73), RNG.normal(size=23), [-40, -1e-3, 0, 1e-3, 40]])[:96].reshape(8, 12)
W = RNG.normal(size=(3, 3, 4, 5))
# Keras up to 3.15 sums cumulative sums for sparsemax's threshold (issue 23425), right with one element in the support.
APART = np.cumsum(1.5 + np.abs(X), axis=-1)
ARGUMENTS = {"threshold": {"threshold": 0.3, "default_value": 0.1}}
FUNCTIONS = [function.__name__ for function in activations.members]


def theirs(family):
    return getattr(keras, family)


def known_to(family):
    """Keras' table of names."""
    return __import__(f"keras.src.{family}", fromlist=["ALL_OBJECTS_DICT"]).ALL_OBJECTS_DICT


def number(value):
    return keras.ops.convert_to_numpy(value)


@BY_FAMILY
def test_public_names(family):
    wanted = {name for name in dir(theirs(family)) if not name.startswith("_")}
    assert wanted <= set(dir(FAMILIES[family]))
    assert wanted <= set(FAMILIES[family].__all__)


@BY_FAMILY
def test_identifiers(family):
    """Every key of Keras' tables, aliases included, names the member of that name here."""
    for key, member in known_to(family).items():
        found = FAMILIES[family].get(key)
        assert getattr(found, "__name__", type(found).__name__) == member.__name__, key


@BY_FAMILY
def test_arguments_and_their_defaults(family):
    for name in dir(theirs(family)):
        member = getattr(theirs(family), name)
        if name.startswith("_") or name in ("get", "serialize", "deserialize") or inspect.ismodule(member):
            continue
        ours = list(inspect.signature(getattr(FAMILIES[family], name)).parameters.values())
        for position, parameter in enumerate(inspect.signature(member).parameters.values()):
            assert ours[position].name == parameter.name, (name, parameter)
            assert ours[position].default == parameter.default, (name, parameter)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_activations(name):
    arguments = ARGUMENTS.get(name, {})
    x = (APART if name == "sparsemax" else X).astype(np.float32)
    expected = number(getattr(keras.activations, name)(keras.ops.convert_to_tensor(x), **arguments))
    ours = getattr(activations, name)(x, **arguments)
    assert ours.dtype == expected.dtype
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6 if name == "log_softmax" else 2e-7)


@pytest.mark.parametrize(
    "arguments",
    [
        {"negative_slope": slope, "max_value": limit, "threshold": start}
        for slope in (0.0, 0.25, -0.5)
        for limit in (None, 6.0, 2.5)
        for start in (0.0, 1.5, -1.5)
    ],
    ids=str,
)
def test_relu_with_arguments(arguments):
    x = X.astype(np.float32)
    expected = number(keras.activations.relu(keras.ops.convert_to_tensor(x), **arguments))
    np.testing.assert_allclose(activations.relu(x, **arguments), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_activations_have_the_derivatives_of_jax(name):
    """At points where a derivative exists."""
    jax = pytest.importorskip("jax")
    if keras.backend.backend() != "jax":
        pytest.skip("Keras runs on another backend")
    arguments = ARGUMENTS.get(name, {})
    x = (APART[:6] if name == "sparsemax" else RNG.normal(size=(6, 8)) * 2).astype(np.float32)
    function = functools.partial(getattr(activations, name), **arguments)
    y, pullback = activations.vjp(function, x)
    dy = RNG.normal(size=y.shape).astype(np.float32)
    _, other = jax.vjp(lambda value: getattr(keras.activations, name)(value, **arguments), x)
    np.testing.assert_allclose(pullback(dy), other(dy)[0], rtol=1e-5, atol=2e-6)


TORCH = {
    "celu": "celu", "elu": "elu", "gelu": "gelu", "hard_shrink": "hardshrink", "hard_sigmoid": "hardsigmoid",
    "hard_silu": "hardswish", "hard_tanh": "hardtanh", "leaky_relu": "leaky_relu", "log_sigmoid": "logsigmoid",
    "mish": "mish", "relu": "relu", "relu6": "relu6", "selu": "selu", "sigmoid": "sigmoid", "silu": "silu",
    "soft_shrink": "softshrink", "softplus": "softplus", "softsign": "softsign", "tanh": "tanh",
    "tanh_shrink": "tanhshrink", "glu": "glu", "softmax": "softmax", "log_softmax": "log_softmax",
}  # fmt: skip


@pytest.mark.parametrize("name", TORCH)
def test_activations_have_the_derivatives_of_torch(name):
    """Also at kinks, which are in x; in float64."""
    torch = pytest.importorskip("torch")
    arguments = {"leaky_relu": {"negative_slope": 0.2}, "softmax": {"dim": -1}, "log_softmax": {"dim": -1}}
    kinks = np.float64([-6, -3, -1, -0.5, 0, 0.5, 1, 3, 6, 6.5])
    x = np.concatenate([kinks, RNG.normal(size=38) * 2]).reshape(6, 8)
    y, pullback = activations.vjp(getattr(activations, name), x)
    dy = RNG.normal(size=y.shape)
    leaf = torch.tensor(x, requires_grad=True)
    getattr(torch.nn.functional, TORCH[name])(leaf, **arguments.get(name, {})).backward(torch.tensor(dy))
    np.testing.assert_allclose(
        pullback(dy), leaf.grad.numpy(), rtol=1e-7 if name == "hard_sigmoid" else 1e-12, atol=1e-14
    )  # torch keeps 1/6 in float32


REGULARIZERS = [
    ("L1", {"l1": 0.3}), ("L2", {"l2": 0.3}), ("L1L2", {"l1": 0.3, "l2": 0.1}), ("L1L2", {}), ("Regularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.3}), ("OrthogonalRegularizer", {"factor": 0.3, "mode": "columns"}),
]  # fmt: skip
CONSTRAINTS = [
    ("MaxNorm", {}), ("MaxNorm", {"max_value": 1.5, "axis": [0, 1, 3]}), ("MinMaxNorm", {}), ("NonNeg", {}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 1.5, "rate": 0.25, "axis": -1}), ("UnitNorm", {}),
    ("UnitNorm", {"axis": [0, 1]}), ("Constraint", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), REGULARIZERS, ids=str)
def test_regularizers(name, arguments):
    w = (X if name == "OrthogonalRegularizer" else W).astype(np.float32)
    w = np.concatenate([w, np.zeros_like(w[:1])])  # a vector without a direction
    expected = number(getattr(keras.regularizers, name)(**arguments)(keras.ops.convert_to_tensor(w)))
    np.testing.assert_allclose(getattr(regularizers, name)(**arguments)(w), expected, rtol=1e-6)


@pytest.mark.parametrize(("name", "arguments"), CONSTRAINTS, ids=str)
def test_constraints(name, arguments):
    w = W.astype(np.float32)
    w[0, 0, 0] = 0
    expected = number(getattr(keras.constraints, name)(**arguments)(keras.ops.convert_to_tensor(w)))
    ours = getattr(constraints, name)(**arguments)(w)
    assert ours.dtype == expected.dtype
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-30)


# What another process answers, whose Keras computes in float64.
QUESTIONS = """
import json, sys
import numpy as np
import keras
keras.config.set_floatx("float64")
given = np.load(sys.argv[1])
asked = json.loads(sys.argv[2])
def answer(family, name, arguments, key):
    x = keras.ops.convert_to_tensor(given[key])
    member = getattr(getattr(keras, family), name)
    y = member(x, **arguments) if family == "activations" else member(**arguments)(x)
    return keras.ops.convert_to_numpy(y)
np.savez(sys.argv[3], *[answer(*question) for question in asked])
"""


def test_values_in_float64(tmp_path):
    pytest.importorskip("torch")  # the backend that needs no setting for float64
    questions = [
        ("activations", name, ARGUMENTS.get(name, {}), "apart" if name == "sparsemax" else "x") for name in FUNCTIONS
    ]
    questions += [("constraints", name, arguments, "w") for name, arguments in CONSTRAINTS]
    for name, arguments in REGULARIZERS[:4] + REGULARIZERS[5:]:
        questions.append(("regularizers", name, arguments, "x" if name == "OrthogonalRegularizer" else "w"))
    np.savez(tmp_path / "given.npz", x=X, w=W, apart=APART)
    subprocess.run(
        [sys.executable, "-c", QUESTIONS, tmp_path / "given.npz", json.dumps(questions), tmp_path / "answers.npz"],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        check=True,
    )
    with np.load(tmp_path / "answers.npz") as file:
        answers = [file[f"arr_{index}"] for index in range(len(questions))]
    for (family, name, arguments, key), expected in zip(questions, answers, strict=True):
        x = {"x": X, "w": W, "apart": APART}[key]
        member = getattr(FAMILIES[family], name)
        ours = member(x, **arguments) if family == "activations" else member(**arguments)(x)
        assert ours.dtype == np.float64, name
        # Keras keeps two factors in float32, and promotes float64 and the int 0 to it
        rounded = name in ("L1", "OrthogonalRegularizer", "NonNeg")
        # its formulae cancel
        absolute = {"gelu": 1e-14, "tanh_shrink": 1e-15, "squareplus": 1e-14}.get(name, 2e-16)
        np.testing.assert_allclose(
            ours, expected, rtol=1e-7 if rounded else 1e-12, atol=absolute, err_msg=f"{name} {arguments}"
        )


# ---------------------------------------------------------------------------------------------------- initializers


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RandomNormal", {"mean": 1.0, "stddev": 0.5}), ("RandomUniform", {"minval": -1.0, "maxval": 3.0}),
        ("TruncatedNormal", {"mean": 1.0, "stddev": 0.5}), ("GlorotNormal", {}), ("GlorotUniform", {}),
        ("HeNormal", {}), ("HeUniform", {}), ("LecunNormal", {}), ("LecunUniform", {}),
        ("HeNormal", {"input_axes": (0, 1, 3), "output_axes": (0, 1, 2)}),
        *(("VarianceScaling", {"scale": 2.0, "mode": mode, "distribution": distribution})
          for mode in ("fan_in", "fan_out", "fan_avg")
          for distribution in ("normal", "truncated_normal", "untruncated_normal", "Uniform")),
    ],
    ids=str,
)  # fmt: skip
def test_distributions(name, arguments):
    """Kolmogorov and Smirnov: the largest distance of the two cumulative distributions; 1.95 is passed by 1 in 1000."""
    shape = (3, 3, 24, 100)
    ours = np.sort(getattr(initializers, name)(**arguments, seed=4)(shape, "float32").ravel())
    other = np.sort(number(getattr(keras.initializers, name)(**arguments, seed=4)(shape, "float32")).ravel())
    both = np.concatenate([ours, other])
    distance = np.abs(np.searchsorted(ours, both, "right") - np.searchsorted(other, both, "right")).max() / len(ours)
    assert distance < 1.95 * (2 / len(ours)) ** 0.5
    assert ours.dtype == other.dtype


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("Zeros", {}, (2, 3)), ("Ones", {}, (2, 3)), ("Constant", {"value": 3}, (2, 3)), ("Identity", {}, (3, 4)),
        ("Constant", {"value": [1.0, 2.0]}, (3, 2)), ("Identity", {"gain": 2.5}, (3, 3)), ("STFT", {}, (12, 1, 9)),
        ("STFT", {"side": "imag", "window": "tukey", "scaling": "spectrum", "periodic": True}, (12, 1, 9)),
        ("STFT", {"window": None}, (12, 1, 9)), ("STFT", {"window": list(range(1, 13)), "scaling": None}, (12, 1, 9)),
    ],
    ids=str,
)  # fmt: skip
def test_initializers_that_draw_nothing(name, arguments, shape):
    if name == "STFT":
        pytest.importorskip("scipy")  # Keras' windows
    ours = getattr(initializers, name)(**arguments)(shape, "float32")
    other = number(getattr(keras.initializers, name)(**arguments)(shape, "float32"))
    assert ours.dtype == other.dtype
    np.testing.assert_allclose(ours, other, rtol=1e-6, atol=2e-5 if name == "STFT" else 0)


# ---------------------------------------------------------------------------------------------------------- configs

CONFIGURED = [
    *(("initializers", name, {}) for name in (
        "Zeros", "Ones", "Constant", "Identity", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling",
        "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Orthogonal", "STFT")),
    ("initializers", "Constant", {"value": 3}), ("initializers", "RandomNormal", {"seed": 5, "stddev": 2.0}),
    ("initializers", "Constant", {"value": np.float32([1, 2])}), ("initializers", "STFT", {"window": [1, 2, 3]}),
    ("initializers", "HeNormal", {"seed": 3, "input_axes": (0,), "output_axes": (1,)}),
    ("initializers", "VarianceScaling", {"scale": 0.5, "mode": "fan_out", "distribution": "uniform"}),
    ("initializers", "Orthogonal", {"gain": 0.5, "seed": 1}),
    ("initializers", "STFT", {"side": "imag", "window": None}),
    *(("regularizers", name, arguments) for name, arguments in REGULARIZERS if name != "Regularizer"),
    *(("constraints", name, arguments) for name, arguments in CONSTRAINTS),
]  # fmt: skip


def plain(config):
    """A config as JSON has it, without the axes that Keras 3.15 alone writes, its floats as float32 has them."""
    config = json.loads(json.dumps(config), parse_float=lambda text: float(np.float32(text)))
    if isinstance(config.get("config"), dict):
        left_out = ("input_axes", "output_axes")
        config["config"] = {k: v for k, v in config["config"].items() if v is not None or k not in left_out}
    return config


@pytest.mark.parametrize(("family", "name", "arguments"), CONFIGURED, ids=str)
def test_configs_both_ways(family, name, arguments):
    other = getattr(theirs(family), name)(**arguments)
    ours = getattr(FAMILIES[family], name)(**arguments)
    written = json.loads(json.dumps(FAMILIES[family].serialize(ours)))
    expected = json.loads(json.dumps(theirs(family).serialize(other)))
    assert plain(written) == plain(expected)
    assert plain(FAMILIES[family].serialize(FAMILIES[family].deserialize(expected))) == plain(expected)
    back = theirs(family).deserialize(written)
    assert type(back) is type(other)
    assert plain(theirs(family).serialize(back)) == plain(expected)
    bare = {"class_name": expected["class_name"], "config": expected["config"]}
    assert plain(FAMILIES[family].serialize(FAMILIES[family].get(bare))) == plain(expected)


@pytest.mark.parametrize("name", [*FUNCTIONS, "swish", "hard_swish"])
def test_activations_are_written_as_keras_writes_them(name):
    written = activations.serialize(activations.get(name))
    assert written == keras.activations.serialize(keras.activations.get(name))
    assert keras.activations.deserialize(written) is keras.activations.get(name)


def test_a_seed_generator_both_ways():
    other = keras.initializers.RandomNormal(seed=keras.random.SeedGenerator(7))
    config = json.loads(json.dumps(keras.initializers.serialize(other)))
    ours = initializers.deserialize(config)
    assert isinstance(ours.seed, initializers.SeedGenerator)
    back = keras.initializers.deserialize(json.loads(json.dumps(initializers.serialize(ours))))
    assert isinstance(back.seed, keras.random.SeedGenerator)
    assert back.get_config() == other.get_config()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("leaky_relu", {"negative_slope": 0.1}), ("elu", {"alpha": 0.5}), ("relu", {"max_value": 2.0, "threshold": 0.5}),
     ("softmax", {"axis": 1})],
)  # fmt: skip
def test_arguments_of_activations_reach_keras(name, arguments):
    ours = tconv.layers.Conv1DTranspose(3, 2, activation=functools.partial(getattr(activations, name), **arguments))
    x = RNG.normal(size=(2, 5, 4)).astype(np.float32)
    expected = ours(x)
    config = json.loads(json.dumps(tconv.layers.serialize(ours)))
    other = keras.saving.deserialize_keras_object(config)
    other.set_weights(ours.get_weights())
    np.testing.assert_allclose(number(other(x)), expected, rtol=1e-5, atol=1e-6)
    again = tconv.layers.deserialize(json.loads(json.dumps(keras.saving.serialize_keras_object(other))))
    again.set_weights(ours.get_weights())
    np.testing.assert_array_equal(again(x), expected)


def test_arguments_that_keras_cannot_read_are_refused_there():
    config = activations.serialize(functools.partial(activations.gelu, approximate=True))
    with pytest.raises((TypeError, ValueError)):
        keras.activations.get(config)


@pytest.mark.parametrize("layer", ["LeakyReLU", "ReLU", "ELU", "Softmax"])
def test_a_layer_of_keras_in_an_activations_place(layer):
    other = keras.layers.Conv1DTranspose(3, 2, activation=getattr(keras.layers, layer)())
    x = RNG.normal(size=(2, 5, 4)).astype(np.float32)
    expected = number(other(x))
    ours = tconv.layers.deserialize(json.loads(json.dumps(keras.saving.serialize_keras_object(other))))
    ours.set_weights([number(w) for w in other.weights])
    np.testing.assert_allclose(ours(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.regularizers.L2(-1.0),
        lambda m: m.regularizers.L1("a"),
        lambda m: m.regularizers.L1L2(l1=float("nan")),
        lambda m: m.regularizers.OrthogonalRegularizer(mode="both"),
        lambda m: m.regularizers.get("l1_l2"),
        lambda m: m.initializers.VarianceScaling(scale=-1.0),
        lambda m: m.initializers.VarianceScaling(mode="fan"),
        lambda m: m.initializers.VarianceScaling(distribution="no"),
        lambda m: m.initializers.Identity()((2, 2, 2)),
        lambda m: m.initializers.Orthogonal()((2,)),
        lambda m: m.initializers.STFT("imaginary"),
        lambda m: m.initializers.RandomNormal(seed="1"),
        lambda m: m.initializers.get(np.ones((2, 2)))((3, 3)),
        lambda m: m.initializers.get("Glorot"),
        lambda m: m.initializers.Initializer()((2, 2)),
        lambda m: m.activations.get("typo"),
        lambda m: m.constraints.get("typo"),
    ],
)
def test_both_refuse(call):
    messages = []
    for module in (keras, tconv):
        with pytest.raises((ValueError, NotImplementedError)) as error:
            call(module)
        messages.append(error.type)
    assert messages[0] is messages[1]
