"""Names, configs and reprs of the families: what is written is read again, from any Keras, and nothing else is."""

import functools
import json
import pydoc

import numpy as np
import pytest

import tconv
from tconv import activations, constraints, initializers, regularizers

FAMILIES = {
    "activations": activations,
    "initializers": initializers,
    "regularizers": regularizers,
    "constraints": constraints,
}
OBJECTS = [
    initializers.Zeros(), initializers.Ones(), initializers.Constant(3), initializers.Constant(0.25),
    initializers.Constant([[1, 2]]), initializers.Constant(np.float32([1.5, float("inf")])),
    initializers.Constant(float("nan")),
    initializers.Identity(), initializers.Identity(gain=2.0), initializers.RandomNormal(1.0, 2.0, seed=3),
    initializers.RandomUniform(minval=-1), initializers.TruncatedNormal(stddev=0.5),
    initializers.RandomNormal(seed=initializers.SeedGenerator(4, name="mine")),
    initializers.VarianceScaling(2.0, "fan_out", "uniform", 7), initializers.GlorotNormal(),
    initializers.GlorotUniform(1),
    initializers.VarianceScaling(input_axes=[0, 1], output_axes=[2], seed=1),
    initializers.HeNormal(transposed_fans=True), initializers.HeUniform(), initializers.LecunNormal(seed=2),
    initializers.LecunUniform(), initializers.Orthogonal(0.5, seed=2), initializers.STFT(),
    initializers.STFT("imag", [1, 2, 3], None, True), initializers.Bilinear(), initializers.Bilinear(gain=2.0),
    initializers.ICNR(initializers.HeNormal(seed=3), (2, 3)),
    regularizers.L1(), regularizers.L1(0.5), regularizers.L2(), regularizers.L2(0.25), regularizers.L1L2(0.5),
    regularizers.L1L2(0.5, 0.25), regularizers.OrthogonalRegularizer(0.5, "columns"), regularizers.Regularizer(),
    constraints.MaxNorm(), constraints.MaxNorm(3, [0, 1]), constraints.MinMaxNorm(0.5, 2.0, 0.25, axis=1),
    constraints.NonNeg(), constraints.UnitNorm(axis=(0, 1)), constraints.Constraint(),
    functools.partial(activations.leaky_relu, negative_slope=0.1), functools.partial(activations.elu, alpha=0.5),
    functools.partial(activations.relu, max_value=6.0, threshold=1.0), functools.partial(activations.softmax, axis=1),
    functools.partial(activations.gelu, approximate=True), functools.partial(activations.celu, alpha=2.0),
    functools.partial(activations.threshold, threshold=1.0, default_value=0.0),
]  # fmt: skip


def family_of(member):
    for module in (initializers, regularizers, constraints):
        if type(member).__module__.startswith(module.__name__):
            return module
    return activations


def same(a, b):
    """The same class with the same config: NaN is itself."""
    if isinstance(a, functools.partial):
        return a.func is b.func and a.keywords == b.keywords
    return type(a) is type(b) and str(a.get_config()) == str(b.get_config())


@pytest.mark.parametrize("member", OBJECTS, ids=repr)
def test_a_config_says_all(member):
    family = family_of(member)
    config = json.loads(json.dumps(family.serialize(member)))
    again = family.deserialize(config)
    assert same(again, member)
    assert same(family.get(config), member)
    assert family.get(member) is member
    if hasattr(member, "get_config"):
        assert same(type(member).from_config(member.get_config()), member)


@pytest.mark.parametrize("member", OBJECTS, ids=repr)
def test_a_repr_can_be_pasted(member):
    family = family_of(member)
    names = {"np": np, "tconv": tconv, "functools": functools, **vars(family)}
    shown = repr(family.deserialize(family.serialize(member)))
    assert same(eval(shown, names), member), shown


def test_a_layer_shows_its_activation_so():
    given = functools.partial(activations.elu, alpha=0.5)
    for layer in (
        tconv.layers.Conv2DTranspose(3, 2, activation=given, name="up"),
        tconv.layers.Activation(given, name="a"),
    ):
        names = {"tconv": tconv, "functools": functools, **vars(tconv.layers)}
        assert eval(repr(layer), names).get_config() == layer.get_config()


