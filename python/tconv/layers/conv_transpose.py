"""Transposed convolution layers: ConvTranspose with a rank."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from tconv._args import MAX_RANK
from tconv.layers import arguments
from tconv.layers.base_conv import parameters_of
from tconv.layers.base_conv_transpose import ConvTranspose


class Conv1DTranspose(ConvTranspose):
    """Transposed convolution over one axis, e.g. time: `(batch, steps, channels)`. See ConvTranspose for the arguments.

    Example:
        >>> import numpy as np, tconv
        >>> layer = tconv.layers.Conv1DTranspose(16, 4, strides=2, padding="same")
        >>> layer(np.zeros((1, 50, 8))).shape
        (1, 100, 16)
    """

    rank = 1


class Conv2DTranspose(ConvTranspose):
    """Transposed convolution over two axes, e.g. images: `(batch, rows, columns, channels)`. See ConvTranspose for the
    arguments.

    Example:
        >>> import numpy as np, tconv
        >>> layer = tconv.layers.Conv2DTranspose(32, 2, 2, activation="relu")
        >>> layer(np.random.default_rng(0).random((4, 10, 8, 128))).shape
        (4, 20, 16, 32)
        >>> layer.kernel.shape, layer.bias.shape, layer.count_params()
        ((2, 2, 32, 128), (32,), 16416)
    """

    rank = 2


class Conv3DTranspose(ConvTranspose):
    """Transposed convolution over three axes, e.g. volumes: `(batch, depth, rows, columns, channels)`. See
    ConvTranspose for the arguments.

    Example:
        >>> import numpy as np, tconv
        >>> layer = tconv.layers.Conv3DTranspose(32, 2, 2, activation="relu")
        >>> layer(np.random.default_rng(0).random((4, 10, 8, 12, 128))).shape
        (4, 20, 16, 24, 32)
    """

    rank = 3


class ConvNDTranspose(ConvTranspose):
    """Transposed convolution over `rank` axes, any number from 1 on. See ConvTranspose for the other arguments.

    Example:
        >>> import numpy as np, tconv
        >>> layer = tconv.layers.ConvNDTranspose(4, 2, 3, padding="same")
        >>> layer(np.zeros((1, 2, 3, 4, 5, 1))).shape
        (1, 2, 3, 4, 5, 2)
    """

    def __init__(self, rank: int, filters: int, kernel_size: int | Sequence[int], *args: Any, **kwargs: Any) -> None:
        """Takes `rank`, then what ConvTranspose takes."""
        self.rank = arguments.positive(type(self).__name__, "rank", rank)
        if self.rank > MAX_RANK:
            raise ValueError(f"{type(self).__name__}: `rank` must be at most {MAX_RANK}. Received: rank={rank}")
        super().__init__(filters, kernel_size, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "rank": self.rank}


_RANK = inspect.Parameter("rank", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="int")
ConvNDTranspose.__signature__ = inspect.Signature([_RANK, *parameters_of(ConvTranspose, 1)])
