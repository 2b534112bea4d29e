"""One batch: a step of training, or an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tconv._convert import Array
from tconv.layers.structure import flat, packed
from tconv.training.data import Batch
from tconv.training.objective import Measured, Objective


class Means:
    """Means of losses and metrics over batches of different sizes."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, measured: Measured, count: int) -> None:
        """Adds a batch of `count` examples."""
        for name, (value, size) in {"loss": (float(measured.loss), count), **measured.parts}.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * size
            self._counts[name] = self._counts.get(name, 0) + size

    def logs(self) -> dict[str, float]:
        """The means so far, by name."""
        return {name: total / max(self._counts[name], 1) for name, total in self._sums.items()}


def trained(model: Any, batch: Batch, where: str) -> tuple[Measured, int]:
    """A step of training: weights, moving statistics and the optimizer's state change together, or not at all.

    Args:
        model: compiled.
        batch: inputs, targets, weights.
        where: said in errors, after "step 3".

    Returns:
        Losses and metrics, as they were before the step, and the number of examples.

    Raises:
        FloatingPointError: the loss or a gradient is infinite or not a number; nothing has changed.
        ValueError: the batch does not fit the model.
    """
    outputs, pullback = model.vjp(batch.x, training=True, input_gradient=False)
    measured = _measured(model, outputs, batch, gradient=True)
    total = measured.loss + sum(pullback.losses)
    optimizer = model.optimizer
    if not np.isfinite(total):
        raise FloatingPointError(_broken(f"the loss is {float(total)}", optimizer, where))
    slopes = [
        np.zeros_like(np.asarray(output)) if slope is None else slope
        for output, slope in zip(flat(outputs), measured.slopes)
    ]
    _, gradients = pullback(packed(outputs, slopes))
    weights = model.trainable_weights
    for weight, gradient in zip(weights, gradients):
        if not np.isfinite(gradient).all():
            raise FloatingPointError(_broken(f"the gradient of '{weight.path}' is not finite", optimizer, where))
    optimizer.apply(gradients, weights, also=pullback.updates)
    return measured._replace(loss=total), _count(outputs)


def tested(model: Any, batch: Batch) -> tuple[Measured, int]:
    """Losses and metrics of a batch, and its number of examples.

    Raises:
        ValueError: the batch does not fit the model.
    """
    outputs = model(batch.x, training=False)
    measured = _measured(model, outputs, batch, gradient=False)
    return measured._replace(loss=measured.loss + sum(model.losses)), _count(outputs)


def _measured(model: Any, outputs: Any, batch: Batch, gradient: bool) -> Measured:
    objective: Objective = model._objective
    names = names_of(model, outputs)
    targets = _targets(model, names, outputs, batch.y)
    arrays: list[Array] = [np.asarray(output) for output in flat(outputs)]
    return objective.measure(names, targets, arrays, batch.weight, gradient)


def names_of(model: Any, outputs: Any) -> Sequence[str]:
    """The names of outputs, in the order in which they lie flat: keys, or layers."""
    if isinstance(outputs, Mapping):
        return sorted(outputs)
    count = len(flat(outputs))
    names = list(getattr(model, "output_names", ()))
    return names if len(names) == count else [f"output_{number}" for number in range(count)]


def _targets(model: Any, names: Sequence[str], outputs: Any, y: Any) -> list[Any]:
    """The targets of each output.

    Raises:
        ValueError: there is not one for each, or one for something else.
    """
    if isinstance(y, Mapping):
        unknown = sorted(set(map(str, y)) - set(names))
        if unknown:
            raise ValueError(f"Model '{model.name}' has no outputs {unknown}; they are {list(names)}.")
        return [y.get(name) for name in names]
    if len(names) == 1 and not isinstance(outputs, (list, tuple)):
        return [y]
    several = list(y) if isinstance(y, (list, tuple)) else [y]
    if len(several) != len(names):
        raise ValueError(f"Model '{model.name}' has the outputs {list(names)}; there are targets for {len(several)}.")
    return several


def _count(outputs: Any) -> int:
    first = flat(outputs)[0]
    return len(first) if np.ndim(first) else 1


def _broken(what: str, optimizer: Any, where: str) -> str:
    return (
        f"fit: {what} in step {optimizer.iterations + 1}{where}; the weights are those before that step: try a lower "
        "learning rate or clipped gradients, and look for NaN in the data."
    )
