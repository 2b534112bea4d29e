"""Models that tests put into files."""

import numpy as np

import tconv
from tconv.layers import Activation, Conv1DTranspose, Conv2DTranspose, Input, Layer

ENDINGS = (".weights.h5", ".npz", ".safetensors")
ALL_ENDINGS = (*ENDINGS, ".keras")


class Pair(Layer):
    """Layers in an attribute, in lists and in a dictionary, and weights of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.last = Conv1DTranspose(2, 1, name="last")
        self._first = [Conv1DTranspose(2, 1, name="x"), [Conv1DTranspose(2, 1, name="deep")]]
        self.named = {"key": Conv1DTranspose(2, 1, name="key")}
        self.again = self.last

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(2,), initializer="ones", name="scale")
        self.count = self.add_weight(shape=(), initializer="zeros", name="count", trainable=False)
        for layer in (self.last, self._first[0], self._first[1][0], self.named["key"]):
            layer.build(input_shape)

    def call(self, inputs):
        return self.last(inputs) * self.scale.value

    def compute_output_shape(self, input_shape):
        return input_shape


class Renaming(Layer):
    """Stores its weight in a way of its own."""

    def build(self, input_shape):
        self.level = self.add_weight(shape=(2,), initializer="ones", name="level")

    def call(self, inputs):
        return inputs + self.level.value

    def compute_output_shape(self, input_shape):
        return input_shape

    def save_own_variables(self, store):
        store["level"] = self.level.value * 2

    def load_own_variables(self, store):
        self.level.assign(store["level"] / 2)


def decoder(seed=0, dtype=None, filters=8):
    """A model with another one in it, with random weights."""
    inner = tconv.Sequential(
        [Conv2DTranspose(4, 3, name="deep", dtype=dtype), Activation("relu", name="act")], name="inner"
    )
    model = tconv.Sequential(
        [
            Input((4, 4, 3)),
            Conv2DTranspose(filters, 4, strides=2, padding="same", name="one", dtype=dtype),
            inner,
            Conv2DTranspose(2, 2, name="two", dtype=dtype),
        ],
        name="decoder",
    )
    return randomized(model, seed)


def randomized(layer, seed=0):
    random = np.random.default_rng(seed)
    layer.set_weights([random.standard_normal(weight.shape) for weight in layer.weights])
    return layer


def same(one, other):
    return [a.dtype for a in one.weights] == [b.dtype for b in other.weights] and all(
        np.array_equal(a.value, b.value) for a, b in zip(one.weights, other.weights, strict=True)
    )


def named(model):
    """The weights by the names they have in files that go by names."""
    names = ("one/kernel", "one/bias", "inner/deep/kernel", "inner/deep/bias", "two/kernel", "two/bias")
    return dict(zip(names, model.weights, strict=True))


def state(layer):
    """The very arrays and versions of all weights."""
    return [(weight.value.ctypes.data, weight.version) for weight in layer.weights]


def write(model, path):
    (model.save if str(path).endswith(".keras") else model.save_weights)(path)
