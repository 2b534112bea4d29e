"""What the transposed convolution layers of all ranks have in common."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from tconv import activations, config, constraints, initializers, ops, regularizers
from tconv._convert import Array
from tconv._registry import Objects
from tconv.initializers import Initializer
from tconv.layers import arguments
from tconv.layers.base import Layer
from tconv.layers.building import Shape, calls, checked_shape
from tconv.layers.input_spec import InputSpec
from tconv.variable import Variable


class _Packed(NamedTuple):
    """A plan, and what it was made from."""

    key: tuple[Any, ...]
    plan: ops.Plan


class _Quick(NamedTuple):
    """All that a call needs while nothing has changed since the one before."""

    state: object
    versions: tuple[int, int]
    threads: int
    bias: Array | None
    run: Callable[[Array, Array | None, None], Any]


class ConvTranspose(Layer):
    """What the transposed convolution layers of all ranks have in common.

    `y = activation(conv_transpose(x, kernel) + bias)`, see `tconv.conv_transpose` for the arithmetic and
    `tconv.geometry` for output shapes. Input and output are `(batch, *spatial, channels)` for "channels_last" and
    `(batch, channels, *spatial)` for "channels_first", in `compute_dtype`; inputs of other dtypes are converted.

    The kernel, `(*kernel_size, filters // groups, channels)`, and the bias, `(filters,)`, are made on the first call.
    The layer keeps the kernel packed for the machine, and packs it again after any assignment.

    Source: the signature, names and shapes are Keras 3's and tf.keras 2.9's.
    """

    rank: int
    """The number of spatial axes."""
    __signature__: ClassVar[inspect.Signature]
    _transient = (*Layer._transient, "_packed", "_quick", "_state")

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
            trainable: whether training changes the weights.
            name: None for an automatic one.
            dtype: a name of a dtype or policy, see `Layer`.
            **kwargs: `input_shape`, `batch_input_shape` and `weights`, as for every layer.

        Raises:
            ValueError: an argument is not valid, or not known.
        """
        super().__init__(
            activity_regularizer=activity_regularizer, trainable=trainable, dtype=dtype, name=name, **kwargs
        )
        kind, rank = type(self).__name__, self.rank
        self.filters = arguments.positive(kind, "filters", filters)
        self.groups = arguments.positive(kind, "groups", groups)
        self.kernel_size = arguments.per_axis(kind, "kernel_size", kernel_size, rank, 1)
        self.strides = arguments.per_axis(kind, "strides", strides, rank, 1)
        self.dilation_rate = arguments.per_axis(kind, "dilation_rate", dilation_rate, rank, 1)
        self.padding = arguments.padding(kind, padding, rank)
        self.output_padding = (
            None if output_padding is None else arguments.per_axis(kind, "output_padding", output_padding, rank, 0)
        )
        self.data_format = arguments.data_format(kind, data_format)
        named = functools.partial(arguments.named, kind)
        self.activation = named("activation", activations.get, activation)
        self.use_bias = arguments.boolean(kind, "use_bias", use_bias)
        self.allow_strided_dilation = arguments.boolean(kind, "allow_strided_dilation", allow_strided_dilation)
        kernel_initializer = "glorot_uniform" if kernel_initializer is None else kernel_initializer
        bias_initializer = "zeros" if bias_initializer is None else bias_initializer
        self.kernel_initializer = named("kernel_initializer", initializers.get, kernel_initializer)
        self.bias_initializer = named("bias_initializer", initializers.get, bias_initializer)
        self.kernel_regularizer = named("kernel_regularizer", regularizers.get, kernel_regularizer)
        self.bias_regularizer = named("bias_regularizer", regularizers.get, bias_regularizer)
        self.kernel_constraint = named("kernel_constraint", constraints.get, kernel_constraint)
        self.bias_constraint = named("bias_constraint", constraints.get, bias_constraint)
        self._check_together(kind)
        self.input_spec = InputSpec(rank + 2, rank + 2)
        self._kernel: Variable | None = None
        self._bias: Variable | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            parameters = tuple(inspect.signature(cls.__init__).parameters.values())[1:]
            cls.__signature__ = inspect.Signature(parameters)
        elif "rank" in cls.__dict__:
            cls.__signature__ = inspect.Signature(signature_parameters(1 if cls.rank == 1 else (1,) * cls.rank))

    def _renew(self) -> None:
        super()._renew()
        self._packed: _Packed | None = None
        self._quick: _Quick | None = None
        self._state: object = object()

    def _check_together(self, kind: str) -> None:
        if self.filters % self.groups:
            received = f"groups={self.groups}, filters={self.filters}"
            raise ValueError(f"{kind}: `groups` must divide `filters`. Received: {received}")
        for axis, (extra, stride) in enumerate(zip(self.output_padding or (), self.strides)):
            if extra >= stride:
                raise ValueError(
                    f"{kind}: `output_padding` must be strictly less than `strides` for all dimensions. At dimension "
                    f"{axis}, `output_padding` is {extra} but `strides` is {stride}. Received: "
                    f"output_padding={self.output_padding}, strides={self.strides}"
                )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1 and not self.allow_strided_dilation:
            raise ValueError(
                f"{kind}: `strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
                f"strides={self.strides} and dilation_rate={self.dilation_rate}. Keras has no such layer; "
                "allow_strided_dilation=True permits it here"
            )

    # ---- weights

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
        axis = -1 if self.data_format == "channels_last" else 1
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
        kernel = self.add_weight(
            (*self.kernel_size, self.filters // self.groups, channels),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self._bias = self.add_weight(
                (self.filters,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self._kernel = kernel
        self.input_spec = InputSpec(self.rank + 2, self.rank + 2, {axis: channels})

    @property
    def kernel(self) -> Variable:
        """The kernel, `(*kernel_size, filters // groups, channels)`. Setting it assigns to it.

        Raises:
            AttributeError: the layer is not built.
        """
        if self._kernel is None:
            raise AttributeError(f"Layer '{self.name}' has no kernel before it is built.")
        return self._kernel

    @kernel.setter
    def kernel(self, value: Any) -> None:
        self.kernel.assign(value)

    @property
    def bias(self) -> Variable | None:
        """The bias, `(filters,)`; None without one. Setting it assigns to it.

        Raises:
            AttributeError: the layer is not built; on setting, also if it has no bias.
        """
        if not self.use_bias:
            return None
        if self._bias is None:
            raise AttributeError(f"Layer '{self.name}' has no bias before it is built.")
        return self._bias

    @bias.setter
    def bias(self, value: Any) -> None:
        if self.bias is None:
            raise AttributeError(f"Layer '{self.name}' has no bias (use_bias=False).")
        self.bias.assign(value)

    def _sublayers(self) -> Iterator[Layer]:
        return iter(())

    # ---- computing

    def _geometry(self) -> dict[str, Any]:
        return {
            "strides": self.strides,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
            "data_format": self.data_format,
        }

    def _check_input(self, shape: Shape) -> None:
        if self.input_spec is not None:
            spatial = "1 spatial axis" if self.rank == 1 else f"{self.rank} spatial axes"
            axes = f"channels, {spatial}" if self.data_format == "channels_first" else f"{spatial}, channels"
            self.input_spec.check(shape, self.name, f" ({self.data_format} is batch, {axes})")

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The layer's output for `inputs`, as Layer says."""
        quick = self._quick
        if quick is not None and quick.state is self._state and not args and not kwargs:
            kernel, bias = self._kernel, self._bias
            versions = (0 if kernel is None else kernel.version, 0 if bias is None else bias.version)
            if (versions, config.threads_setting()) == quick[1:3] and type(inputs) is np.ndarray:
                outputs = quick.run(inputs, quick.bias, None)
                if outputs is not None:
                    if self._losses.values and not calls.layers:
                        self._clear_losses()
                    return outputs
        return super().__call__(inputs, *args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        super().__setattr__("_state", object())  # whatever it was, the next call looks at everything again

    def call(self, inputs: Array) -> Array:
        """The layer's output for `inputs`, an array of `compute_dtype`."""
        state = self._state
        plan, bias, versions = self._ready()
        outputs = plan(inputs, bias)
        last = plan.last_run(inputs.shape)
        if last is not None and self.activity_regularizer is None and type(self).call is ConvTranspose.call:
            super().__setattr__("_quick", _Quick(state, versions, last[0], bias, last[1]))
        return outputs

    def _ready(self) -> tuple[ops.Plan, Array | None, tuple[int, int]]:
        """The plan of the present kernel, the present bias and their versions: never of two different `set_weights`."""
        geometry = self._geometry()
        with self._lock:
            kernel, version = self.kernel.snapshot()
            bias, bias_version = (None, 0) if self.bias is None else self.bias.snapshot()
            bias = None if bias is None else bias.astype(self._policy.compute, copy=False)
            key = (version, self.activation, self._policy.compute, *geometry.values())
            packed = self._packed
            if packed is None or packed.key != key:
                plan = ops.Plan(kernel, activation=self.activation, dtype=self._policy.compute, **geometry)
                packed = _Packed(key, plan)
                super().__setattr__("_packed", packed)
        return packed.plan, bias, (version, bias_version)

    def convolution_op(self, inputs: Any, kernel: Any) -> Array:
        """The transposed convolution of `inputs` with any kernel of this layer's layout, without bias and activation.

        In tf.keras the inherited method of this name computes the ordinary convolution; here it is this layer's own.

        Args:
            inputs: `(batch, *spatial, channels)`, or as the data format says.
            kernel: `(*kernel_size, filters // groups, channels)`.

        Raises:
            TypeError, ValueError: as `tconv.conv_transpose`.
        """
        return ops.Plan(kernel, dtype=self._policy.compute, **self._geometry())(self._converted(inputs))

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
        return ops.conv_transpose_output_shape(shape, self.kernel_size, self.filters, **self._geometry())

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
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }
        if self.groups != 1:
            config["groups"] = self.groups
        if self.allow_strided_dilation:
            config["allow_strided_dilation"] = True
        return config

    @classmethod
    def _deserialized(cls, config: dict[str, Any], custom_objects: Objects | None) -> dict[str, Any]:
        for key, value in config.items():
            if not isinstance(value, (str, Mapping)):
                continue
            if key == "activation":
                config[key] = activations.deserialize(value, custom_objects)
            elif key.endswith("_initializer"):
                config[key] = initializers.deserialize(value, custom_objects)
            elif key in ("kernel_regularizer", "bias_regularizer"):
                config[key] = regularizers.deserialize(value, custom_objects)
            elif key.endswith("_constraint"):
                config[key] = constraints.deserialize(value, custom_objects)
        return super()._deserialized(config, custom_objects)

    def __repr__(self) -> str:
        written = {"dtype": self.dtype_policy.name, "activation": arguments.label(self.activation)}
        defaults = {
            "dtype": "float32",
            "activation": "linear",
            "data_format": "channels_last",
            "kernel_initializer": initializers.GlorotUniform(),
            "bias_initializer": initializers.Zeros(),
        }
        shown = []
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = written.get(name, getattr(self, name, None))
            default = defaults.get(name, parameter.default)
            if parameter.kind is not parameter.VAR_KEYWORD and not _same(value, default):
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


def signature_parameters(once: Any) -> list[inspect.Parameter]:
    """ConvTranspose's parameters; Keras' default of strides and dilation_rate has one entry per axis from two on."""
    parameters = tuple(inspect.signature(ConvTranspose.__init__).parameters.values())[1:]
    return [p.replace(default=once) if p.name in ("strides", "dilation_rate") else p for p in parameters]


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, tuple) and isinstance(default, int):
        default = (default,) * len(value)
    if isinstance(value, Initializer):
        return repr(value) == repr(default)
    return type(value) is type(default) and bool(value == default)