@pytest.mark.parametrize("module", FAMILIES.values(), ids=FAMILIES)
def test_every_name_gives_its_member(module):
    """Class name, snake_case name, config of either, class and instance."""
    names = [name for name in module.__all__ if isinstance(getattr(module, name), type)]
    for name in names:
        cls = getattr(module, name)
        if name in ("Activation", "RandomInitializer", "SeedGenerator", "l1_l2"):
            continue
        found = [module.get(name), module.get({"class_name": name, "config": {}}), module.get(cls)]
        assert all(type(entry) is cls for entry in found), name


@pytest.mark.parametrize("module", FAMILIES.values(), ids=FAMILIES)
def test_none_and_what_is_unknown(module):
    assert module.get(None) is (activations.linear if module is activations else None)
    assert module.deserialize(None) is (activations.linear if module is activations else None)
    assert module.serialize(None) == ("linear" if module is activations else None)
    for unknown in ("typo", "", "Relu", "__class__", 3, 2.5, object(), [], {"class_name": "typo", "config": {}}):
        with pytest.raises(ValueError, match="Could not interpret"):
            module.get(unknown)


def test_a_near_name_is_suggested():
    with pytest.raises(ValueError, match="Did you mean 'glorot_uniform'"):
        initializers.get("glorot_unifrom")
    with pytest.raises(ValueError, match="Did you mean 'l1l2'"):
        regularizers.get("l1_l2")


@pytest.mark.parametrize(
    ("module", "name", "arguments", "text"),
    [
        (initializers, "HeNormal", {"sed": 1, "gain": 2}, r"unknown config keys \['gain', 'sed'\]"),
        (regularizers, "L2", {"l1": 1}, r"unknown config keys \['l1'\]; known are \['l2'\]"),
        (constraints, "NonNeg", {"axis": 1}, r"unknown config keys \['axis'\]"),
        (activations, "elu", {"beta": 1}, r"unknown config keys \['beta'\]; known are \['alpha'\]"),
        (activations, "ELU", {"beta": 1}, r"elu: unknown config keys \['beta'\]"),
        (activations, "threshold", {"threshold": 1}, r"the config lacks \['default_value'\]"),
    ],
)
def test_unknown_keys_are_named_in_one_error(module, name, arguments, text):
    with pytest.raises(ValueError, match=text) as error:
        module.get({"class_name": name, "config": arguments})
    assert str(error.value).startswith((name, name.lower()))


# What other versions write, and what it means here.
OTHERS = [
    # tf.keras 2.9: no module, no registered_name
    (initializers, {"class_name": "GlorotUniform", "config": {"seed": None}}, initializers.GlorotUniform()),
    (initializers, {"class_name": "Identity", "config": {"gain": 2.0}}, initializers.Identity(2.0)),
    (initializers, {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.1, "seed": 5}},
     initializers.RandomNormal(stddev=0.1, seed=5)),
    (initializers, {"class_name": "Constant", "config": {"value": 1}}, initializers.Constant(1)),
    (regularizers, {"class_name": "L1L2", "config": {"l1": 0.01, "l2": 0.02}}, regularizers.L1L2(0.01, 0.02)),
    (regularizers, {"class_name": "L2", "config": {"l2": 0.009999999776482582}}, regularizers.L2(0.009999999776482582)),
    (constraints, {"class_name": "MaxNorm", "config": {"max_value": 3, "axis": [0, 1, 2]}},
     constraints.MaxNorm(3, (0, 1, 2))),
    (activations, {"class_name": "LeakyReLU", "config": {"name": "leaky_re_lu", "trainable": True, "dtype": "float32",
     "alpha": 0.30000001192092896}}, functools.partial(activations.leaky_relu, negative_slope=0.30000001192092896)),
    # TensorFlow 1 wrote a dtype
    (initializers, {"class_name": "VarianceScaling", "config": {"scale": 1.0, "mode": "fan_avg", "distribution":
     "uniform", "seed": None, "dtype": "float32"}}, initializers.VarianceScaling(1.0, "fan_avg", "uniform")),
    # Keras 3.0 to 3.14, and 3.15
    (initializers, {"module": "keras.initializers", "class_name": "HeNormal", "config": {"seed": 3},
     "registered_name": None}, initializers.HeNormal(3)),
    (initializers, {"module": "keras.initializers", "class_name": "HeNormal", "config": {"seed": 3, "input_axes": None,
     "output_axes": None}, "registered_name": None}, initializers.HeNormal(3)),
    (initializers, {"module": "keras.src.initializers.random_initializers", "class_name": "Orthogonal", "config":
     {"seed": None, "gain": 1.0}, "registered_name": "Orthogonal"}, initializers.Orthogonal()),
    (initializers, {"module": "keras.initializers", "class_name": "OrthogonalInitializer", "config": {"gain": 2.0,
     "seed": None}, "registered_name": None}, initializers.Orthogonal(2.0)),
    (initializers, {"module": "keras.initializers", "class_name": "RandomUniform", "config": {"seed": {"module":
     "keras.random", "class_name": "SeedGenerator", "config": {"name": "s", "seed": 9}, "registered_name": None},
     "minval": -1, "maxval": 1}, "registered_name": None},
     initializers.RandomUniform(-1, 1, initializers.SeedGenerator(9, "s"))),
    (activations, {"module": "keras.layers", "class_name": "ReLU", "config": {"name": "re_lu", "trainable": True,
     "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None},
     "max_value": 6.0, "negative_slope": 0.0, "threshold": 0.0}, "registered_name": None},
     functools.partial(activations.relu, max_value=6.0)),
    (activations, {"module": "keras.layers", "class_name": "Softmax", "config": {"axis": -1}}, activations.softmax),
    (activations, {"module": "keras.layers", "class_name": "LeakyReLU", "config": {}},
     functools.partial(activations.leaky_relu, negative_slope=0.3)),
    (activations, {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"},
     activations.relu),
]  # fmt: skip


