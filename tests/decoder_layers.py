"""The layers of a decoder, as data: arguments, inputs, what is wrong. Shared by parity and property tests."""

import itertools
from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    """A layer with arguments, and shapes of inputs for it."""

    layer: str
    arguments: dict
    shapes: tuple
    several: bool = False  # called on a list
    may_be_unknown: tuple = (0,)  # axes
    modes: tuple = (None,)  # of training
    smooth: bool = True  # differentiable at almost all inputs

    def __str__(self):
        arguments = "-".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.layer}-{arguments}-{'x'.join(map(str, self.shapes[0]))}".replace(" ", "")

    @property
    def has_kernel(self):
        return self.layer == "Dense" or self.layer.startswith("Conv")

    def inputs(self, dtype, seed=1):
        rng = np.random.default_rng(seed)
        arrays = [rng.standard_normal(shape).astype(dtype) for shape in self.shapes]
        return arrays if self.several else arrays[0]


SPATIAL = {1: (7,), 2: (6, 5), 3: (4, 5, 3)}


def _shape(rank, channels, first):
    return (2, channels, *SPATIAL[rank]) if first else (2, *SPATIAL[rank], channels)


def _convolutions():
    for rank in (1, 2, 3):
        name = f"Conv{rank}D"
        axes = tuple(range(1, rank + 1))
        for padding, strides, dilation in itertools.product(("valid", "same"), (1, 2, 3), (1, 2)):
            if strides > 1 and dilation > 1:
                continue
            arguments = {
                "filters": 4,
                "kernel_size": 2 if dilation == 2 else 3,
                "strides": strides,
                "padding": padding,
                "dilation_rate": dilation,
                "activation": {1: "relu", 2: "gelu", 3: None}[strides],
            }
            yield Case(name, arguments, (_shape(rank, 3, False),), may_be_unknown=(0, *axes))
        grouped = {"filters": 6, "kernel_size": 2, "groups": 2, "use_bias": False}
        yield Case(name, grouped, (_shape(rank, 4, False),), may_be_unknown=(0, *axes))
        yield Case(name, {**grouped, "strides": 2, "padding": "SAME"}, (_shape(rank, 4, False),))
        first = {"filters": 4, "kernel_size": 3, "data_format": "channels_first", "activation": "silu"}
        yield Case(name, first, (_shape(rank, 4, True),))
        yield Case(name, {**first, "strides": 2, "padding": "same", "groups": 4}, (_shape(rank, 4, True),))
        yield Case(name, {"filters": 2, "kernel_size": 1, "strides": 3, "padding": "same"}, (_shape(rank, 2, False),))
    for strides, dilation in ((1, 1), (2, 1), (1, 2)):
        causal = {"filters": 3, "kernel_size": 3, "padding": "causal", "strides": strides, "dilation_rate": dilation}
        yield Case("Conv1D", causal, ((2, 7, 2),), may_be_unknown=(0, 1))
    asymmetric = {"filters": 3, "kernel_size": (4, 1), "strides": (1, 2), "padding": "same"}
    yield Case("Conv2D", asymmetric, ((2, 6, 5, 2),))
    yield Case("Conv3D", {"filters": 3, "kernel_size": (1, 2, 3), "activation": "tanh"}, ((2, 3, 4, 5, 2),))


def _transposed():
    for rank in (1, 2, 3):
        name = f"Conv{rank}DTranspose"
        for activation in (None, "relu", "silu", "leaky_relu"):
            arguments = {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "activation": activation}
            yield Case(name, arguments, (_shape(rank, 3, False),))
        first = {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "data_format": "channels_first"}
        yield Case(name, first, (_shape(rank, 3, True),))
        yield Case(name, {"filters": 2, "kernel_size": 4, "strides": 3, "output_padding": 1}, (_shape(rank, 2, False),))


def _dense():
    yield Case("Dense", {"units": 5}, ((3, 4),))
    yield Case("Dense", {"units": 5, "activation": "relu", "use_bias": False}, ((3, 4),))
    yield Case("Dense", {"units": 3, "activation": "softmax"}, ((2, 3, 4, 5),), may_be_unknown=(0, 1, 2))
    yield Case("Dense", {"units": 1, "activation": "sigmoid"}, ((1, 1),))


def _activations():
    for arguments in (
        {},
        {"max_value": 1.0},
        {"negative_slope": 0.25},
        {"max_value": 1.5, "negative_slope": 0.1, "threshold": 0.5},
    ):
        yield Case("ReLU", arguments, ((3, 4, 5),), may_be_unknown=(0, 1, 2))
    yield Case("LeakyReLU", {}, ((3, 4, 5),), may_be_unknown=(0, 1, 2))
    yield Case("LeakyReLU", {"negative_slope": 0.5}, ((6,),))
    for name in ("relu", "tanh", "gelu", "softmax", "elu", "linear", "mish", "hard_sigmoid"):
        yield Case("Activation", {"activation": name}, ((3, 4, 5),), may_be_unknown=(0, 1))


