"""The weights of a layer, and of the layers in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tconv import _args, _convert, constraints, initializers, regularizers
from tconv._convert import Array
from tconv.layers.dtype_policy import DTypePolicy
from tconv.variable import Variable


class Weighted:
    """The part of a layer that keeps its weights."""

    def __init__(self, name: str, trainable: bool, policy: DTypePolicy) -> None:
        self._name = name
        self._trainable = trainable
        self._policy = policy
        self._path: str | None = None
        self._variables: list[Variable] = []  # those made to be trained
        self._fixed_variables: list[Variable] = []  # the others
        self.built = False
        self._renew()

    def _renew(self) -> None:
        """Makes what is never copied or pickled."""
        self._lock = threading.RLock()

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Makes a weight of this layer.

        Args:
            shape: its shape, without None.
            initializer: a name, config, callable or array; None for "glorot_uniform".
            dtype: None for `variable_dtype`.
            trainable: whether `trainable_weights` lists it.
            regularizer: a penalty on it, in `losses`.
            constraint: a projection after an optimizer's step.
            name: None for "variable".

        Raises:
            ValueError: the shape has extents that are not integers, or a name is unknown.
            RuntimeError: the layer is built already.
        """
        if self.built:
            raise RuntimeError(f"Layer '{self.name}' is built: weights are added in `__init__()` or `build()`.")
        name = "variable" if name is None else name
        if not isinstance(name, str):
            raise ValueError(f"Layer '{self.name}': a weight's name must be a string, not {_args.show(name)}.")
        path = f"{self._path or self.name}/{name}"
        try:
            shape = _args.extents(path, "shape", shape, ())
        except TypeError as error:
            raise ValueError(
                "Shapes used to initialize variables must be fully-defined (no `None` dimensions). "
                f"Received: shape={_args.show(shape)} for variable path='{path}'"
            ) from error
        variable = Variable(
            initializers.get("glorot_uniform" if initializer is None else initializer),
            shape,
            self._policy.variable_dtype if dtype is None else dtype,
            trainable and self._trainable,
            name,
            path=path,
            regularizer=regularizers.get(regularizer),
            constraint=constraints.get(constraint),
        )
        (self._variables if trainable else self._fixed_variables).append(variable)
        return variable

    def _sublayers(self) -> Iterator[Weighted]:
        """The layers held in attributes, in the order in which they were set."""
        seen: set[int] = set()
        for value in tuple(self.__dict__.values()):
            if isinstance(value, Mapping):
                value = tuple(value.values())
            for item in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(item, Weighted) and id(item) not in seen:
                    seen.add(id(item))
                    yield item

    @property
    def weights(self) -> list[Variable]:
        """All weights: the trainable ones of this layer, its others, then those of the layers in it."""
        found = self._variables + self._fixed_variables
        found = found + [weight for layer in self._sublayers() for weight in layer.weights]
        return list({id(weight): weight for weight in found}.values())

    def _states(self) -> list[Variable]:
        """State that is no weight, of this layer and those in it: what random numbers go on from."""
        return [state for layer in self._sublayers() for state in layer._states()]

    @property
    def variables(self) -> list[Variable]:
        """All state: `weights`, and what random numbers go on from."""
        return list({id(variable): variable for variable in self.weights + self._states()}.values())

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes; none if the layer is not trainable."""
        return [weight for weight in self.weights if weight.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training leaves alone."""
        return [weight for weight in self.weights if not (weight.trainable and self.trainable)]

    trainable_variables = trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """`variables` without those that training changes."""
        trained = set(map(id, self.trainable_weights))
        return [variable for variable in self.variables if id(variable) not in trained]

    @property
    def trainable(self) -> bool:
        """Whether training may change the weights; setting it sets it for all weights and layers within."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        try:
            self._trainable = bool(value)
        except Exception as error:  # an array of several
            raise ValueError(f"Layer '{self.name}': trainable={_args.show(value)} must be a boolean.") from error
        for variable in self._variables:
            variable.trainable = self._trainable
        for layer in self._sublayers():
            layer.trainable = self._trainable

    def get_weights(self) -> list[Array]:
        """Copies of the values of `weights`."""
        with self._lock:
            return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replaces the values of `weights` by copies of arrays of the same shapes: all of them, or none.

        A call in another thread meets, of each layer, either the old weights or the new ones.

        Raises:
            ValueError: the number of arrays or a shape is another.
            TypeError: an array does not hold real numbers.
        """
        self._assign_all(weights)

    def _assign_all(self, values: Sequence[Any]) -> None:
        variables = self.weights
        count = _args.count(values)
        if count is None:
            raise ValueError(f"Layer '{self.name}': weights must be a sequence of arrays, not {type(values).__name__}.")
        if count != len(variables):
            raise ValueError(
                f"You called `set_weights(weights)` on layer '{self.name}' with a weight list of length {count}, "
                f"but the layer was expecting {len(variables)} weights."
            )
        arrays = [
            _convert.to_array(variable.path, "value", value)
            for variable, value in zip(variables, _args.entries(self.name, "weights", values))
        ]
        for variable, array in zip(variables, arrays):
            if variable.shape != array.shape:
                raise ValueError(
                    f"Layer {self.name} weight shape {variable.shape} is not compatible with provided weight shape "
                    f"{array.shape}."
                )
        self._assign({id(variable): array for variable, array in zip(variables, arrays)})

    def _assign(self, values: Mapping[int, Array]) -> None:
        """Assigns to this layer's weights, by identity, and then to those of the layers in it."""
        with self._lock:
            for variable in self._variables + self._fixed_variables:
                variable.assign(values[id(variable)])
        for layer in self._sublayers():
            layer._assign(values)

    def count_params(self) -> int:
        """The number of scalars in `weights`.

        Raises:
            ValueError: the layer has no weights yet.
        """
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer '{self.name}', but the layer isn't built. You can build it "
                "manually via: `layer.build(input_shape)`."
            )
        return sum(weight.size for weight in self.weights)


def copies(kind: str, values: Any) -> list[Array]:
    """Copies of arrays.

    Raises:
        ValueError: it is not a sequence.
        TypeError: an entry does not hold real numbers.
    """
    if not isinstance(values, (list, tuple)):
        raise ValueError(f"{kind}: `weights` must be a list of arrays. Received: {type(values).__name__}")
    return [np.array(_convert.to_array(kind, f"weights[{i}]", value)) for i, value in enumerate(values)]