@pytest.mark.parametrize(("module", "config", "expected"), OTHERS, ids=lambda value: getattr(value, "__name__", None))
def test_configs_of_other_versions(module, config, expected):
    found = module.deserialize(config)
    assert found is expected or same(found, expected)
    assert found is expected or same(module.get(config), expected)


def test_arguments_that_keras_would_drop_are_not_written_under_its_name():
    """Keras reads the name of {"module": "keras.activations", "class_name": "gelu", ...} and not its config."""
    for member in OBJECTS:
        if family_of(member) is activations:
            assert activations.serialize(member)["module"] in ("keras.layers", "tconv.activations")


def test_arguments_that_are_the_defaults_are_none():
    config = {"class_name": "relu", "config": {"negative_slope": 0.0, "max_value": None}}
    assert activations.deserialize(config) is activations.relu


def test_a_layer_as_an_activation_is_written_as_one():
    assert activations.serialize(tconv.layers.Activation("relu", name="a"))["module"] == "keras.layers"


class Mine(regularizers.L2):
    """A class of the user's own."""


def own_function(x):
    """A function of the user's own."""
    return x


def test_objects_of_ones_own_are_handed_over():
    config = regularizers.serialize(Mine(0.5))
    assert same(regularizers.deserialize(config, {"Mine": Mine}), Mine(0.5))
    with pytest.raises(ValueError, match="Mine"):
        regularizers.deserialize(config)
    config = activations.serialize(own_function)
    assert activations.deserialize(config, {"own_function": own_function}) is own_function
    with pytest.raises(ValueError, match="own_function"):
        activations.deserialize(config)
    replaced = activations.deserialize({"class_name": "ReLU", "config": {}}, {"ReLU": own_function})
    assert replaced is own_function
    with pytest.raises(ValueError, match="having no name"):
        activations.serialize(lambda x: x)


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool"])
def test_constraints_of_integers_are_floats(dtype):
    w = np.ones((4, 1), dtype)
    for constraint in (constraints.MaxNorm(1), constraints.UnitNorm()):
        got = constraint(w)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, 0.5, rtol=1e-6)
    assert constraints.NonNeg()(w).dtype == np.float32


@pytest.mark.parametrize("module", FAMILIES.values(), ids=FAMILIES)
def test_help_reads_well(module):
    """Every public name is explained where users look, by a first line that is a sentence."""
    for name in module.__all__:
        text = pydoc.plain(pydoc.render_doc(getattr(module, name)))
        if name != "Activation":  # a type
            assert "tconv" in text.splitlines()[0], name
            assert (getattr(module, name).__doc__ or "").strip().splitlines()[0].strip().endswith((".", ":")), name
