"""Keras' layers: transposed convolutions of any rank, and the few others that a decoder is made of."""

from __future__ import annotations

from typing import Any

from tconv._registry import Family, Objects
from tconv.layers.activation import Activation, LeakyReLU, ReLU
from tconv.layers.base import Layer
from tconv.layers.base_conv_transpose import ConvTranspose
from tconv.layers.conv_transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, ConvNDTranspose
from tconv.layers.convolution import Conv1D, Conv2D, Conv3D
from tconv.layers.dense import Dense
from tconv.layers.differentiation import Pullback
from tconv.layers.dropout import Dropout
from tconv.layers.dtype_policy import DTypePolicy
from tconv.layers.input_layer import Input, InputLayer
from tconv.layers.input_spec import InputSpec
from tconv.layers.merging import Add, Concatenate, add, concatenate
from tconv.layers.normalization import BatchNormalization
from tconv.layers.padding import Cropping1D, Cropping2D, Cropping3D, ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from tconv.layers.reshaping import Flatten, Reshape
from tconv.layers.symbolic import SymbolicTensor
from tconv.layers.upsampling import UpSampling1D, UpSampling2D, UpSampling3D

__all__ = [
    "Activation",
    "Add",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvNDTranspose",
    "ConvTranspose",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "DTypePolicy",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "InputSpec",
    "Layer",
    "LeakyReLU",
    "Pullback",
    "ReLU",
    "Reshape",
    "SymbolicTensor",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "concatenate",
    "deserialize",
    "serialize",
]

Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose

MEMBERS: tuple[type[Layer], ...] = (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    ConvNDTranspose,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Dense,
    Dropout,
    Flatten,
    InputLayer,
    LeakyReLU,
    ReLU,
    Reshape,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
ALIASES: dict[str, type[Layer]] = {
    "Convolution1D": Conv1D,
    "Convolution2D": Conv2D,
    "Convolution3D": Conv3D,
    "Convolution1DTranspose": Conv1DTranspose,
    "Convolution2DTranspose": Conv2DTranspose,
    "Convolution3DTranspose": Conv3DTranspose,
}
MODULES: dict[str, str] = {"ConvNDTranspose": "tconv.layers"}  # Keras has none

_FAMILY: Family[Layer] = Family("layer", "keras.layers", MEMBERS, ALIASES, MODULES)


def serialize(layer: Layer) -> dict[str, Any]:
    """Keras 3's config of a layer: its class, its arguments and, once built, the shape it was built for.

    Example:
        >>> import tconv
        >>> config = tconv.layers.serialize(tconv.layers.Conv2DTranspose(8, 3, name="up"))
        >>> config["module"], config["class_name"], config["config"]["name"]
        ('keras.layers', 'Conv2DTranspose', 'up')
    """
    written: dict[str, Any] = _FAMILY.serialize(layer)
    return written


def deserialize(config: Any, custom_objects: Objects | None = None) -> Layer:
    """The layer of a config of tconv, Keras 3 or tf.keras; built with new weights if the config says for what shape.

    Args:
        config: a dictionary with "class_name" and "config".
        custom_objects: classes and functions of your own, by the name the config gives them.

    Raises:
        ValueError: the config is not one, or names something that is not known.

    Example:
        >>> import tconv
        >>> layer = tconv.layers.Conv2DTranspose(8, 3, strides=2, name="up")
        >>> tconv.layers.deserialize(tconv.layers.serialize(layer))
        Conv2DTranspose(filters=8, kernel_size=(3, 3), strides=(2, 2), name='up')
    """
    layer = _FAMILY.deserialize(config, custom_objects)
    if not isinstance(layer, Layer):
        raise ValueError(f"Could not interpret layer identifier: {str(config)[:200]}. It is no layer's config.")
    return layer
