"""What layers with a kernel and a bias have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tconv import activations, config, constraints, initializers, regularizers
from tconv._convert import Array
from tconv.layers import arguments
from tconv.layers.base import Layer
from tconv.layers.building import Shape, calls
from tconv.layers.differentiation import Back, Gradients, trained
from tconv.layers.operations import Operation
from tconv.ops import sum_to_axis
from tconv.variable import Variable


class _Packed(NamedTuple):
    """An operation, and what it was made from."""

    key: tuple[Any, ...]
    operation: Operation


class _Quick(NamedTuple):
    """All that a call needs while nothing has changed since the one before."""

    state: object
    versions: tuple[int, int]
    threads: int
    bias: Array | None
    run: Callable[[Array, Array | None, None], Any]


class KernelLayer(Layer):
    """`activation(operation(x, kernel) + bias)`, the kernel kept ready for the machine until it is assigned to."""

    algorithm: str = "auto"
    """How the output is computed, see `tconv.conv_transpose`; where a layer has no such argument, as is fastest."""

    _transient = (*Layer._transient, "_packed", "_quick", "_state")
    _objects = (
        *Layer._objects,
        "activation",
        *("kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer"),
        *("kernel_constraint", "bias_constraint"),
    )

    def __init__(
        self,
        *,
        activation: Any,
        use_bias: Any,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        named = functools.partial(arguments.named, kind)
        self.activation = named("activation", activations.get, activation)
        self.use_bias = arguments.boolean(kind, "use_bias", use_bias)
        kernel_initializer = "glorot_uniform" if kernel_initializer is None else kernel_initializer
        bias_initializer = "zeros" if bias_initializer is None else bias_initializer
        self.kernel_initializer = named("kernel_initializer", initializers.get, kernel_initializer)
        self.bias_initializer = named("bias_initializer", initializers.get, bias_initializer)
        self.kernel_regularizer = named("kernel_regularizer", regularizers.get, kernel_regularizer)
        self.bias_regularizer = named("bias_regularizer", regularizers.get, bias_regularizer)
        self.kernel_constraint = named("kernel_constraint", constraints.get, kernel_constraint)
        self.bias_constraint = named("bias_constraint", constraints.get, bias_constraint)
        self._kernel: Variable | None = None
        self._bias: Variable | None = None

    def _renew(self) -> None:
        super()._renew()
        self._packed: _Packed | None = None
        self._quick: _Quick | None = None
        self._state: object = object()

    def _sublayers(self) -> Iterator[Layer]:
        return iter(())

    # ---- weights

    def _add_weights(self, kernel_shape: Shape, filters: int) -> None:
        kernel = self.add_weight(
            kernel_shape,
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self._bias = self.add_weight(
                (filters,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self._kernel = kernel

    @property
    def kernel(self) -> Variable:
        """The kernel. Setting it assigns to it.

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
        """The bias; None without one. Setting it assigns to it.

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

    # ---- computing

    def _arguments(self) -> dict[str, Any]:
        """What, besides kernel, activation and dtype, decides the operation."""
        return {}

    def _operation(self, kernel: Array) -> Operation:
        """The operation with one value of the kernel."""
        raise NotImplementedError

    def _channel_axis(self) -> int:
        return -1

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

    def call(self, inputs: Array) -> Any:
        """The layer's output for `inputs`, an array of `compute_dtype`."""
        state = self._state
        operation, bias, versions = self._ready()
        outputs = operation(inputs, bias)
        last = operation.last_run(inputs.shape)
        if last is not None and self.activity_regularizer is None and type(self).call is KernelLayer.call:
            super().__setattr__("_quick", _Quick(state, versions, last[0], bias, last[1]))
        return outputs

    def _ready(self) -> tuple[Operation, Array | None, tuple[int, int]]:
        """The operation of the present kernel, the present bias and their versions: of one `set_weights`, never two."""
        with self._lock:
            kernel, version = self.kernel.snapshot()
            bias, bias_version = (None, 0) if self.bias is None else self.bias.snapshot()
            bias = None if bias is None else bias.astype(self._policy.compute, copy=False)
            key = (version, self.activation, self._policy.compute, self.algorithm, *self._arguments().values())
            packed = self._packed
            if packed is None or packed.key != key:
                packed = _Packed(key, self._operation(kernel))
                super().__setattr__("_packed", packed)
        return packed.operation, bias, (version, bias_version)

    def call_vjp(self, inputs: Array, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The output, and the pullback: keeps the input for the kernel's gradient, and what the activation's needs."""
        activation = self.activation
        pre = output = None
        operation, bias, _ = self._ready()
        if activations.needs_input(activation):
            pre = operation.linear(inputs, bias)
            outputs = activation(pre)
        else:
            outputs = operation(inputs, bias, once=True)
        if activation is not activations.linear:
            output = outputs
        shape, axis = inputs.shape, self._channel_axis()
        kernel_variable, bias_variable = trained(self, self._kernel), trained(self, self._bias)
        source = None if kernel_variable is None else inputs

        def pullback(dy: Array) -> tuple[Array | None, Gradients]:
            dz = dy if output is None else activations.pullback(activation, pre, output, dy)
            gradients = []
            if kernel_variable is not None and source is not None:
                gradients.append((kernel_variable, operation.kernel_gradient(source, dz)))
            if bias_variable is not None:
                gradients.append((bias_variable, sum_to_axis(dz, axis)))
            return operation.input_gradient(dz, shape) if input_gradient else None, gradients

        return outputs, pullback

    # ---- description

    def _kernel_config(self) -> dict[str, Any]:
        """The arguments from the activation on, with Keras' keys in Keras' order."""
        return {
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
