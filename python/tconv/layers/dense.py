"""Dense: a matrix product over the last axis."""

from __future__ import annotations

from typing import Any

from tconv._convert import Array
from tconv.layers import arguments
from tconv.layers.building import Shape, checked_shape
from tconv.layers.input_spec import InputSpec
from tconv.layers.kernel_layer import KernelLayer
from tconv.layers.operations import Operation, Product


class Dense(KernelLayer):
    """`activation(x @ kernel + bias)` over the last axis of an input of at least two.

    The kernel, `(channels, units)`, and the bias, `(units,)`, are made on the first call.

    Source: the signature, names and shapes are Keras 3's.

    Example:
        >>> import numpy as np, tconv
        >>> layer = tconv.layers.Dense(7 * 7 * 64, activation="relu")
        >>> layer(np.zeros((5, 100))).shape, layer.kernel.shape
        ((5, 3136), (100, 3136))
    """

    def __init__(
        self,
        units: int,
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
        quantization_config: None = None,
        **kwargs: Any,
    ) -> None:
        """Checks the arguments; the weights are made by `build` or the first call.

        Args:
            units: extent of the output's last axis.
            activation: a name, a function of `tconv.activations` or any callable; None for linear.
            use_bias: whether a bias is added.
            kernel_initializer: a name, a config, a callable or an array; None for the default.
            bias_initializer: the same for the bias.
            kernel_regularizer: a penalty in `losses`: a name, a config or a callable.
            bias_regularizer: the same for the bias.
            activity_regularizer: the same for the output; divided by the batch size.
            kernel_constraint: a projection after an optimizer's step: a name, a config or a callable.
            bias_constraint: the same for the bias.
            quantization_config: must be None; read from Keras' configs.
            **kwargs: `trainable`, `name`, `dtype`, `input_shape` and `weights`, as for every layer.

        Raises:
            ValueError: an argument is not valid, or not known.
        """
        super().__init__(
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
        kind = type(self).__name__
        if quantization_config is not None:
            raise ValueError(f"{kind}: `quantization_config` must be None: weights are not quantized here.")
        self.quantization_config = None
        self.units = arguments.positive(kind, "units", units)
        self.input_spec = InputSpec(2)

    def build(self, input_shape: Any = None) -> None:
        """Makes the kernel and the bias for inputs of `input_shape`, whose last extent must be known."""
        self._check_input(input_shape)
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(
                f"Layer '{self.name}': the last dimension of the inputs must be defined. Shapes used to initialize "
                f"variables must be fully-defined (no `None` dimensions). Received: input_shape={input_shape}"
            )
        self._add_weights((channels, self.units), self.units)
        self.input_spec = InputSpec(2, axes={-1: channels})

    def _operation(self, kernel: Array) -> Operation:
        return Product(kernel, self.activation, self._policy.compute)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """`input_shape` with `units` in the place of the last extent.

        Raises:
            ValueError: the shape does not fit the layer.
        """
        shape = checked_shape(self.name, input_shape)
        self._check_input(shape)
        return (*shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with Keras' keys in Keras' order."""
        kernel = self._kernel_config()
        del kernel["activity_regularizer"]  # which is among those of all layers, if there is one
        return {**super().get_config(), "units": self.units, **kernel, "quantization_config": None}
