"""Layer: named weights that are made on the first call, a config, and a computation on one array.

Threads. A layer may be called, built and assigned to from several threads. Making weights and replacing them happens
under the layer's lock. What one call leaves behind for `losses` belongs to the thread that made the call. Automatic
names come from one counter for the process.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from tconv import _args, _convert, regularizers
from tconv._convert import Array
from tconv._registry import Objects, check_keys, snake_case
from tconv.layers import arguments
from tconv.layers import dtype_policy as policies
from tconv.layers.building import Losses, Shape, batch_shape_argument, calls, names, recording
from tconv.layers.input_spec import InputSpec
from tconv.layers.weights import Weighted, copies

L = TypeVar("L", bound="Layer")


class Layer(Weighted):
    """Base class of all layers: subclass it, make weights in `build(input_shape)`, compute in `call(inputs)`.

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
    _transient: tuple[str, ...] = ("_lock", "_losses")  # never copied or pickled

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
        self._call_options = frozenset(inspect.signature(self.call).parameters)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = recording(cls.__dict__["build"])  # type: ignore[method-assign]

    def _renew(self) -> None:
        super()._renew()
        self._losses = Losses()

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

    def call(self, inputs: Array) -> Any:
        """The computation, on an array in `compute_dtype`; override it."""
        raise NotImplementedError(f"Layer {type(self).__name__} does not have a `call()` method implemented.")

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Converts `inputs` to `compute_dtype`, builds the layer if that is still to do, and returns `call(inputs)`.

        Raises:
            ValueError: the inputs do not fit the layer.
            TypeError: the inputs are not an array of real numbers.
        """
        if "_lock" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}.__init__() must call super().__init__() first.")
        if "training" in kwargs and "training" not in self._call_options:
            kwargs.pop("training")  # a model hands it to every layer; this one computes the same either way
        array = self._converted(inputs)
        self._check_input(array.shape)
        active = calls.layers
        if not active:
            self._clear_losses()
        active.append(self)
        try:
            if not self.built:
                with self._lock:
                    if not self.built:
                        self.build(array.shape)
                self._check_input(array.shape)
            outputs = self.call(array, *args, **kwargs)
            if self.activity_regularizer is not None:
                penalty = self.activity_regularizer(outputs)
                batch = len(outputs) if np.ndim(outputs) else 1
                self.add_loss(penalty / batch if batch else penalty)
        finally:
            active.pop()
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the output for inputs of `input_shape`; override it."""
        raise NotImplementedError(f"Layer {type(self).__name__} should implement `compute_output_shape(input_shape)`.")

    def _input_dtype(self) -> np.dtype[Any]:
        return self._policy.compute

    def _converted(self, inputs: Any) -> Array:
        array = _convert.to_array(self.name, "inputs", inputs)
        dtype = self._input_dtype()
        return array if array.dtype == dtype else array.astype(dtype)

    def _check_input(self, shape: Shape) -> None:
        if self.input_spec is not None:
            self.input_spec.check(shape, self.name)

    def _known_shape(self) -> Shape | None:
        """What to build for when no shape is given."""
        return self._batch_shape_arg

    def _check_rebuild(self, shape: Shape) -> None:
        """Refuses to build a built layer for a shape that its weights do not fit."""
        self._check_input(shape)

    # ---- losses

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

    # ---- description

    @property
    def path(self) -> str | None:
        """Its name within the model that it was built in; None before."""
        return self._path

    @property
    def dtype_policy(self) -> policies.DTypePolicy:
        """The policy that its `dtype` named."""
        return self._policy

    @property
    def dtype(self) -> str:
        """The name of the weights' dtype."""
        return self._policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """The name of the weights' dtype."""
        return self._policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The name of the dtype in which inputs are taken and outputs are given."""
        return self._policy.compute_dtype

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with objects as Keras' configs."""
        config = {"name": self.name, "trainable": self.trainable, "dtype": policies.serialize(self._policy)}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    @classmethod
    def from_config(cls: type[L], config: Mapping[str, Any], custom_objects: Objects | None = None) -> L:
        """The layer that `get_config` described, here, in Keras 3 or in tf.keras; not built.

        Args:
            config: the arguments by name.
            custom_objects: classes and functions of your own, by the name the config gives them.

        Raises:
            ValueError: a key or a name in the config is not known.
        """
        if not isinstance(config, Mapping):
            raise ValueError(f"{cls.__name__}: a config is a dictionary of arguments, not {_args.show(config)}.")
        check_keys(cls, config)
        return cls(**cls._deserialized(dict(config), custom_objects))

    @classmethod
    def _deserialized(cls, config: dict[str, Any], custom_objects: Objects | None) -> dict[str, Any]:
        """`config` with objects in the place of their configs."""
        penalty = config.get("activity_regularizer")
        if isinstance(penalty, (str, Mapping)):
            config["activity_regularizer"] = regularizers.deserialize(penalty, custom_objects)
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        """{"input_shape": the shape it was built for}, or None before."""
        return None if self._build_shape is None else {"input_shape": self._build_shape}

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

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            return {key: value for key, value in self.__dict__.items() if key not in self._transient}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._renew()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"
