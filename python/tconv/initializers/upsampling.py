"""Initializers for layers that enlarge: transposed convolutions that start without a checkerboard. Keras has none."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tconv import _args
from tconv._convert import Array
from tconv._registry import Objects
from tconv.initializers.base import Initializer, Shape, checked_dtype, checked_shape

__all__ = ["ICNR", "Bilinear"]


class Bilinear(Initializer):
    """Interpolation between neighbours along every axis (bilinear in 2D), each channel by itself.

    With kernel_size = 2 * strides - strides % 2 a transposed convolution with padding "same" then enlarges by its
    strides exactly as linear interpolation does, but for the pixels next to the border.

    Input channel c feeds filter c modulo the filters of its group: channel by channel if there are as many filters as
    channels, with any number of groups.

    Args:
        gain: the factor; 1 keeps constant images as they are.

    Raises:
        ValueError: on call, if the shape, (*kernel_size, filters // groups, channels), has fewer than three axes or
            the channels are not a multiple of the filters.

    Source: Long, Shelhamer and Darrell (2015), Fully convolutional networks, arXiv:1411.4038, section 3.3.

    Example:
        >>> import tconv
        >>> layer = tconv.layers.Conv1DTranspose(1, 4, 2, "same", kernel_initializer="bilinear")
        >>> layer(np.float32([0, 4, 8, 12]).reshape(1, 4, 1)).ravel().tolist()
        [0.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 9.0]
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = _args.number("Bilinear", "gain", gain)

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        shape = checked_shape(shape)
        *taps, filters, channels = _kernel("Bilinear", shape)
        if filters and channels % filters:
            raise ValueError(
                f"Bilinear: the channels must be a multiple of the filters of a group, each interpolated by itself. "
                f"Received: shape={shape}."
            )
        weights = functools.reduce(np.multiply.outer, [_triangle(extent) for extent in taps])
        pairs = np.arange(channels) % max(1, filters) == np.arange(filters)[:, None]
        return np.asarray(self.gain * np.multiply.outer(weights, pairs)).astype(checked_dtype(dtype))


class ICNR(Initializer):
    """Another initializer's values, each repeated over a stride, so that a layer starts as nearest neighbour resizing.

    All the pixels that a transposed convolution makes of one input pixel then have the same weights: the result is an
    ordinary convolution whose pixels are enlarged to boxes, without a checkerboard.

    Args:
        initializer: draws the convolution's kernel, (*(kernel_size // strides), filters, channels): an initializer, a
            name or a config.
        strides: the layer's strides, an integer or one per axis.

    Raises:
        ValueError: an argument is not valid; on call, if the strides do not divide the kernel size.

    Source: Aitken et al. (2017), Checkerboard artifact free sub-pixel convolution, arXiv:1707.02937, for sub-pixel
    convolutions; Shi et al. (2016), arXiv:1609.07009, say why a transposed convolution is one.

    Example:
        >>> import tconv
        >>> layer = tconv.layers.Conv1DTranspose(
        ...     1, 4, 2, kernel_initializer=ICNR("ones", strides=2))
        >>> layer(np.float32([1, 2, 3]).reshape(1, 3, 1)).ravel().tolist()
        [1.0, 1.0, 3.0, 3.0, 5.0, 5.0, 3.0, 3.0]
    """

    def __init__(self, initializer: Any = "glorot_uniform", strides: int | Sequence[int] = 2) -> None:
        from tconv.initializers import get  # the family, which lists this class too

        self.initializer: Any = get("glorot_uniform" if initializer is None else initializer)
        self.strides: int | tuple[int, ...]
        if isinstance(strides, (tuple, list, np.ndarray)):
            self.strides = tuple(_args.integer("ICNR", "strides", entry, least=1) for entry in strides)
        else:
            self.strides = _args.integer("ICNR", "strides", strides, least=1)

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        shape = checked_shape(shape)
        taps = _kernel("ICNR", shape)[:-2]
        strides = self.strides if isinstance(self.strides, tuple) else (self.strides,) * len(taps)
        if len(strides) != len(taps) or any(extent % stride for extent, stride in zip(taps, strides, strict=False)):
            raise ValueError(f"ICNR: strides={self.strides} must divide the kernel size. Received: shape={shape}.")
        small = (*(extent // stride for extent, stride in zip(taps, strides, strict=True)), *shape[-2:])
        values = np.asarray(self.initializer(small, dtype=dtype))
        if values.shape != small:
            raise ValueError(f"ICNR: {self.initializer!r} gave the shape {values.shape} for {small}.")
        for axis, stride in enumerate(strides):
            values = values.repeat(stride, axis)
        return values.astype(checked_dtype(dtype), copy=False)

    def get_config(self) -> dict[str, Any]:
        """The arguments, the initializer as its config."""
        from tconv.initializers import serialize

        return {"initializer": serialize(self.initializer), "strides": self.strides}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Objects | None = None) -> ICNR:
        """The initializer that `get_config` described.

        Raises:
            ValueError: the config has keys that are not known, or names an initializer that is not.
        """
        from tconv.initializers import deserialize

        config = dict(config)
        if isinstance(config.get("initializer"), (str, Mapping)):
            config["initializer"] = deserialize(config["initializer"], custom_objects)
        return super().from_config(config)


def _kernel(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) < 3:
        raise ValueError(f"{name}: a kernel has the shape (*kernel_size, filters, channels). Received: shape={shape}.")
    return shape


def _triangle(extent: int) -> Array:
    """Weights of linear interpolation by the factor (extent + 1) // 2."""
    factor = max(1, (extent + 1) // 2)
    return np.asarray(1 - np.abs(np.arange(extent) - (extent - 1) / 2) / factor)
