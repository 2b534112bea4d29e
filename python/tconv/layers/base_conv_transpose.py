"""What the transposed convolution layers of all ranks have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tconv import ops
from tconv._convert import Array
from tconv.layers import arguments
from tconv.layers.base_conv import BaseConv
from tconv.layers.building import Shape, checked_shape
from tconv.layers.operations import Operation, TransposedConvolution


class ConvTranspose(BaseConv):
    """What the transposed convolution layers of all ranks have in common.

    `y = activation(conv_transpose(x, kernel) + bias)`, see `tconv.conv_transpose` for the arithmetic and
    `tconv.geometry` for output shapes. Input and output are `(batch, *spatial, channels)` for "channels_last" and
    `(batch, channels, *spatial)` for "channels_first", in `compute_dtype`; inputs of other dtypes are converted.

    The kernel, `(*kernel_size, filters // groups, channels)`, and the bias, `(filters,)`, are made on the first call.
    The layer keeps the kernel packed for the machine, and packs it again after any assignment.

    Source: the signature, names and shapes are Keras 3's and tf.keras 2.9's.
    """

    _strided_dilation_hint = ". Keras has no such layer; allow_strided_dilation=True permits it here"

    @arguments.either_order
    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: Any = "valid",
        output_padding: int | Sequence[int] | str | None = None,
        data_format: str | int | Sequence[int] | None = None,
        dilation_rate: int | Sequence[int] = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        groups: int = 1,
        allow_strided_dilation: bool = False,
        algorithm: str = "auto",
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        """Checks the arguments; the weights are made by `build` or the first call.

        Args:
            filters: channels of the output.
            kernel_size: taps, an integer or one per axis.
            strides: pixels, an integer or one per axis.
            padding: "valid", "same" (any case) or, beyond Keras, "same_lower" or the crop: pixels, an integer or per
                axis an integer or a (begin, end).
            output_padding: pixels added at the end, an integer or one per axis, below `strides`; None lets the padding
                decide the output shape.
            data_format: "channels_last" or "channels_first"; None for `tconv.config.image_data_format()` now. By
                position, it may change places with output_padding: a string is the data_format.
            dilation_rate: pixels, an integer or one per axis; above 1 only with strides of 1.
            activation: a name, a function of `tconv.activations` or any callable; None for linear.
            use_bias: whether a bias is added.
            kernel_initializer: a name, a config, a callable or an array; None for the default.
            bias_initializer: the same for the bias.
            kernel_regularizer: a penalty in `losses`: a name, a config or a callable.
            bias_regularizer: the same for the bias.
            activity_regularizer: the same for the output; divided by the batch size.
            kernel_constraint: a projection after an optimizer's step: a name, a config or a callable.
            bias_constraint: the same for the bias.
            groups: input channel block g feeds output channel block g; divides both.
            allow_strided_dilation: permits strides and dilation_rate above 1 together.
            algorithm: "auto", "direct" or "fast", how the output and the gradients are computed: see
                `tconv.conv_transpose`.
            trainable: whether training changes the weights.
            name: None for an automatic one.
            dtype: a name of a dtype or policy, see `Layer`.
            **kwargs: `input_shape`, `batch_input_shape` and `weights`, as for every layer.

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
            arguments.padding,
            allow_strided_dilation,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            trainable=trainable,
            name=name,
            dtype=dtype,
            **kwargs,
        )
        kind = type(self).__name__
        self.allow_strided_dilation = arguments.boolean(kind, "allow_strided_dilation", allow_strided_dilation)
        self.algorithm = arguments.algorithm(kind, algorithm)
        self.output_padding = (
            None if output_padding is None else arguments.per_axis(kind, "output_padding", output_padding, self.rank, 0)
        )
        for axis, (extra, stride) in enumerate(zip(self.output_padding or (), self.strides)):
            if extra >= stride:
                raise ValueError(
                    f"{kind}: `output_padding` must be strictly less than `strides` for all dimensions. At dimension "
                    f"{axis}, `output_padding` is {extra} but `strides` is {stride}. Received: "
                    f"output_padding={self.output_padding}, strides={self.strides}"
                )

    def _kernel_shape(self, channels: int) -> Shape:
        return (*self.kernel_size, self.filters // self.groups, channels)

    # ---- computing

    def _arguments(self) -> dict[str, Any]:
        return {
            "strides": self.strides,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
            "data_format": self.data_format,
        }

    def _operation(self, kernel: Array) -> Operation:
        return TransposedConvolution(kernel, self.activation, self._policy.compute, self._arguments(), self.algorithm)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the output for inputs of `input_shape`; extents of None stay None. No weights are needed.

        Raises:
            ValueError: the shape does not fit the layer.

        Example:
            >>> import tconv
            >>> tconv.layers.Conv2DTranspose(32, 2, 2).compute_output_shape((None, 10, None, 128))
            (None, 20, None, 32)
        """
        shape = checked_shape(self.name, input_shape)
        self._check_input(shape)
        return ops.conv_transpose_output_shape(shape, self.kernel_size, self.filters, **self._arguments())

    # ---- description

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with Keras' keys in Keras' order; what Keras has not, only where it is used."""
        config = {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            **self._kernel_config(),
        }
        if self.groups != 1:
            config["groups"] = self.groups
        if self.allow_strided_dilation:
            config["allow_strided_dilation"] = True
        if self.algorithm != "auto":
            config["algorithm"] = self.algorithm
        return config
