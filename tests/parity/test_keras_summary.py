"""The same tables as real Keras prints, character by character."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import pytest

import tconv

pytestmark = pytest.mark.filterwarnings("ignore")
keras = pytest.importorskip("keras")


def chain(library):
    layers = library.layers
    inner = library.Sequential([layers.Conv2DTranspose(4, 3, name="in"), layers.ReLU(name="act")], name="inner")
    frozen = layers.Conv2DTranspose(1000, (2, 3), name="frozen")
    model = library.Sequential(
        [layers.Input((4, 5, 3)), layers.Conv2DTranspose(8, 4, 2, name="up"), inner, frozen], name="chain"
    )
    frozen.trainable = False
    return model


def branched(library):
    layers = library.layers
    image, other = layers.Input((8, 8, 3), name="image"), layers.Input((8, 8, 3), name="other")
    inside = layers.Input((8, 8, 3), name="inside")
    nested = library.Model(inside, layers.Conv2D(4, 3, padding="same", name="convolution")(inside), name="nested")
    first, second = nested(image), nested(other)
    long = layers.BatchNormalization(name="a_normalization_of_a_rather_long_name")(first)
    joined = layers.Concatenate(name="joined")([first, second, long, image])
    return library.Model([image, other], [layers.Flatten(name="flat")(joined), second], name="branched")


def straight(library):
    layers = library.layers
    inputs = layers.Input((8,), name="numbers")
    return library.Model(inputs, layers.Dense(3, name="dense")(inputs), name="straight")


def unbuilt(library):
    return library.Sequential([library.layers.Conv2DTranspose(4, 3, name="up")], name="unbuilt")


MAKERS = (chain, branched, straight, unbuilt)
OPTIONS = (
    {},
    {"line_length": 60},
    {"line_length": 75},
    {"line_length": 100},
    {"line_length": 131},
    {"show_trainable": True},
    {"expand_nested": True},
    {"expand_nested": True, "show_trainable": True, "line_length": 90},
)


def said(model, **options):
    texts = []
    model.summary(print_fn=lambda text, **_: texts.append(text), **options)
    return "".join(texts).rstrip("\n").split("\n")


@pytest.mark.parametrize("columns", [70, 200])
@pytest.mark.parametrize("make", MAKERS)
def test_the_same_table(make, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    ours, theirs = make(tconv), make(keras)
    for options in OPTIONS:
        if options.get("line_length", 0) <= columns:  # Keras cuts off what is wider than the terminal
            assert said(ours, **options) == said(theirs, **options), options


def test_the_same_table_of_a_model_in_training(monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    ours, theirs = straight(tconv), straight(keras)
    for model in (ours, theirs):
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_weights)
    assert said(ours) == said(theirs)
    assert said(ours)[-1].startswith(" Optimizer params: 56 ")


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (chain, {"layer_range": ["up", "inner"]}),
        (chain, {"layer_range": ["f.*", "i"]}),
        (branched, {"layer_range": ["nested", "joined"]}),
        (chain, {"positions": [0.3, 0.6, 1.0]}),
        (branched, {"positions": [0.4, 0.6, 0.7, 1.0], "show_trainable": True}),
    ],
)
def test_the_same_part_of_a_table(make, options, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    assert said(make(tconv), **options) == said(make(keras), **options)
