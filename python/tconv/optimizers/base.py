"""Optimizer: from gradients to new values of weights, with state that is kept in variables.

A step computes new values of the weights and of the optimizer's own variables, and then replaces all of them or none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tconv import _args, _convert
from tconv._convert import Array
from tconv.optimizers.clipping import clipped
from tconv.optimizers.configured import Configured, Rate
from tconv.variable import Update, Variable, replace_all

Slots = Mapping[str, Array]
"""The arrays that an optimizer keeps for one weight, by name, each of its shape and dtype."""


class Optimizer(Configured):
    """Base class: override `slots` and `step`.

    Args:
        learning_rate: a number of at least 0; a `schedules.LearningRateSchedule`, called with the number of steps
            before; or a callable without arguments.
        weight_decay: d: before each step a weight loses its learning_rate * d-th part. None for none.
        clipnorm: the largest Euclidean norm of each gradient; a larger one is scaled down.
        clipvalue: the largest absolute value in a gradient; larger ones are set to it.
        global_clipnorm: the largest Euclidean norm of all gradients together. At most one of the three.
        name: None for the class's name in snake case.
        **common: also use_ema, ema_overwrite_frequency, loss_scale_factor and gradient_accumulation_steps, which
            configs have: other values than Keras' defaults are refused.

    Raises:
        ValueError: an argument is not valid or not known.

    Example:
        >>> import numpy as np, tconv
        >>> class Signs(tconv.optimizers.Optimizer):
        ...     def step(self, value, gradient, slots, learning_rate, iteration):
        ...         return value - learning_rate * np.sign(gradient), {}
        >>> weight = tconv.Variable([1.0, 2.0])
        >>> Signs(learning_rate=0.5).apply([[3.0, -4.0]], [weight])
        >>> weight.value.tolist()
        [0.5, 2.5]
    """

    def __init__(self, learning_rate: Rate = 0.001, **common: Any) -> None:
        super().__init__(learning_rate, **common)
        self._trained: tuple[Variable, ...] | None = None
        self._state: tuple[dict[str, Variable], ...] = ()
        self._ordered: tuple[Variable, ...] = ()
        self._lock = threading.Lock()

    # ---- what subclasses say

    def slots(self) -> Sequence[tuple[str, ...]]:
        """The names of the arrays kept for each weight, in groups; override it if there are any.

        In files the groups come one after the other, within a group the weights, within a weight the names.
        """
        return ()

    def step(
        self, value: Array, gradient: Array, slots: Slots, learning_rate: float, iteration: int
    ) -> tuple[Array, Slots]:
        """A weight and its slots after a step; a pure function, to be overridden.

        Args:
            value: the weight, float32 or float64; not to be written to.
            gradient: clipped, of the same shape and dtype; not to be written to.
            slots: what the last step gave, zeros at first; not to be written to.
            learning_rate: of this step.
            iteration: how many steps there were before.
        """
        raise NotImplementedError(f"Optimizer {type(self).__name__} does not have a `step()` method implemented.")

    # ---- state

    @property
    def built(self) -> bool:
        """Whether it has the state for some weights."""
        return self._trained is not None

    @property
    def variables(self) -> list[Variable]:
        """Its state, in the order of Keras' files: the iteration, the learning rate if it is a number, the slots."""
        rate = [self._rate] if isinstance(self._rate, Variable) else []
        return [self._iterations, *rate, *self._ordered]

    @property
    def slotless(self) -> int:
        """How many of `variables` there are before the first step."""
        return 1 + isinstance(self._rate, Variable)

    def build(self, variables: Iterable[Variable]) -> None:
        """Makes the state for some weights, unless it is there.

        Raises:
            ValueError: it has state, for other weights.
        """
        trained = tuple(variables)
        if self._trained is not None:
            self._check_known(trained)
            return
        state: tuple[dict[str, Variable], ...] = tuple({} for _ in trained)
        ordered = []
        for group in self.slots():
            for variable, slots in zip(trained, state):
                for slot in group:
                    name = f"{variable.path.replace('/', '_')}_{slot}"
                    zeros = np.broadcast_to(np.zeros((), variable.dtype), variable.shape)
                    slots[slot] = Variable(
                        zeros, dtype=variable.dtype.name, trainable=False, name=name, path=f"{self.name}/{name}"
                    )
                    ordered.append(slots[slot])
        self._trained, self._state, self._ordered = trained, state, tuple(ordered)

    def _check_known(self, variables: Sequence[Variable]) -> None:
        known = set(map(id, self._trained or ()))
        unknown = [variable.path for variable in variables if id(variable) not in known]
        if unknown:
            raise ValueError(
                f"{type(self).__name__}: it was not built for {_args.show(unknown)}; compile the model again, with a "
                "new optimizer."
            )

    # ---- steps

    def updates(self, gradients: Sequence[Any], variables: Sequence[Variable]) -> list[Update]:
        """Pairs of a variable and its value after a step, its own variables among them; nothing is assigned.

        Args:
            gradients: one for each variable, of its shape.
            variables: the weights.

        Raises:
            ValueError: numbers or shapes differ, or it was built for other weights.
            TypeError: a gradient is no array of real numbers.
        """
        variables = list(variables)
        kind = type(self).__name__
        if len(gradients) != len(variables):
            raise ValueError(
                f"{kind}: there must be one gradient per variable, not {len(gradients)}, {len(variables)}."
            )
        arrays = [_gradient(kind, variable, given) for variable, given in zip(variables, gradients)]
        if not variables:
            return []
        self.build(variables)
        places = {id(variable): place for place, variable in enumerate(self._trained or ())}
        rate, iteration = self.learning_rate, self.iterations
        if iteration < 0:  # out of a file
            raise ValueError(f"{kind}: iteration={iteration} must be at least 0; compile the model again.")
        found: list[Update] = []
        with np.errstate(all="ignore"):
            arrays = clipped(arrays, self.clipnorm, self.clipvalue, self.global_clipnorm)
            for variable, gradient in zip(variables, arrays):
                state = self._state[places[id(variable)]]
                value = _wide(variable.value)
                if self.weight_decay is not None:
                    value = value * value.dtype.type(1 - self.weight_decay * rate)
                slots = {name: _wide(slot.value) for name, slot in state.items()}
                new, slots_after = self.step(value, gradient, slots, rate, iteration)
                if variable.constraint is not None:
                    new = variable.constraint(new)
                found.append((variable, new))
                found += [(state[name], after) for name, after in slots_after.items()]
        return [*found, (self._iterations, np.asarray(iteration + 1))]

    def apply(
        self, gradients: Sequence[Any], variables: Sequence[Variable] | None = None, also: Iterable[Update] = ()
    ) -> None:
        """One step: the weights get their new values, projected by their constraints.

        Args:
            gradients: one for each variable, of its shape.
            variables: the weights; None for those it was built for.
            also: other variables and their values after the step, as in a pullback's `updates`.

        Raises:
            ValueError: numbers or shapes differ, or it was built for other weights or none.
            TypeError: a gradient is no array of real numbers.
        """
        if variables is None:
            if self._trained is None:
                raise ValueError(f"{type(self).__name__}: give the variables, or call build(variables) first.")
            variables = self._trained
        with self._lock:
            replace_all([*self.updates(gradients, variables), *also])

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> None:
        """`apply` of pairs."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])

    # ---- copies

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, iterations={self.iterations}>"


def _gradient(kind: str, variable: Variable, given: Any) -> Array:
    array = _convert.to_array(kind, f"gradient of '{variable.path}'", given)
    if array.shape != variable.shape:
        raise ValueError(
            f"{kind}: the gradient of '{variable.path}' must have shape {variable.shape}, not {array.shape}."
        )
    return array.astype(np.float32 if variable.dtype.itemsize == 2 else variable.dtype, copy=False)


def _wide(array: Array) -> Array:
    """An array in the dtype that steps compute in."""
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array
