"""Gradients: what `Layer.vjp` gives, and what layers make their own pullbacks of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tconv import _convert, regularizers
from tconv._args import ShapeError
from tconv._convert import Array
from tconv.layers.building import Updates, calls
from tconv.layers.structure import flat, mapped, packed
from tconv.variable import Variable

if TYPE_CHECKING:
    from tconv.layers.base import Layer

Gradients = Sequence[tuple[Variable, Array]]
Back = Callable[[Any], tuple[Any, Gradients]]
"""dL/dy -> dL/dx (None where nobody asks for it), and dL/dw by variable, which may come several times."""


class Pullback:
    """`pullback(dy) -> (dx, grads)`: what `Layer.vjp` gives beside the output.

    It belongs to the weights that the layer had at that call: later assignments have no effect on it. It may be called
    any number of times, from any thread.

    Attributes:
        losses: what `layer.losses` lists after the call.
        updates: pairs of a variable that is not trained (moving statistics, the state of random numbers) and its value
            after the call. `vjp` leaves assigning them to the caller.
    """

    __slots__ = ("_activity", "_back", "_penalized", "_specs", "_structure", "_variables", "_what", "updates")

    def __init__(
        self, layer: Layer, outputs: Any, back: Back, updates: Updates, activity: Sequence[Any], penalized: bool
    ) -> None:
        self._what = f"Layer '{layer.name}'"
        self._back = back
        self._structure = mapped(lambda _: None, outputs)
        self._specs = [(output.shape, output.dtype) for output in map(np.asarray, flat(outputs))]
        self._variables = tuple(layer.trainable_weights)
        self._activity = tuple(activity)
        regularized = [weight for weight in self._variables if weight.regularizer is not None] if penalized else []
        self._penalized = [(weight, weight.regularizer, weight.value) for weight in regularized]
        self.updates = updates.pairs() if penalized else ()

    def __call__(self, dy: Any) -> tuple[Any, list[Array]]:
        """The gradients of `sum(dy * y) + sum(losses)`.

        Args:
            dy: the gradient by y, of y's shape; where the layer has several outputs, arranged as they are, with None
                for zeros.

        Returns:
            dx, arranged as x was (None if `vjp` was told that it isn't needed), and one gradient for each of
            `trainable_weights`, in their order, of their shapes and dtypes.

        Raises:
            ValueError: dy does not fit y.
            TypeError: dy is no array of real numbers.
        """
        dx, pairs = self._back(self._checked(dy))
        penalties = ((weight, regularizers.gradient(penalty, value)) for weight, penalty, value in self._penalized)
        sums: dict[int, Array] = {}
        for variable, gradient in (*pairs, *penalties):
            before = sums.get(id(variable))
            if before is not None:
                wide = np.result_type(gradient, np.float32) if gradient.dtype.name != "bfloat16" else np.float32
                gradient = np.add(before, gradient, dtype=wide)
            sums[id(variable)] = gradient
        return dx, [_finished(variable, sums.get(id(variable))) for variable in self._variables]

    @property
    def losses(self) -> list[Any]:
        """What `layer.losses` lists after the call."""
        return [*self._activity, *(penalty(value) for _, penalty, value in self._penalized if penalty is not None)]

    def _checked(self, dy: Any) -> Any:
        given = flat(dy) if isinstance(self._structure, (list, tuple, dict)) else [dy]
        if len(given) != len(self._specs):
            raise ShapeError(f"{self._what}: dy must have {len(self._specs)} arrays, one per output, not {len(given)}.")
        if isinstance(dy, dict) and isinstance(self._structure, dict) and dy.keys() != self._structure.keys():
            raise ShapeError(f"{self._what}: dy must have the keys {list(self._structure)}, not {list(dy)}.")
        arrays = []
        for value, (shape, dtype) in zip(given, self._specs):
            if value is None and len(self._specs) > 1:
                arrays.append(np.zeros(shape, dtype))
                continue
            array = _convert.to_array(self._what, "dy", value)
            if array.shape != shape:
                raise ShapeError(f"{self._what}: dy must have the output's shape {shape}, not {array.shape}.")
            arrays.append(array.astype(dtype, copy=False))
        return packed(self._structure, arrays)


def vjp(layer: Layer, inputs: Any, training: bool | None, input_gradient: bool) -> tuple[Any, Pullback]:
    """The work of `Layer.vjp`. Within another vjp, the outermost one counts the penalties of the weights."""
    outermost = calls.updates is None
    updates = calls.updates = Updates() if calls.updates is None else calls.updates
    try:
        outputs, back = layer._linearized(inputs, training, input_gradient)
        activity = layer._own_losses() if outermost else ()
    finally:
        if outermost:
            calls.updates = None
    return outputs, Pullback(layer, outputs, back, updates, activity, penalized=outermost)


def differentiated(layer: Layer, inputs: Any, training: bool | None, wanted: bool) -> tuple[Any, Back | None]:
    """A layer's output within a model, and its pullback; None where there is nothing to give.

    Args:
        layer: the layer.
        inputs: its inputs.
        training: as for a call.
        wanted: whether anybody asks for the gradient by the inputs.
    """
    if not wanted and layer.built and not layer.trainable_weights:
        return layer(inputs, training=training), None
    return layer._linearized(inputs, training, wanted)


def with_activity(penalty: Any, outputs: Any, back: Back) -> Back:
    """`back` with the gradient of the outputs' penalty, each divided by the batch size."""

    def pullback(dy: Any) -> tuple[Any, Gradients]:
        total = []
        for given, output in zip(flat(dy), flat(outputs)):
            gradient = regularizers.gradient(penalty, output)
            total.append(given + (gradient / np.asarray(len(output), gradient.dtype) if len(output) else gradient))
        return back(packed(dy, total))

    return pullback


def trained(layer: Layer, variable: Variable | None) -> Variable | None:
    """`variable`, if a gradient by it is wanted."""
    return variable if variable is not None and variable.trainable and layer.trainable else None


def _finished(variable: Variable, gradient: Array | None) -> Array:
    if gradient is None:
        return np.zeros(variable.shape, variable.dtype)
    return gradient.astype(variable.dtype, copy=False)
