"""What convolution and transposed convolution layers of all ranks have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from tconv import _convert
from tconv._args import ShapeError
from tconv._convert import Array
from tconv.layers import arguments
from tconv.layers.building import Shape
from tconv.layers.input_spec import InputSpec
from tconv.layers.kernel_layer import KernelLayer


class BaseConv(KernelLayer):
    """A layer that moves a kernel over `rank` spatial axes."""

    rank: int
    """The number of spatial axes."""
    __signature__: ClassVar[inspect.Signature]

    def __init__(
        self,
        filters: Any,
        kernel_size: Any,
        strides: Any,
        padding: Any,
        data_format: Any,
        dilation_rate: Any,
        groups: Any,
        check_padding: Callable[[str, Any, int], Any],
        allow_strided_dilation: Any = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        kind, rank = type(self).__name__, self.rank
        self.filters = arguments.positive(kind, "filters", filters)
        self.groups = arguments.positive(kind, "groups", groups)
        self.kernel_size = arguments.per_axis(kind, "kernel_size", kernel_size, rank, 1)
        self.strides = arguments.per_axis(kind, "strides", strides, rank, 1)
        self.dilation_rate = arguments.per_axis(kind, "dilation_rate", dilation_rate, rank, 1)
        self.padding = check_padding(kind, padding, rank)
        self.data_format = arguments.data_format(kind, data_format)
        if self.filters % self.groups:
            received = f"groups={self.groups}, filters={self.filters}"
            raise ValueError(f"{kind}: `groups` must divide `filters`. Received: {received}")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1 and not allow_strided_dilation:
            raise ValueError(
                f"{kind}: `strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
                f"strides={self.strides} and dilation_rate={self.dilation_rate}{self._strided_dilation_hint}"
            )
        self.input_spec = InputSpec(rank + 2, rank + 2)

    _strided_dilation_hint = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            parameters = tuple(inspect.signature(cls.__init__).parameters.values())[1:]
            cls.__signature__ = inspect.Signature(parameters)
        elif "rank" in cls.__dict__:
            cls.__signature__ = inspect.Signature(parameters_of(cls, 1 if cls.rank == 1 else (1,) * cls.rank))

    def _kernel_shape(self, channels: int) -> Shape:
        raise NotImplementedError

    def build(self, input_shape: Any = None) -> None:
        """Makes the kernel and the bias for inputs of `input_shape`, `(batch, *spatial, channels)` or as the data
        format says; extents but the channels may be None. Building again keeps the weights.

        Args:
            input_shape: None for the shape given to the constructor.

        Raises:
            ValueError: the shape does not fit the layer.
            MemoryError: the kernel cannot be allocated.
        """
        self._check_input(input_shape)
        axis = self._channel_axis()
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(
                f"Layer '{self.name}': the channel dimension of the inputs must be defined. Shapes used to initialize "
                f"variables must be fully-defined (no `None` dimensions). Received: input_shape={input_shape}"
            )
        if channels % self.groups:
            raise ValueError(
                f"Layer '{self.name}': `groups` must divide the input channels. Received: groups={self.groups}, "
                f"input_shape={input_shape}"
            )
        self._add_weights(self._kernel_shape(channels), self.filters)
        self.input_spec = InputSpec(self.rank + 2, self.rank + 2, {axis: channels})

    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _check_input(self, shape: Shape) -> None:
        if self.input_spec is not None:
            spatial = "1 spatial axis" if self.rank == 1 else f"{self.rank} spatial axes"
            axes = f"channels, {spatial}" if self.data_format == "channels_first" else f"{spatial}, channels"
            self.input_spec.check(shape, self.name, f" ({self.data_format} is batch, {axes})")

    def convolution_op(self, inputs: Any, kernel: Any) -> Array:
        """The operation on `inputs` with any kernel of this layer's layout, without bias and activation.

        In tf.keras the transposed layers inherit a method of this name that computes the ordinary convolution; here it
        is each layer's own.

        Args:
            inputs: `(batch, *spatial, channels)`, or as the data format says.
            kernel: laid out as this layer's.

        Raises:
            TypeError, ValueError: the arrays do not fit.
        """
        array = _convert.to_array(self.name, "kernel", kernel)
        if array.ndim != self.rank + 2:
            raise ShapeError(f"Layer '{self.name}': kernel must have {self.rank + 2} axes, not {array.ndim}.")
        return self._operation(array).linear(self._converted(inputs), None)


def parameters_of(cls: type, once: Any) -> list[inspect.Parameter]:
    """The constructor's parameters; Keras' default of strides and dilation_rate has one entry per axis from two on."""
    parameters: Iterable[inspect.Parameter] = tuple(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    return [p.replace(default=once) if p.name in ("strides", "dilation_rate") else p for p in parameters]
