"""What models of all kinds have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tconv import _args, _convert, _summary
from tconv._convert import Array
from tconv.layers import arguments
from tconv.layers.base import Layer
from tconv.layers.structure import flat, packed, shapes_of
from tconv.layers.symbolic import SymbolicTensor
from tconv.training.data import is_stream
from tconv.training.loop import Hooks, hooks
from tconv.training.progress import report
from tconv.training.trainer import Trainer


class Model(Trainer):
    """Layers joined to one: `Model(inputs, outputs)` of symbolic tensors, where a Sequential cannot branch.

    Args:
        inputs: what `tconv.layers.Input` gave, or what a layer gave for such: one, or a list or dictionary of several.
        outputs: what layers gave for them: one, or a list or dictionary of several.
        name: None for an automatic one.
        trainable: whether training changes the weights; None leaves the layers as they are.

    Raises:
        ValueError: the inputs or outputs are not symbolic tensors, the outputs do not depend on the inputs alone, or
            two layers have one name.

    Example:
        >>> import numpy as np, tconv
        >>> from tconv import layers
        >>> image = layers.Input((8, 8, 3), name="image")
        >>> small = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(image)
        >>> large = layers.Conv2DTranspose(3, 4, strides=2, padding="same")(small)
        >>> model = tconv.Model(image, layers.Concatenate()([image, large]), name="skip")
        >>> model(np.zeros((5, 8, 8, 3))).shape
        (5, 8, 8, 6)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A functional model for `Model(inputs, outputs)`; subclasses make their own kind."""
        if cls is Model and (args or "inputs" in kwargs or "outputs" in kwargs):
            from tconv.models.functional import Functional

            return super().__new__(Functional)
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    # ---- layers

    @property
    def layers(self) -> list[Layer]:
        """The layers, in Keras' order."""
        return list(self._sublayers())

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
        for layer in self._sublayers():
            if isinstance(name, str) and layer.name == name:
                return layer
        raise ValueError(f"No such layer: {_args.show(name)}. Existing layers are: {[layer.name for layer in found]}.")

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic inputs.

        Raises:
            AttributeError: there are none yet.
        """
        return flat(self.input)

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic outputs.

        Raises:
            AttributeError: there are none yet.
        """
        return flat(self.output)

    # ---- computing

    def _as_arrays(self, x: Any) -> Any:
        """The inputs as arrays of any dtype, arranged as `call` takes them."""
        return _convert.to_array(self.name, "x", x)

    def predict(self, x: Any, batch_size: int | None = 32, verbose: int | str = 0, *, callbacks: Any = None) -> Any:
        """The model's output for `x`, computed `batch_size` examples at a time and put into one array per output.

        Args:
            x: array-like, batch first; for several inputs arranged as the model takes them. Or an iterable that gives
                such batches one by one, or pairs of a batch and something else.
            batch_size: at least 1; None for 32. Batches of an iterable are as they are.
            verbose: 0 for silence, 1 or "auto" for a line that counts the batches, 2 for one line at the end.
            callbacks: one of `tconv.callbacks`, or a list.

        Raises:
            ValueError: the input does not fit, or an argument is not valid.
            TypeError: the input is not an array of real numbers.
        """
        size = arguments.positive("predict", "batch_size", 32 if batch_size is None else batch_size)
        verbose = 1 if isinstance(verbose, str) and verbose == "auto" else _args.integer("predict", "verbose", verbose)
        if verbose not in (0, 1, 2):
            raise ValueError(f"predict: verbose={verbose} must be 0, 1 or 2.")
        call = hooks(self, callbacks, {"verbose": verbose})
        if is_stream(x):
            return self._predict_batches(x, verbose, call)
        arrays = self._as_arrays(x)
        self._check_input(shapes_of(arrays))
        count = _batch(self.name, flat(arrays))
        steps = max(1, -(-count // size))
        outputs: list[Array] = []
        structure: Any = None
        call("on_predict_begin")
        for step in range(steps):
            call("on_predict_batch_begin", step)
            part = slice(step * size, (step + 1) * size)
            structure = self(packed(arrays, [array[part] for array in flat(arrays)]), training=False)
            given = [np.asarray(output) for output in flat(structure)]
            if not step:
                outputs = given if steps == 1 else [_whole(output, count) for output in given]
            if steps > 1:
                for output, values in zip(outputs, given):
                    output[part] = values
            call("on_predict_batch_end", step)
            if verbose == 1:
                report(f"\r{step + 1}/{steps}")
        if verbose:
            report("\n" if verbose == 1 else f"{steps}/{steps}\n")
        call("on_predict_end")
        return packed(structure, outputs)

    def _predict_batches(self, batches: Iterable[Any], verbose: int, call: Hooks) -> Any:
        """`predict` of what comes batch by batch."""
        structure: Any = None
        outputs: list[list[Array]] = []
        call("on_predict_begin")
        for step, batch in enumerate(batches):
            call("on_predict_batch_begin", step)
            structure = self(batch[0] if isinstance(batch, tuple) else batch, training=False)
            outputs.append([np.asarray(output) for output in flat(structure)])
            call("on_predict_batch_end", step)
            if verbose == 1:
                report(f"\r{len(outputs)}")
        if not outputs:
            raise ValueError("predict: the iterable gave no batches.")
        if verbose:
            report("\n" if verbose == 1 else f"{len(outputs)}\n")
        call("on_predict_end")
        return packed(structure, [np.concatenate(parts) for parts in zip(*outputs)])

    # ---- description

    def _table(self) -> list[tuple[Layer, Any, str | None]]:
        """The layers, their output shapes (None where unknown) and, where they branch, what each is connected to."""
        return [(layer, None, None) for layer in self.layers]

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Prints the layers, their output shapes and numbers of weights as a table, as Keras does.

        With rich installed it is in colours, on a terminal and in a notebook.

        Args:
            line_length: characters in a line, at least 40; None for the terminal's, at most 88, or 108 where layers
                branch, and 12 more with `show_trainable`.
            positions: where the columns end, as rising parts of the line.
            print_fn: called once with the whole text, without colours; None to print it.
            expand_nested: whether to show the layers of models among the layers, below each.
            show_trainable: whether to add a column that says "Y" for layers that are trained.
            layer_range: patterns of two names: of the first and the last layer to be shown.

        Raises:
            ValueError: the line is too short, or the positions or layers asked for are not there.
        """
        table = _summary.table(self, line_length, positions, expand_nested, show_trainable, layer_range)
        if print_fn is None:
            _summary.show(table)
        else:
            print_fn(_summary.plain(table))

    def to_json(self, **kwargs: Any) -> str:
        """The model without its weights as Keras 3's JSON; `kwargs` go to json.dumps. See model_from_json."""
        from tconv.models.configs import serialize

        return json.dumps(serialize(self), **kwargs)


def _batch(name: str, arrays: list[Array]) -> int:
    """The number of examples, which all inputs have."""
    sizes = {len(array) for array in arrays}
    if len(sizes) > 1:
        raise ValueError(f"Model '{name}': all inputs must have the same number of examples, not {sorted(sizes)}.")
    return sizes.pop()


def _whole(output: Array, count: int) -> Array:
    return _convert.allocate("predict", (count, *output.shape[1:]), output.dtype)
