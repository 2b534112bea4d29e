"""Functional models: layers joined where they branch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tconv import _args, _convert
from tconv._convert import Array
from tconv._registry import Objects
from tconv.layers.base import Layer
from tconv.layers.building import Shape, checked_shape
from tconv.layers.differentiation import Back, Gradients, differentiated
from tconv.layers.structure import flat, is_shape, mapped, packed
from tconv.layers.symbolic import SymbolicTensor, is_symbolic, node_of
from tconv.models import graph
from tconv.models.model import Model


class Functional(Model):
    """What `Model(inputs, outputs)` makes."""

    _takes_mask = True
    _transient = (*Model._transient, "_inputs", "_outputs")

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool | None = None) -> None:
        super().__init__(name=name)
        for what, given in (("inputs", inputs), ("outputs", outputs)):
            if not flat(given) or not all(isinstance(tensor, SymbolicTensor) for tensor in flat(given)):
                raise ValueError(
                    f"Model '{self.name}': `{what}` must be symbolic tensors, and at least one: what Input() gave, or "
                    f"a layer for such. Received: {what}={_args.show(given)}"
                )
        starts, ends = graph.rerouted(self.name, flat(inputs), flat(outputs))
        nodes, met = graph.nodes_between(self.name, starts, ends)
        self._layers = tuple(graph.keras_order(starts, nodes, met))
        graph.checked_names(self.name, self._layers)
        self._program = graph.program_of(starts, ends, nodes)
        self._input_structure, self._output_structure = (mapped(lambda _: None, given) for given in (inputs, outputs))
        self._takes, self._gives = map(_unpacked, (self._input_structure, self._output_structure))
        self._inputs, self._outputs = tuple(starts), tuple(ends)
        self._specs = [(tensor.name, tensor.shape, tensor.dtype) for tensor in starts]
        self.built = True
        if trainable is not None:
            self.trainable = trainable

    def _sublayers(self) -> Iterator[Layer]:
        return iter(self._layers)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        program = self._program
        tensors: dict[int, SymbolicTensor] = {}
        for number, (name, _, _) in zip(program.inputs, self._specs):
            layer: Any = self.get_layer(name)
            tensors[number] = layer.output
        for step in program.steps:
            taken = mapped(tensors.__getitem__, step.inputs)
            shapes = step.layer.compute_output_shape(mapped(lambda tensor: tensor.shape, taken))
            made = flat(node_of(step.layer, taken, step.options, shapes).outputs)
            tensors.update(zip(step.outputs, made))
        self._inputs = tuple(tensors[number] for number in program.inputs)
        self._outputs = tuple(tensors[number] for number in program.outputs)

    # ---- inputs and outputs

    @property
    def input(self) -> Any:
        """The symbolic inputs, arranged as the constructor had them."""
        return packed(self._input_structure, self._inputs)

    @property
    def output(self) -> Any:
        """The symbolic outputs, arranged as the constructor had them."""
        return packed(self._output_structure, self._outputs)

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return [tensor.name for tensor in self._inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that give the outputs."""
        return [tensor.name for tensor in self._outputs]

    @property
    def input_shape(self) -> Any:
        """The shape of the input, batch first, or a list of them in the order of `inputs`."""
        return _unpacked([tensor.shape for tensor in self._inputs])

    @property
    def output_shape(self) -> Any:
        """The shape of the output, batch first, or a list of them in the order of `outputs`."""
        return _unpacked([tensor.shape for tensor in self._outputs])

    def _output_dtypes(self, count: int) -> list[str]:
        return [tensor.dtype for tensor in self._outputs]

    def _arranged(self, inputs: Any) -> Any:
        return packed(self._takes, self._listed(inputs))

    def _listed(self, inputs: Any) -> list[Any]:
        """The inputs, in their order: by name out of a dictionary, else as they come."""
        structure, names = self._takes, self.input_names
        keys = sorted(structure) if isinstance(structure, Mapping) else names
        if isinstance(inputs, Mapping):
            if not set(keys) <= set(inputs):
                raise ValueError(f"Model '{self.name}' takes the inputs {keys}. Received: {_args.show(list(inputs))}")
            return [inputs[key] for key in keys]
        if isinstance(structure, Mapping):
            raise ValueError(f"Model '{self.name}' takes a dictionary of the inputs {keys}. Received: {_kind(inputs)}")
        if len(names) == 1 and not self._is_list_of_one(inputs):
            return [inputs]
        if not isinstance(inputs, (list, tuple)) or len(inputs) != len(names):
            raise ValueError(f"Model '{self.name}' takes a list of the inputs {names}. Received: {_kind(inputs)}")
        return list(inputs)

    def _is_list_of_one(self, inputs: Any) -> bool:
        """Whether this is the only input in a list, and not a list of numbers."""
        if not isinstance(inputs, (list, tuple)) or len(inputs) != 1:
            return False
        return is_symbolic(inputs) or np.ndim(inputs[0]) == len(self._inputs[0].shape)

    def _as_arrays(self, x: Any) -> Any:
        arrays = [
            _convert.to_array(self.name, f"input '{name}'", value)
            for name, value in zip(self.input_names, self._listed(x))
        ]
        return packed(self._takes, arrays)

    def _converted(self, inputs: Any) -> Any:
        arrays = self._as_arrays(inputs)
        dtypes = [_input_dtype(self.name, dtype) for _, _, dtype in self._specs]
        return packed(arrays, [array.astype(dtype, copy=False) for array, dtype in zip(flat(arrays), dtypes)])

    def _checked_shape(self, shape: Any) -> Any:
        if shape is None:
            return self.input_shape
        if isinstance(shape, Mapping):
            shapes = self._listed(shape)
        else:
            shapes = list(shape) if isinstance(shape, (list, tuple)) and not is_shape(shape) else [shape]
        checked = [checked_shape(self.name, one) for one in shapes]
        if len(checked) != len(self._inputs):
            raise ValueError(f"Model '{self.name}' takes {len(self._inputs)} inputs. Received shapes: {checked}")
        return packed(self._takes, checked)

    def _check_input(self, shape: Any) -> None:
        shapes = [shape] if is_shape(shape) else flat(shape)
        if len(shapes) != len(self._inputs):
            raise ValueError(f"Model '{self.name}' takes {len(self._inputs)} inputs. Received shapes: {shapes}")
        for given, (name, expected, _) in zip(shapes, self._specs):
            fits = len(given) == len(expected)
            if not fits or any(a != b for a, b in zip(given[1:], expected[1:]) if None not in (a, b)):
                raise ValueError(
                    f"Input '{name}' of model '{self.name}' is incompatible with the model: expected "
                    f"shape={expected}, found shape={tuple(given)}."
                )

    def get_build_config(self) -> dict[str, Any]:
        """What Keras writes for a functional model, which is always built."""
        return {"input_shape": None}

    # ---- computing

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The outputs, arranged as the constructor had them; a list of one is that one.

        A value is let go after the last step that takes it.

        Args:
            inputs: arrays, arranged as the constructor had the inputs.
            training: handed to all layers that take it; None for what each was called with.
        """
        program, values = self._started(inputs)
        for step in program.steps:
            options = _options(step, training)
            outputs = flat(step.layer(mapped(values.__getitem__, step.inputs), **options))
            values.update(zip(step.outputs, outputs))
            del outputs
            for number in step.released:
                del values[number]
        return packed(self._gives, [values[number] for number in program.outputs])

    def _started(self, inputs: Any) -> tuple[graph.Program, dict[int, Any]]:
        return self._program, dict(zip(self._program.inputs, flat(inputs)))

    def call_vjp(self, inputs: Any, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The outputs, and the pullback through all steps."""
        program, values = self._started(inputs)
        wanted = dict.fromkeys(program.inputs, input_gradient)
        shapes = {number: (value.shape, value.dtype) for number, value in values.items()}
        backs: list[Back | None] = []
        for step in program.steps:
            asked = any(wanted[number] for number in flat(step.inputs))
            taken = mapped(values.__getitem__, step.inputs)
            outputs, back = differentiated(step.layer, taken, _options(step, training).get("training"), asked)
            backs.append(back)
            gives = asked or bool(step.layer.trainable_weights)
            for number, output in zip(step.outputs, flat(outputs)):
                values[number], wanted[number] = output, gives
                shapes[number] = (output.shape, output.dtype)
            del taken, outputs
            for number in step.released:
                del values[number]
        given = self._takes

        def pullback(dy: Any) -> tuple[Any, Gradients]:
            slopes = _Slopes()
            for number, slope in zip(program.outputs, flat(dy)):
                slopes.add(number, slope)
            gradients: list[Any] = []
            for step, back in zip(reversed(program.steps), reversed(backs)):
                made = [slopes.take(number, shapes[number]) for number in step.outputs]
                if back is None:
                    continue
                dx, found = back(made[0] if len(made) == 1 else made)
                gradients += found
                if dx is not None:
                    for number, slope in zip(flat(step.inputs), flat(dx)):
                        slopes.add(number, slope)
            if not input_gradient:
                return None, gradients
            return packed(given, [slopes.take(number, shapes[number]) for number in program.inputs]), gradients

        return packed(self._gives, [values[number] for number in program.outputs]), pullback

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs, arranged as the constructor had them, for inputs of `input_shape`.

        Raises:
            ValueError: the shape does not fit.
        """
        shapes = self._checked_shape(input_shape)
        self._check_input(shapes)
        known: dict[int, Shape] = dict(zip(self._program.inputs, [shapes] if is_shape(shapes) else flat(shapes)))
        for step in self._program.steps:
            made = step.layer.compute_output_shape(mapped(known.__getitem__, step.inputs))
            known.update(zip(step.outputs, [made] if is_shape(made) else flat(made)))
        return packed(self._gives, [known[number] for number in self._program.outputs])

    # ---- description

    def _table(self) -> list[tuple[Layer, Any, str | None]]:
        from tconv.models.functional_config import calls_of, numbered

        calls, numbers, rows = calls_of(self), numbered(self), []
        chain = len(self._inputs) == 1 and len(calls) == len(self._layers)
        for layer in self._layers:
            nodes = calls[id(layer)]
            taken = [tensor for node in nodes for tensor in node.input_tensors]
            sources = [f"{tensor.node.layer.name}[{numbers[id(tensor.node)]}][{tensor.index}]" for tensor in taken]
            chain = chain and len(nodes) == 1 and len(taken) <= 1
            shapes = mapped(lambda tensor: tensor.shape, _unpacked(nodes[-1].outputs))
            rows.append((layer, shapes, ", ".join(sources)))
        used = [source for _, _, source in rows]
        chain = chain and len(set(used)) == len(used)
        return [(layer, shape, None if chain else source) for layer, shape, source in rows]

    def get_config(self) -> dict[str, Any]:
        """Name, layers and how they are joined, as Keras 3 writes them."""
        from tconv.models.functional_config import written

        return written(self)

    @classmethod
    def from_config(cls, config: Any, custom_objects: Objects | None = None) -> Functional:
        """The model that `get_config` described, here, in Keras 3 or in tf.keras, with new weights.

        Args:
            config: a dictionary with "layers", "input_layers" and "output_layers".
            custom_objects: classes and functions of your own, by the name the config gives them.

        Raises:
            ValueError: the config is not one, or names something that is not known.
        """
        from tconv.models.functional_reader import read

        return read(cls, config, custom_objects)

    def __repr__(self) -> str:
        return f"<Functional name={self.name}, inputs={self.input_names}, outputs={self.output_names}>"


class _Slopes:
    """Gradients by values, summed as they come from the steps that took the value."""

    def __init__(self) -> None:
        self._sums: dict[int, Array] = {}
        self._own: set[int] = set()  # sums that nobody else holds, and that may be added to in place

    def add(self, number: int, slope: Array | None) -> None:
        if slope is None:
            return
        if number not in self._sums:
            self._sums[number] = slope
        elif number in self._own:
            self._sums[number] += slope
        else:
            self._sums[number] = self._sums[number] + slope
            self._own.add(number)

    def take(self, number: int, spec: tuple[Shape, Any]) -> Array:
        """The sum; zeros if there was nothing."""
        self._own.discard(number)
        found = self._sums.pop(number, None)
        return np.zeros(*spec) if found is None else found


def _options(step: graph.Step, training: bool | None) -> dict[str, Any]:
    """What a layer is called with: the model's `training`, if it was told, before the layer's own."""
    return {**step.options, "training": training} if training is not None else dict(step.options)


def _input_dtype(name: str, dtype: str) -> np.dtype[Any]:
    return _convert.compute_dtype(name, dtype) if dtype == "bfloat16" else np.dtype(dtype)


def _unpacked(values: Any) -> Any:
    """The only one of a list."""
    return values[0] if isinstance(values, (list, tuple)) and len(values) == 1 else values


def _kind(inputs: Any) -> str:
    many = f" of {len(inputs)}" if isinstance(inputs, (list, tuple)) else ""
    return f"{type(inputs).__name__}{many}"
