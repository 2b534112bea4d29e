"""Sequential: layers one after the other."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tconv import _args, _convert, layers
from tconv._convert import Array
from tconv._registry import Family, Objects
from tconv._summary import summary
from tconv.layers import arguments
from tconv.layers.base import Layer
from tconv.layers.building import Shape, checked_shape
from tconv.layers.input_layer import InputLayer


class Sequential(Layer):
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

    def __init__(self, layers: Iterable[Layer] | None = None, trainable: bool = True, name: str | None = None) -> None:
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

    def add(self, layer: Layer) -> None:
        """Adds a layer at the end.

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

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of a name, or at an index of `layers`.

        Raises:
            ValueError: there is no such layer, or not exactly one of the two was given.
        """
        if (name is None) == (index is None):
            raise ValueError("get_layer: give exactly one of `name` and `index`.")
        found = self.layers
        if index is not None:
            index = _args.integer("get_layer", "index", index)
            if not -len(found) <= index < len(found):
                raise ValueError(f"get_layer: index={index} is out of range for {len(found)} layers.")
            return found[index]
        for layer in self._layers:
            if isinstance(name, str) and layer.name == name:
                return layer
        raise ValueError(f"No such layer: {_args.show(name)}. Existing layers are: {[layer.name for layer in found]}.")

    def _append(self, layer: Any) -> None:
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

    def predict(self, x: Any, batch_size: int | None = 32, verbose: int = 0) -> Array:
        """The model's output for `x`, computed `batch_size` examples at a time and put into one array.

        Args:
            x: array-like, batch first.
            batch_size: at least 1; None for 32.
            verbose: 0 for silence, 1 for a line that counts the batches, 2 for one line at the end.

        Raises:
            ValueError: the input does not fit, or an argument is not valid.
            TypeError: the input is not an array of real numbers.
        """
        size = arguments.positive("predict", "batch_size", 32 if batch_size is None else batch_size)
        verbose = _args.integer("predict", "verbose", verbose)
        if verbose not in (0, 1, 2):
            raise ValueError(f"predict: verbose={verbose} must be 0, 1 or 2.")
        array = _convert.to_array(self.name, "x", x)
        self._check_input(array.shape)
        count = len(array)
        steps = max(1, -(-count // size))
        outputs = np.asarray(self(array[:size], training=False))
        if steps > 1:
            first, outputs = outputs, _convert.allocate("predict", (count, *outputs.shape[1:]), outputs.dtype)
            outputs[:size] = first
        for step in range(steps):
            if step:
                outputs[step * size : (step + 1) * size] = self(array[step * size : (step + 1) * size], training=False)
            if verbose == 1:
                _report(f"\r{step + 1}/{steps}")
        if verbose:
            _report("\n" if verbose == 1 else f"{steps}/{steps}\n")
        return outputs

    # ---- description

    def summary(self, line_length: int | None = None, print_fn: Callable[[str], Any] | None = None) -> None:
        """Prints the layers, their output shapes and numbers of weights as a table.

        Args:
            line_length: characters in a line, at least 40; None for the terminal's, at most 88.
            print_fn: called once with the whole text; None for print.

        Raises:
            ValueError: the line is too short.
        """
        text = summary(self, line_length)
        if print_fn is None:
            _report(text + "\n")
        else:
            print_fn(text)

    def get_config(self) -> dict[str, Any]:
        """The name and the layers' configs, as Keras 3 writes them."""
        config = {**super().get_config(), "layers": [_FAMILY.serialize(layer) for layer in self._layers]}
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
            layer = _FAMILY.deserialize(_unbuilt(entry), custom_objects)
            model._append(layer)
            if shape is None and isinstance(layer, InputLayer):
                shape = layer.batch_shape
        if shape is not None and model.layers:
            model.build(shape)
        return model

    def to_json(self, **kwargs: Any) -> str:
        """The model without its weights as Keras 3's JSON; `kwargs` go to json.dumps. See model_from_json."""
        return json.dumps(_FAMILY.serialize(self), **kwargs)

    def __repr__(self) -> str:
        return f"Sequential({list(self._layers)!r}, name={self.name!r})"


_FAMILY: Family[Layer] = Family(
    "layer", "keras.layers", (*layers.MEMBERS, Sequential), layers.ALIASES, {**layers.MODULES, "Sequential": "keras"}
)


def model_from_json(json_string: str, custom_objects: Objects | None = None) -> Sequential:
    """The model that `to_json` of tconv, Keras 3 or tf.keras wrote; built, with new weights, if it says for what shape.

    Optimizer and loss of a compiled Keras model are left aside. Nothing named in the text is imported or executed.

    Args:
        json_string: the text.
        custom_objects: classes and functions of your own, by the name the text gives them.

    Raises:
        ValueError: the text is not JSON, or not a Sequential's, or names something that is not known.

    Example:
        >>> import tconv
        >>> model = tconv.Sequential([tconv.layers.Conv2DTranspose(8, 3, name="up")], name="decoder")
        >>> tconv.models.model_from_json(model.to_json())
        Sequential([Conv2DTranspose(filters=8, kernel_size=(3, 3), name='up')], name='decoder')
    """
    try:
        config = json.loads(json_string)
        model = _FAMILY.deserialize(config, custom_objects) if isinstance(config, dict) else None
    except json.JSONDecodeError as error:
        raise ValueError(f"model_from_json: the text is not JSON: {error}.") from None
    except RecursionError:
        raise ValueError("model_from_json: the text is nested too deeply.") from None
    if not isinstance(model, Sequential):
        raise ValueError(f"model_from_json: this is not a Sequential model: {_args.show(config)}")
    return model


def _report(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _unbuilt(entry: Any) -> Any:
    """A layer's config without its own build shape: the model builds it."""
    return {k: v for k, v in entry.items() if k != "build_config"} if isinstance(entry, Mapping) else entry
