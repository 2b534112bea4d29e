"""Sequential: layers one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tconv import _args, _convert
from tconv._convert import Array
from tconv._registry import Objects
from tconv.layers.base import Layer
from tconv.layers.building import Shape, calls, checked_shape
from tconv.layers.differentiation import Back, Gradients, differentiated
from tconv.layers.input_layer import InputLayer
from tconv.layers.symbolic import SymbolicTensor, symbolic_call
from tconv.models.model import Model


class Sequential(Model):
    """A model of layers, each applied to the output of the one before.

    With an `Input` first, or a first layer that has `input_shape=`, the weights are made at once; else by `build` or
    the first call. The names of the layers must differ.

    Args:
        layers: the layers, or None; more come by `add`.
        trainable: whether training changes the weights.
        name: None for an automatic one.

    Raises:
        ValueError: an entry is not a layer, or two have one name.

    Example:
        >>> import numpy as np, tconv
        >>> model = tconv.Sequential([
        ...     tconv.layers.Input((8, 8, 16)),
        ...     tconv.layers.Conv2DTranspose(8, 4, strides=2, padding="same", activation="relu"),
        ...     tconv.layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh"),
        ... ])
        >>> model.output_shape, model.count_params()
        ((None, 32, 32, 3), 2443)
        >>> model.predict(np.zeros((5, 8, 8, 16)), batch_size=2).shape
        (5, 32, 32, 3)
    """

    _transient = (*Model._transient, "_symbols")

    _takes_mask = True

    def __init__(self, layers: Iterable[Any] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        self._layers: tuple[Layer, ...] = ()  # replaced as a whole: a call sees one state of it
        self._output_shape: Shape | None = None
        layers = () if layers is None else layers
        if not isinstance(layers, Iterable):
            raise ValueError(f"Sequential: layers={_args.show(layers)} must be a list of layers.")
        for layer in layers:
            self._append(layer)
        self._build_if_known()

    # ---- layers

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the InputLayer."""
        return [layer for layer in self._layers if not isinstance(layer, InputLayer)]

    def add(self, layer: Layer | SymbolicTensor) -> None:
        """Adds a layer at the end; an `Input` only at the begin.

        Raises:
            ValueError: it is not a layer, has a name that is taken, or does not fit the output before it.
        """
        with self._lock:
            before = self.__dict__.copy()
            self._append(layer)
            try:
                self._build_if_known()
            except BaseException:
                self.__dict__ = before
                raise

    def pop(self) -> Layer:
        """Removes the last layer and returns it.

        Raises:
            ValueError: there is none.
        """
        with self._lock:
            if not self.layers:
                raise ValueError(f"Sequential model '{self.name}' has no layers to remove.")
            last = self._layers[-1]
            self._layers = self._layers[:-1]
            self._forget_build()
            self._build_if_known()
            return last

    def _append(self, layer: Any) -> None:
        if isinstance(layer, SymbolicTensor) and isinstance(layer.node.layer, InputLayer):
            layer = layer.node.layer
        if not isinstance(layer, Layer):
            raise ValueError(
                "Only instances of `tconv.layers.Layer` can be added to a Sequential model. Received: "
                f"{_args.show(layer)} (of type {type(layer).__name__})"
            )
        if any(other.name == layer.name and other is not layer for other in self._layers):
            raise ValueError(
                f"All layers added to a Sequential model should have unique names. Name '{layer.name}' is already the "
                "name of a layer in this model. Update the `name` argument to pass a unique name."
            )
        if isinstance(layer, InputLayer) and self._layers:
            raise ValueError(f"Sequential model '{self.name}': an Input can only be the first entry.")
        first: tuple[Layer, ...] = ()
        if not self._layers and not isinstance(layer, InputLayer) and layer._batch_shape_arg is not None:
            first = (InputLayer(batch_shape=layer._batch_shape_arg),)
        self._layers = (*self._layers, *first, layer)
        self._forget_build()

    def _sublayers(self) -> Iterator[Layer]:
        return iter(self._layers)

    def _renew(self) -> None:
        super()._renew()
        self._symbols: tuple[Any, ...] = ()

    @property
    def input(self) -> Any:
        """The symbolic input, on which all layers were called one after the other.

        Raises:
            AttributeError: the model is not built.
        """
        return self._ends()[0]

    @property
    def output(self) -> Any:
        """The symbolic output.

        Raises:
            AttributeError: the model is not built.
        """
        return self._ends()[1]

    def _ends(self) -> tuple[Any, Any]:
        """Symbolic input and output, for the present layers."""
        with self._lock:
            first = self._layers[0] if self._layers else None
            if not self.built or not isinstance(first, InputLayer):
                raise AttributeError(f"Sequential model '{self.name}' has no defined input and output yet.")
            if not self._symbols or self._symbols[0] != self._layers:
                tensor: Any = first.output
                for layer in self._layers[1:]:
                    tensor = symbolic_call(layer, tensor, {})
                self._symbols = (self._layers, first.output, tensor)
            return self._symbols[1], self._symbols[2]

    # ---- building

    def _forget_build(self) -> None:
        self.built = False
        self._build_shape = self._output_shape = None

    def _build_if_known(self) -> None:
        if len(self._layers) > 1:
            first = self._layers[0]
            if isinstance(first, InputLayer):
                self.build(first.batch_shape)
            elif isinstance(first, Sequential) and first.built:
                self.build(first.input_shape)

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights of all layers for inputs of `input_shape`, batch first, with None for what may vary.

        A layer that cannot tell its output shape leaves those after it to the first call.

        Args:
            input_shape: None for the Input's.

        Raises:
            ValueError: there are no layers, or the shape does not fit, or it is not the Input's.
        """
        self._known_shape()
        shape = checked_shape(self.name, input_shape)
        self._check_rebuild(shape)
        if not isinstance(self._layers[0], InputLayer):
            dtype = _convert.compute_dtype(self.name, self._layers[0].compute_dtype)
            self._layers = (InputLayer(batch_shape=shape, dtype=dtype), *self._layers)
        for layer in self._layers[1:]:
            layer.build(shape)
            try:
                shape = layer.compute_output_shape(shape)
            except NotImplementedError:
                return
        self._output_shape = shape

    def _known_shape(self) -> Shape | None:
        if not self.layers:
            raise ValueError(
                f"Sequential model '{self.name}' cannot be built: it has no layers. Use `model.add(layer)`."
            )
        first = self._layers[0]
        return first.batch_shape if isinstance(first, InputLayer) else None

    def _check_rebuild(self, shape: Shape) -> None:
        first = self._layers[0]
        if isinstance(first, InputLayer) and first.batch_shape != shape:
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured to use input shape {first.batch_shape}. "
                f"You cannot build it with input_shape {shape}"
            )

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the output for inputs of `input_shape`; no weights are needed.

        Raises:
            ValueError: the shape does not fit.
        """
        shape = checked_shape(self.name, input_shape)
        for layer in self.layers:
            shape = layer.compute_output_shape(shape)
        return shape

    @property
    def input_shape(self) -> Shape:
        """The shape of the input, batch first.

        Raises:
            AttributeError: it is not known yet.
        """
        if self._build_shape is None:
            raise AttributeError(f"Sequential model '{self.name}' has no defined input shape yet.")
        return self._build_shape

    @property
    def output_shape(self) -> Shape:
        """The shape of the output, batch first.

        Raises:
            AttributeError: it is not known yet.
        """
        if self._output_shape is None:
            raise AttributeError(f"Sequential model '{self.name}' has no defined output shape yet.")
        return self._output_shape

    # ---- computing

    def _input_dtype(self) -> np.dtype[Any]:
        return self._layers[0]._input_dtype() if self._layers else super()._input_dtype()

    def _output_dtypes(self, count: int) -> list[str]:
        return self._layers[-1]._output_dtypes(count)

    def _check_input(self, shape: Shape) -> None:
        if not self.layers:
            raise ValueError(f"Sequential model '{self.name}' has no layers. Call `model.add(layer)`.")
        self._layers[0]._check_input(shape)

    def call(self, inputs: Array, training: bool | None = None) -> Any:
        """The output of the last layer. `training` is handed to the layers that take it."""
        outputs: Any = inputs
        for layer in self.layers:
            outputs = layer(outputs) if training is None else layer(outputs, training=training)
        return outputs

    def call_vjp(self, inputs: Array, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The output of the last layer, and the pullback through all of them."""
        outputs: Any = inputs
        wanted, backs = input_gradient, []
        for layer in self.layers:
            outputs, back = differentiated(layer, outputs, training, wanted)
            backs.append(back)
            wanted = wanted or bool(layer.trainable_weights)

        def pullback(dy: Any) -> tuple[Any, Gradients]:
            gradients: list[Any] = []
            for back in reversed(backs):
                if back is None:  # neither this layer nor any before it asks for a gradient
                    return None, gradients
                dy, found = back(dy)
                gradients += found
            return dy if input_gradient else None, gradients

        return outputs, pullback

    # ---- description

    def _table(self) -> list[tuple[Layer, Any, str | None]]:
        rows: list[tuple[Layer, Any, str | None]] = []
        shape: Any = self._build_shape
        for layer in self.layers:
            shape = layer._build_shape if shape is None else shape
            try:
                shape = None if shape is None else layer.compute_output_shape(shape)
            except NotImplementedError:
                shape = None
            rows.append((layer, shape, None))
        return rows

    def get_config(self) -> dict[str, Any]:
        """The name and the layers' configs, as Keras 3 writes them."""
        from tconv.models.configs import serialize

        config = {**super().get_config(), "layers": [serialize(layer) for layer in self._layers]}
        return config if self._build_shape is None else {**config, "build_input_shape": self._build_shape}

    @classmethod
    def from_config(cls, config: Any, custom_objects: Objects | None = None) -> Sequential:
        """The model that `get_config` described, here, in Keras 3 or in tf.keras; built, with new weights, if the
        config says for what shape.

        Args:
            config: a dictionary with "name" and "layers", or the list of layers alone.
            custom_objects: classes and functions of your own, by the name the config gives them.

        Raises:
            ValueError: the config is not one, or names something that is not known.
        """
        from tconv.models.configs import deserialize, unbuilt

        if isinstance(config, (list, tuple)):
            config = {"layers": config}
        if not isinstance(config, Mapping) or not isinstance(config.get("layers"), (list, tuple)):
            raise ValueError(f"A Sequential model's config has the keys 'name' and 'layers', not {_args.show(config)}.")
        known = {"name", "trainable", "dtype", "layers", "build_input_shape"}  # the dtypes that count are the layers'
        unknown = sorted(set(config) - known)
        if unknown:
            raise ValueError(f"Sequential: unknown config keys {unknown}; known are {sorted(known)}.")
        model = cls(trainable=config.get("trainable", True), name=config.get("name"))
        shape = config.get("build_input_shape")
        for entry in config["layers"]:
            layer = deserialize(unbuilt(entry), custom_objects)
            model._append(layer)
        if shape is None and model.layers and isinstance(model._layers[0], InputLayer):
            shape = model._layers[0].batch_shape
        if shape is not None and model.layers:
            model.build(shape)
            model._build_rest(config["layers"])
        return model

    def _build_rest(self, entries: Sequence[Any]) -> None:
        """Builds what comes after a layer that cannot tell its output shape, for the shapes that the configs say."""
        calls.layers.append(self)
        try:
            for layer, entry in zip(reversed(self._layers), reversed(entries)):
                if not layer.built:
                    layer.build_from_config(entry.get("build_config"))
        finally:
            calls.layers.pop()

    def __repr__(self) -> str:
        return f"Sequential({list(self._layers)!r}, name={self.name!r})"
