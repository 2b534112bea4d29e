"""R keras3's composing form of the transposed convolution layers."""

from __future__ import annotations

from typing import Any

from tconv.layers import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, Layer
from tconv.models import Sequential


def layer_conv_1d_transpose(
    object: Any,
    filters: int,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
    **kwargs: Any,
) -> Any:
    """A Conv1DTranspose, or what it makes of `object`.

    Args:
        object: None for the layer itself; an array for the output of a new layer on it; a Sequential to which the layer
            is added.
        filters: as for the layer.
        kernel_size: as for the layer.
        strides: as for the layer.
        padding: as for the layer.
        data_format: as for the layer.
        dilation_rate: as for the layer.
        **kwargs: the layer's other arguments, by name.

    Returns:
        The layer, an array, or the Sequential.

    Raises:
        ValueError: an argument is not valid.
        TypeError: `object` is none of these.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layer_conv_1d_transpose(np.zeros((4, 10, 8)), 32, 2, 2).shape
        (4, 20, 32)
    """
    given = {"data_format": data_format, "dilation_rate": dilation_rate, **kwargs}
    return _composed(object, Conv1DTranspose(filters, kernel_size, strides, padding, **given))


def layer_conv_2d_transpose(
    object: Any,
    filters: int,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
    **kwargs: Any,
) -> Any:
    """A Conv2DTranspose, or what it makes of `object`; see layer_conv_1d_transpose.

    Example:
        >>> import numpy as np, tconv
        >>> x = np.random.default_rng(0).random((4, 10, 8, 128))
        >>> tconv.layer_conv_2d_transpose(x, 32, 2, 2, activation='relu').shape
        (4, 20, 16, 32)
        >>> model = tconv.layer_conv_2d_transpose(tconv.Sequential(), 32, 2, 2)
        >>> len(model.layers)
        1
    """
    given = {"data_format": data_format, "dilation_rate": dilation_rate, **kwargs}
    return _composed(object, Conv2DTranspose(filters, kernel_size, strides, padding, **given))


def layer_conv_3d_transpose(
    object: Any,
    filters: int,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
    **kwargs: Any,
) -> Any:
    """A Conv3DTranspose, or what it makes of `object`; see layer_conv_1d_transpose.

    Example:
        >>> import tconv
        >>> tconv.layer_conv_3d_transpose(None, 32, 2, 2, name="up")
        Conv3DTranspose(filters=32, kernel_size=(2, 2, 2), strides=(2, 2, 2), name='up')
    """
    given = {"data_format": data_format, "dilation_rate": dilation_rate, **kwargs}
    return _composed(object, Conv3DTranspose(filters, kernel_size, strides, padding, **given))


def _composed(object: Any, layer: Layer) -> Any:
    if object is None:
        return layer
    if isinstance(object, Sequential):
        object.add(layer)
        return object
    if isinstance(object, (Layer, str, bytes, type)):
        raise TypeError(f"object must be None, an array or a Sequential, not {type(object).__name__}.")
    return layer(object)