def _shapes():
    yield Case("Reshape", {"target_shape": (4, 3)}, ((2, 12),))
    yield Case("Reshape", {"target_shape": (-1, 6)}, ((2, 3, 4),), may_be_unknown=(0, 1))
    yield Case("Reshape", {"target_shape": (2, -1, 3)}, ((2, 3, 4),), may_be_unknown=(0, 1))
    yield Case("Reshape", {"target_shape": ()}, ((2, 1, 1),))
    yield Case("Reshape", {"target_shape": (12,)}, ((2, 3, 4),))
    yield Case("Flatten", {}, ((2, 3, 4, 5),), may_be_unknown=(0, 1))
    yield Case("Flatten", {"data_format": "channels_first"}, ((2, 3, 4, 5),))
    yield Case("Flatten", {"data_format": "channels_first"}, ((2,),))
    yield Case("Flatten", {}, ((2,),))
    yield Case("UpSampling1D", {}, ((2, 4, 3),), may_be_unknown=(0, 1))
    yield Case("UpSampling1D", {"size": 3}, ((2, 4, 3),), may_be_unknown=(0, 1))
    for method in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
        for size, data_format in (((2, 3), "channels_last"), (2, "channels_first"), ((1, 4), "channels_last")):
            arguments = {"size": size, "interpolation": method, "data_format": data_format}
            yield Case("UpSampling2D", arguments, ((2, 4, 3, 5),), may_be_unknown=(0, 2))
    yield Case("UpSampling2D", {"interpolation": "bilinear"}, ((1, 1, 2, 1),))
    yield Case("UpSampling3D", {}, ((2, 3, 4, 2, 3),), may_be_unknown=(0, 1, 2, 3))
    yield Case("UpSampling3D", {"size": (1, 2, 3), "data_format": "channels_first"}, ((2, 3, 4, 2, 3),))
    for padding in (2, (0, 3)):
        yield Case("ZeroPadding1D", {"padding": padding}, ((2, 4, 3),), may_be_unknown=(0, 1))
        yield Case("Cropping1D", {"cropping": padding}, ((2, 5, 3),), may_be_unknown=(0, 1))
    yield Case("ZeroPadding1D", {"padding": (1, 2), "data_format": "channels_first"}, ((2, 4, 3),))
    for sides, data_format in itertools.product((1, (1, 2), ((1, 0), (0, 2))), ("channels_last", "channels_first")):
        more = {"data_format": data_format}
        yield Case("ZeroPadding2D", {"padding": sides, **more}, ((2, 5, 6, 7),), may_be_unknown=(0, 2))
        yield Case("Cropping2D", {"cropping": sides, **more}, ((2, 5, 6, 7),), may_be_unknown=(0, 2))
    for sides, data_format in itertools.product((1, (1, 2, 0), ((1, 0), (0, 2), (1, 1))), ("channels_last",)):
        yield Case("ZeroPadding3D", {"padding": sides, "data_format": data_format}, ((2, 5, 6, 7, 2),))
        yield Case("Cropping3D", {"cropping": sides, "data_format": data_format}, ((2, 5, 6, 7, 2),))
    yield Case("ZeroPadding3D", {"padding": 1, "data_format": "channels_first"}, ((2, 1, 3, 4, 2),))
    yield Case("Cropping3D", {"cropping": 1, "data_format": "channels_first"}, ((2, 1, 3, 4, 5),))


def _others():
    for arguments, shape in (
        ({}, (4, 3)),
        ({"momentum": 0.9, "epsilon": 0.01}, (3, 5, 4, 2)),
        ({"axis": 1}, (3, 2, 5, 4)),
        ({"scale": False}, (3, 5, 2)),
        ({"center": False}, (3, 5, 2)),
        ({"center": False, "scale": False, "axis": -2}, (3, 5, 2)),
        ({"trainable": False}, (4, 3)),
    ):
        yield Case("BatchNormalization", arguments, (shape,), modes=(None, False, True))
    yield Case("Dropout", {"rate": 0.5, "seed": 1}, ((3, 4),), modes=(None, False), may_be_unknown=(0, 1))
    yield Case("Dropout", {"rate": 0.0}, ((3, 4),), modes=(None, False, True))
    yield Case("Dropout", {"rate": 0.3, "noise_shape": (None, 1), "seed": 2}, ((3, 4),))
    yield Case("Add", {}, ((3, 4), (3, 4), (3, 4)), several=True)
    yield Case("Add", {}, ((3, 4),), several=True)
    yield Case("Add", {}, ((3, 4, 5), (3, 1, 5)), several=True)
    yield Case("Add", {}, ((3, 2, 4, 5), (3, 4, 5), (3, 5)), several=True)
    yield Case("Concatenate", {}, ((3, 4), (3, 2), (3, 1)), several=True)
    yield Case("Concatenate", {"axis": 1}, ((2, 3, 4, 5), (2, 1, 4, 5)), several=True)
    yield Case("Concatenate", {"axis": -2}, ((2, 3, 4), (2, 3, 4)), several=True)


