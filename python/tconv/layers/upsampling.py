"""Layers that enlarge without weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tconv import _args
from tconv._convert import Array
from tconv.layers import arguments
from tconv.layers.base import Layer
from tconv.layers.building import Shape, checked_shape
from tconv.layers.differentiation import Back
from tconv.layers.input_spec import InputSpec
from tconv.layers.interpolation import METHODS, enlarged, enlarged_adjoint, repeated, repeated_adjoint


class UpSampling(Layer):
    """Enlarges the spatial axes by whole factors.

    Args:
        size: the factors, an integer or one per axis.
        data_format: "channels_last" or "channels_first"; None for `tconv.config.image_data_format()` now.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: an argument is not valid.
    """

    rank: int
    size: Any
    interpolation = "nearest"

    def __init__(self, size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.size = arguments.per_axis(kind, "size", size, self.rank, 1)
        self.data_format = arguments.data_format(kind, data_format)
        self.input_spec = InputSpec(self.rank + 2, self.rank + 2)

    def _sublayers(self) -> Iterator[Layer]:
        return iter(())

    def _factors(self) -> dict[int, int]:
        """The factor of each spatial axis."""
        first = 2 if self.data_format == "channels_first" else 1
        sizes = self.size if isinstance(self.size, tuple) else (self.size,)
        return {first + axis: factor for axis, factor in enumerate(sizes)}

    def call(self, inputs: Array) -> Array:
        """`inputs`, larger."""
        if self.interpolation == "nearest":
            return repeated(inputs, self._factors())
        outputs = inputs.astype(np.float32) if inputs.dtype.itemsize == 2 else inputs
        for axis, factor in self._factors().items():
            outputs = enlarged(outputs, axis, factor, self.interpolation)
        return outputs.astype(inputs.dtype, copy=False)

    def call_vjp(self, inputs: Array, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The output and its pullback."""
        factors, method = self._factors(), self.interpolation

        def pullback(dy: Array) -> tuple[Array, tuple[()]]:
            dx = dy.astype(np.float32) if dy.dtype.itemsize == 2 else dy
            if method == "nearest":
                dx = repeated_adjoint(dx, factors)
            else:
                for axis, factor in reversed(factors.items()):
                    dx = enlarged_adjoint(dx, axis, factor, method)
            return dx.astype(dy.dtype, copy=False), ()

        return self.call(inputs), pullback

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """`input_shape` with its spatial extents multiplied; None stays None."""
        shape = checked_shape(self.name, input_shape)
        self._check_input(shape)
        factors = self._factors()
        return tuple(None if extent is None else extent * factors.get(axis, 1) for axis, extent in enumerate(shape))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "size": self.size, "data_format": self.data_format}


class UpSampling1D(UpSampling):
    """Repeats the steps of `(batch, steps, channels)`.

    Args:
        size: how often, an integer.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        TypeError: the size is not an integer.
        ValueError: it is not positive.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.UpSampling1D(2)(np.array([1.0, 2.0]).reshape(1, 2, 1)).ravel().tolist()
        [1.0, 1.0, 2.0, 2.0]
    """

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        if not isinstance(size, (int, np.integer)) or isinstance(size, bool):
            raise TypeError(f"{type(self).__name__}: Expected an integer value for `size`, got {type(size).__name__}.")
        super().__init__(size, "channels_last", **kwargs)
        (self.size,) = self.size

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        del config["data_format"]
        return config


class UpSampling2D(UpSampling):
    """Enlarges images by whole factors.

    Args:
        size: the factors, an integer or one per axis.
        data_format: "channels_last" or "channels_first"; None for `tconv.config.image_data_format()` now.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: an argument is not valid.

    Example:
        >>> import numpy as np, tconv
        >>> x = np.array([0.0, 4.0]).reshape(1, 1, 2, 1)
        >>> tconv.layers.UpSampling2D((1, 2), interpolation="bilinear")(x).ravel().tolist()
        [0.0, 1.0, 3.0, 4.0]
    """

    rank = 2

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(size, data_format, **kwargs)
        method = _args.lowered(interpolation)
        if method not in METHODS:
            raise ValueError(
                f"{type(self).__name__}: `interpolation` must be one of {', '.join(map(repr, METHODS))}. Received: "
                f"interpolation={_args.show(interpolation)}"
            )
        self.interpolation = method

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "interpolation": self.interpolation}


class UpSampling3D(UpSampling):
    """Repeats the pixels of volumes. See UpSampling for the arguments.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.UpSampling3D((1, 2, 3))(np.zeros((1, 4, 5, 6, 3))).shape
        (1, 4, 10, 18, 3)
    """

    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(size, data_format, **kwargs)
