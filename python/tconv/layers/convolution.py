"""Convolution layers, computed by the core of the transposed ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tconv._convert import Array
from tconv.layers import arguments
from tconv.layers.base_conv import BaseConv
from tconv.layers.building import Shape, checked_shape
from tconv.layers.operations import Convolution, Operation, output_extents


class Conv(BaseConv):
    """What the convolution layers of all ranks have in common.

    `y[o] = activation(bias + sum of x[o*stride + k*dilation - pad] @ kernel[k])`, the kernel not flipped. Input and
    output are `(batch, *spatial, channels)` for "channels_last" and `(batch, channels, *spatial)` for
    "channels_first", in `compute_dtype`; inputs of other dtypes are converted.

    The kernel, `(*kernel_size, channels // groups, filters)`, and the bias, `(filters,)`, are made on the first call.
    With strides of 1 the layer keeps the kernel packed for the machine, and packs it again after any assignment.

    Source: the signature, names and shapes are Keras 3's.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        """Checks the arguments; the weights are made by `build` or the first call.

        Args:
            filters: channels of the output.
            kernel_size: taps, an integer or one per axis.
            strides: pixels, an integer or one per axis.
            padding: "valid", "same" (any case) or, for one axis, "causal": zeros at the begin only.
            data_format: "channels_last" or "channels_first"; None for `tconv.config.image_data_format()` now.
            dilation_rate: pixels, an integer or one per axis; above 1 only with strides of 1.
            groups: input channel block g feeds output channel block g; divides both.
            activation: a name, a function of `tconv.activations` or any callable; None for linear.
            use_bias: whether a bias is added.
            kernel_initializer: a name, a config, a callable or an array; None for the default.
            bias_initializer: the same for the bias.
            kernel_regularizer: a penalty in `losses`: a name, a config or a callable.
            bias_regularizer: the same for the bias.
            activity_regularizer: the same for the output; divided by the batch size.
            kernel_constraint: a projection after an optimizer's step: a name, a config or a callable.
            bias_constraint: the same for the bias.
            **kwargs: `trainable`, `name`, `dtype`, `input_shape` and `weights`, as for every layer.

        Raises:
            ValueError: an argument is not valid, or not known.
        """
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            groups,
            arguments.convolution_padding,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )

    def _kernel_shape(self, channels: int) -> Shape:
        return (*self.kernel_size, channels // self.groups, self.filters)

    def _arguments(self) -> dict[str, Any]:
        return {
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
            "data_format": self.data_format,
        }

    def _operation(self, kernel: Array) -> Operation:
        return Convolution(kernel, self.activation, self._policy.compute, **self._arguments())

    def _check_input(self, shape: Shape) -> None:
        super()._check_input(shape)
        self._extents(shape)

    def _extents(self, shape: Shape) -> list[Any]:
        """The output's spatial extents; at least one pixel on each axis."""
        spatial = shape[1:-1] if self.data_format == "channels_last" else shape[2:]
        extents = output_extents(spatial, self.kernel_size, self.strides, self.dilation_rate, self.padding)
        if any(extent is not None and extent <= 0 for extent in extents):
            raise ValueError(
                f"Layer '{self.name}': the computed output size would be zero or negative. Received: input "
                f"shape={shape}, kernel_size={self.kernel_size}, dilation_rate={self.dilation_rate}, "
                f"strides={self.strides}, padding={self.padding!r}."
            )
        return extents

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the output for inputs of `input_shape`; extents of None stay None. No weights are needed.

        Raises:
            ValueError: the shape does not fit the layer, or there would be no output.

        Example:
            >>> import tconv
            >>> tconv.layers.Conv2D(32, 3, 2, "same").compute_output_shape((None, 9, None, 128))
            (None, 5, None, 32)
        """
        shape = checked_shape(self.name, input_shape)
        self._check_input(shape)
        spatial = self._extents(shape)
        if self.data_format == "channels_last":
            return (shape[0], *spatial, self.filters)
        return (shape[0], self.filters, *spatial)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with Keras' keys in Keras' order."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
            **self._kernel_config(),
        }


class Conv1D(Conv):
    """Convolution over one axis, e.g. time: `(batch, steps, channels)`. See Conv for the arguments.

    Example:
        >>> import numpy as np, tconv
        >>> layer = tconv.layers.Conv1D(16, 3, padding="causal", activation="relu")
        >>> layer(np.zeros((1, 50, 8))).shape, layer.kernel.shape
        ((1, 50, 16), (3, 8, 16))
    """

    rank = 1


class Conv2D(Conv):
    """Convolution over two axes, e.g. images: `(batch, rows, columns, channels)`. See Conv for the arguments.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.Conv2D(32, 3, strides=2, padding="same")(np.zeros((4, 10, 9, 3))).shape
        (4, 5, 5, 32)
    """

    rank = 2


class Conv3D(Conv):
    """Convolution over three axes, e.g. volumes: `(batch, depth, rows, columns, channels)`. See Conv for the arguments.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.Conv3D(4, 2)(np.zeros((1, 5, 6, 7, 3))).shape
        (1, 4, 5, 6, 4)
    """

    rank = 3