CASES = [*_convolutions(), *_transposed(), *_dense(), *_activations(), *_shapes(), *_others()]

# Layer, arguments, shape or shapes: both this library and Keras refuse.
WRONG = [
    ("Dense", {"units": 0}, (2, 3)),
    ("Dense", {"units": "4"}, (2, 3)),
    ("Dense", {"units": 4, "activation": "foo"}, (2, 3)),
    ("Dense", {"units": 4, "no_such": 1}, (2, 3)),
    ("Dense", {"units": 4}, (3,)),
    ("Conv1D", {"filters": 0, "kernel_size": 3}, (2, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 0}, (2, 7, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": (3, 3, 3)}, (2, 7, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "causal"}, (2, 7, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": 2}, (2, 7, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 3}, (2, 7, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 2}, (2, 7, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 0}, (2, 7, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "data_format": "x"}, (2, 7, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 9}, (2, 7, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3}, (2, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "output_padding": 1}, (2, 7, 7, 3)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "full"}, (2, 7, 3)),
    ("ReLU", {"max_value": -1.0}, (2, 3)),
    ("ReLU", {"negative_slope": -1.0}, (2, 3)),
    ("ReLU", {"threshold": None}, (2, 3)),
    ("LeakyReLU", {"negative_slope": -0.1}, (2, 3)),
    ("LeakyReLU", {"negative_slope": None}, (2, 3)),
    ("Activation", {"activation": "foo"}, (2, 3)),
    ("Reshape", {"target_shape": (5,)}, (2, 3)),
    ("Reshape", {"target_shape": (-1, -1)}, (2, 3)),
    ("Reshape", {"target_shape": (-2,)}, (2, 3)),
    ("Reshape", {"target_shape": (-1, 4)}, (2, 3)),
    ("Flatten", {"data_format": "x"}, (2, 3)),
    ("BatchNormalization", {"axis": 4}, (2, 3)),
    ("BatchNormalization", {"beta_initializer": "foo"}, (2, 3)),
    ("BatchNormalization", {"synchronized": True}, (2, 3)),
    ("Dropout", {"rate": -0.1}, (2, 3)),
    ("Dropout", {"rate": 1.1}, (2, 3)),
    ("Dropout", {"rate": 0.5, "noise_shape": "x"}, (2, 3)),
    ("Dropout", {"rate": 0.5, "noise_shape": (0, 1)}, (2, 3)),
    ("Dropout", {"rate": 0.5, "noise_shape": (1.5, 1)}, (2, 3)),
    ("UpSampling1D", {"size": 0}, (2, 3, 4)),
    ("UpSampling1D", {"size": 1.5}, (2, 3, 4)),
    ("UpSampling1D", {"size": True}, (2, 3, 4)),
    ("UpSampling2D", {"size": (2, 2, 2)}, (2, 3, 4, 5)),
    ("UpSampling2D", {"interpolation": "foo"}, (2, 3, 4, 5)),
    ("UpSampling2D", {}, (2, 3, 4)),
    ("UpSampling3D", {"size": -1}, (2, 3, 4, 5, 6)),
    ("ZeroPadding1D", {"padding": (1, 2, 3)}, (2, 3, 4)),
    ("ZeroPadding1D", {"padding": -1}, (2, 3, 4)),
    ("ZeroPadding2D", {"padding": (1, 2, 3)}, (2, 3, 4, 5)),
    ("ZeroPadding2D", {"padding": ((1, 2, 3), 1)}, (2, 3, 4, 5)),
    ("ZeroPadding2D", {"padding": None}, (2, 3, 4, 5)),
    ("ZeroPadding3D", {"padding": (1, 2)}, (2, 3, 4, 5, 6)),
    ("Cropping1D", {"cropping": (2, 1)}, (2, 3, 4)),
    ("Cropping1D", {"cropping": (1, 2, 3)}, (2, 5, 4)),
    ("Cropping2D", {"cropping": -1}, (2, 3, 4, 5)),
    ("Cropping2D", {"cropping": 2}, (2, 3, 4, 5)),
    ("Cropping2D", {"cropping": (1, 2, 3)}, (2, 9, 9, 5)),
    ("Cropping3D", {"cropping": 2}, (2, 3, 4, 5, 6)),
    ("Cropping3D", {"cropping": "x"}, (2, 3, 4, 5, 6)),
    ("Add", {}, (2, 3)),
    ("Add", {}, [(2, 3), (3, 3)]),
    ("Add", {}, [(2, 3), (2, 4)]),
    ("Concatenate", {}, (2, 3)),
    ("Concatenate", {}, [(2, 3, 4), (2, 4, 4)]),
    ("Concatenate", {}, [(2, 3, 4), (2, 4)]),
    ("Concatenate", {"axis": 3}, [(2, 3), (2, 3)]),
]
