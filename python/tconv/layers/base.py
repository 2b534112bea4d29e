"""Layer: named weights that are made on the first call, a config, and a computation on one array.

Threads. A layer may be called, built and assigned to from several threads. Making weights and replacing them happens
under the layer's lock. What one call leaves behind for `losses` belongs to the thread that made the call. Automatic
names come from one counter for the process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tconv import _args, _convert, regularizers
from tconv._registry import snake_case
from tconv.layers import arguments, differentiation, symbolic
from tconv.layers import dtype_policy as policies
from tconv.layers.building import (
    CallOptions,
    Losses,
    Shape,
    batch_shape_argument,
    calls,
    checked_shape,
    names,
    recording,
)
from tconv.layers.differentiation import Back, Pullback
from tconv.layers.input_spec import InputSpec
from tconv.layers.keras_calls import KerasCalls
from tconv.layers.structure import flat, shapes_of
from tconv.layers.weights import copies


class Layer(KerasCalls):
    """Base class of all layers: subclass it, make weights in `build(input_shape)`, compute in `call(inputs)`, and, for
    gradients, in `call_vjp(inputs)`.

    Args:
        activity_regularizer: a penalty on the outputs, divided by the batch size into `losses`; None for none.
        trainable: whether `trainable_weights` lists the weights.
        dtype: "float32", "float64", "float16", "bfloat16", "mixed_float16" (computes in float16 with float32 weights),
            "mixed_bfloat16", or None for `tconv.config.floatx()`.
        name: unique in a model, without "/"; None for an automatic one.
        input_shape, batch_input_shape: the shape of the input without and with the batch axis, used when the layer is
            the first of a Sequential.
        weights: arrays that the weights get when they are made, as for `set_weights`.

    Raises:
        ValueError: an argument is not valid or not known.

    Example:
        >>> class Scale(Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
        ...     def call(self, inputs):
        ...         return inputs * self.factor.value
        >>> layer = Scale(name="scale")
        >>> layer(np.full((2, 3), 2.0)).dtype, layer.weights[0].path
        (dtype('float32'), 'scale/factor')
    """

    supports_masking = False
    _takes_mask = False  # whether Keras writes a mask, None, into the calls of a model's config

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        kind = type(self).__name__
        if name is not None and (not isinstance(name, str) or "/" in name or not name):
            raise ValueError(
                f"Argument `name` must be a string and cannot contain character `/`. Received: name={_args.show(name)}"
            )
        if not isinstance(trainable, (bool, np.bool_)):
            raise ValueError(
                f"{kind}: Expected `trainable` to be a boolean. Received: trainable={_args.show(trainable)}"
            )
        self._batch_shape_arg = batch_shape_argument(kind, kwargs)
        weights = kwargs.pop("weights", None)
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments passed to {kind}: {_args.show(kwargs)}")
        super().__init__(
            names.next(snake_case(kind)) if name is None else name,
            bool(trainable),
            arguments.named(kind, "dtype", policies.get, dtype),
        )
        self._initial_weights = None if weights is None else copies(kind, weights)
        self.activity_regularizer = arguments.named(
            kind, "activity_regularizer", regularizers.get, activity_regularizer
        )
        self.input_spec: InputSpec | None = None
        self._building = False
        self._build_shape: Shape | None = None
        self._call_options = CallOptions.of(self.call)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = recording(cls.__dict__["build"])  # type: ignore[method-assign]

    def _renew(self) -> None:
        super()._renew()
        self._losses = Losses()
        self._nodes: list[symbolic.Node] = []

    def _sublayers(self) -> Iterator[Layer]:
        """The layers held in attributes, in the order in which they were set."""
        return (item for item in super()._sublayers() if isinstance(item, Layer))

    # ---- computing

    @recording
    def build(self, input_shape: Any = None) -> None:
        """Makes the weights for inputs of `input_shape` (batch first; None where an extent is not known); without one,
        for the shape given to the constructor.

        Building again keeps the weights, if the shape fits them.

        Raises:
            ValueError: the shape does not fit the layer.
        """

    def call(self, inputs: Any) -> Any:
        """The computation, on an array in `compute_dtype`; override it."""
        raise NotImplementedError(f"Layer {type(self).__name__} does not have a `call()` method implemented.")

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Converts `inputs` to `compute_dtype`, builds the layer if that is still to do, and returns `call(inputs)`.

        On symbolic tensors, what `Input` and calls on it give, it returns symbolic tensors: see `tconv.Model`.

        Raises:
            ValueError: the inputs do not fit the layer.
            TypeError: the inputs are not an array of real numbers.
        """
        if "_lock" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}.__init__() must call super().__init__() first.")
        if symbolic.is_symbolic(inputs):
            return symbolic.symbolic_call(self, inputs, {**dict(zip(("training",), args)), **kwargs})
        arrays, before = self._entered(inputs, kwargs, given=bool(args))
        try:
            self._build_for(arrays)
            outputs = self.call(arrays, *args, **kwargs)
            if self.activity_regularizer is not None:
                self._add_activity_loss(outputs)
        finally:
            calls.leave(before)
        return outputs

    def vjp(self, inputs: Any, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Pullback]:
        """The output, and the function that turns a gradient by it into gradients by input and weights.

        Nothing is changed but `losses`: new moving statistics are in `pullback.updates`. What is kept is the input and,
        where the activation's derivative needs it, the output or what the activation was applied to.

        Args:
            inputs: as for a call.
            training: as for a call.
            input_gradient: False where dx is not needed: it is None then.

        Returns:
            y, and `pullback(dy) -> (dx, grads)`; see `Pullback`.

        Raises:
            ValueError, TypeError: as for a call; also a TypeError where the derivative of the activation or of a
                regularizer is not known.
            NotImplementedError: the layer has no `call_vjp`.

        Example:
            >>> import numpy as np, tconv
            >>> layer = tconv.layers.Conv1DTranspose(1, 2, strides=2, kernel_initializer="ones")
            >>> y, pullback = layer.vjp([[[1.0], [2.0]]])
            >>> dx, (dkernel, dbias) = pullback(np.ones_like(y))
            >>> dx.ravel().tolist(), dkernel.ravel().tolist(), dbias.tolist()
            ([2.0, 2.0], [3.0, 3.0], [4.0])
        """
        return differentiation.vjp(self, inputs, training, input_gradient)

    def call_vjp(self, inputs: Any, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """`call(inputs)` and its pullback; override it together with `call`, for `vjp`.

        Args:
            inputs: as for `call`.
            training: as for `call`.
            input_gradient: whether anybody asks for dx; else None may stand in its place.

        Returns:
            The outputs, and a function of dy that gives dx and a list of pairs: a variable and the gradient by it. A
            layer within is differentiated by its own `vjp`, whose gradients are in the order of its
            `trainable_weights`.
        """
        raise NotImplementedError(f"Layer {type(self).__name__} does not have a `call_vjp()` method implemented.")

    def _linearized(self, inputs: Any, training: bool | None, input_gradient: bool) -> tuple[Any, Back]:
        """What `__call__` does, with the pullback."""
        if symbolic.is_symbolic(inputs):
            raise ValueError(f"Layer '{self.name}': vjp takes arrays. Received: {_args.show(inputs)}")
        self._check_derivative()
        kwargs = {"training": training}
        arrays, before = self._entered(inputs, kwargs)
        try:
            self._build_for(arrays)
            outputs, back = self.call_vjp(arrays, input_gradient=input_gradient, **kwargs)
            if self.activity_regularizer is not None:
                self._add_activity_loss(outputs)
                back = differentiation.with_activity(self.activity_regularizer, outputs, back)
        finally:
            calls.leave(before)
        return outputs, back

    def _check_derivative(self) -> None:
        """Refuses a `call_vjp` that was inherited with another `call`."""
        for cls in type(self).__mro__:
            if "call_vjp" in cls.__dict__ and cls is not Layer:
                return
            if "call" in cls.__dict__:
                raise NotImplementedError(
                    f"Layer {type(self).__name__} cannot be differentiated: {cls.__name__} defines call(), and needs "
                    "call_vjp() beside it."
                )

    def _entered(self, inputs: Any, kwargs: dict[str, Any], given: bool = False) -> tuple[Any, bool | None]:
        """Begins a call: the inputs as arrays, and what `calls.leave` needs.

        Completes `training` in `kwargs`, unless it may be `given` by position.
        """
        training = kwargs.get("training")
        if training is None:
            training = calls.training
        if training is None:
            training = self._call_options.training
        if "training" not in self._call_options.names:
            kwargs.pop("training", None)  # a model hands it to every layer; this one computes the same either way
        elif not given:
            kwargs["training"] = training
        arrays = self._converted(inputs)
        self._check_input(shapes_of(arrays))
        if not calls.layers:
            self._clear_losses()
        return arrays, calls.enter(self, training)

    def _build_for(self, arrays: Any) -> None:
        if not self.built:
            with self._lock:
                if not self.built:
                    self.build(shapes_of(arrays))
            self._check_input(shapes_of(arrays))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for inputs of `input_shape`; override it."""
        raise NotImplementedError(f"Layer {type(self).__name__} should implement `compute_output_shape(input_shape)`.")

    def _input_dtype(self) -> np.dtype[Any]:
        return self._policy.compute

    def _output_dtypes(self, count: int) -> list[str]:
        """The names of the dtypes of the outputs."""
        return [self.compute_dtype] * count

    def _arranged(self, inputs: Any) -> Any:
        """The inputs of a symbolic call as `call` takes them: one, if the layer doesn't say otherwise."""
        if isinstance(inputs, (list, tuple)) and len(inputs) == 1:
            return inputs[0]
        if not isinstance(inputs, symbolic.SymbolicTensor):
            raise ValueError(f"Layer '{self.name}' takes one input. Received: {_args.show(inputs)}")
        return inputs

    def _converted(self, inputs: Any) -> Any:
        array = _convert.to_array(self.name, "inputs", inputs)
        dtype = self._input_dtype()
        return array if array.dtype == dtype else array.astype(dtype)

    def _check_input(self, shape: Any) -> None:
        if self.input_spec is not None:
            self.input_spec.check(shape, self.name)

    def _checked_shape(self, shape: Any) -> Any:
        return checked_shape(self.name, shape)

    def _known_shape(self) -> Any:
        """What to build for when no shape is given."""
        return self._batch_shape_arg

    def _check_rebuild(self, shape: Any) -> None:
        """Refuses to build a built layer for a shape that its weights do not fit."""
        self._check_input(shape)

    def build_from_config(self, config: Mapping[str, Any] | None) -> None:
        """Builds for the shape that `get_build_config` gave.

        Raises:
            ValueError: there is no shape in it, or it does not fit.
        """
        if config is None:
            return
        if not isinstance(config, Mapping) or (config and "input_shape" not in config):
            shown = _args.show(config)
            raise ValueError(f"Layer '{self.name}': a build config has the key 'input_shape', not {shown}.")
        if config:
            self.build(config["input_shape"])

    # ---- symbolic tensors

    @property
    def input(self) -> Any:
        """The symbolic input of its first symbolic call.

        Raises:
            AttributeError: there was none.
        """
        return self._first_node().inputs

    @property
    def output(self) -> Any:
        """The symbolic output of its first symbolic call.

        Raises:
            AttributeError: there was none.
        """
        return self._first_node().outputs

    def _first_node(self) -> symbolic.Node:
        if not self._nodes:
            raise AttributeError(f"Layer '{self.name}' was not called on symbolic tensors: it has no input and output.")
        return self._nodes[0]

    # ---- losses

    def _add_activity_loss(self, outputs: Any) -> None:
        for output in flat(outputs):
            penalty = self.activity_regularizer(output)
            batch = len(output) if np.ndim(output) else 1
            self.add_loss(penalty / batch if batch else penalty)

    def add_loss(self, loss: Any) -> None:
        """Adds a number, or several, to `losses` until this thread's next call.

        Raises:
            ValueError: it is not a number.
        """
        for value in loss if isinstance(loss, (list, tuple)) else (loss,):
            try:
                size = _convert.to_array("add_loss", "loss", value).size
            except TypeError as error:
                raise ValueError(str(error)) from error
            if size != 1:
                raise ValueError(f"`add_loss()` takes numbers. Received invalid value: {_args.show(value)}")
            self._losses.values.append(value)

    @property
    def losses(self) -> list[Any]:
        """The losses of this thread's last call, this layer's before those within it, then the weights' penalties.

        A layer that is not trainable has no penalties on its weights.
        """
        losses = self._own_losses()
        for weight in self.trainable_weights:
            if weight.regularizer is not None:
                losses.append(weight.regularizer(weight.value))
        return losses

    def _own_losses(self) -> list[Any]:
        return self._losses.values + [loss for layer in self._sublayers() for loss in layer._own_losses()]

    def _clear_losses(self) -> None:
        self._losses.values = []
        for layer in self._sublayers():
            layer._clear_losses()
