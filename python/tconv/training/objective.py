"""What is minimized and what is measured: a loss and metrics for each output of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tconv import _args, losses
from tconv._convert import Array
from tconv.losses import Loss


class Measured(NamedTuple):
    """A batch's losses and metrics."""

    loss: Any
    """The weighted sum of the outputs' losses."""
    parts: dict[str, tuple[float, int]]
    """What else the logs show: means, and how many values each is the mean of."""
    slopes: list[Array | None]
    """The gradient of the loss by each output; empty where nobody asked."""


class Metric(NamedTuple):
    """A function of targets and predictions, averaged."""

    name: str
    function: Callable[[Any, Any], Any]

    def __call__(self, y_true: Any, y_pred: Any) -> tuple[float, int]:
        values = np.asarray(self.function(y_true, y_pred))
        return float(np.mean(values)) if values.size else 0.0, values.size if values.ndim else len(y_pred)


class Objective:
    """Losses, their weights and metrics, as `compile` was given them.

    Args:
        loss: one for all outputs, or a list or dictionary of one for each; None for none.
        loss_weights: a factor of each, arranged likewise; None for 1.
        metrics: a list of names of losses, or functions of targets and predictions; for several outputs a list or
            dictionary of such lists.
        names: the outputs' names; None where they are not known before the first batch.

    Raises:
        ValueError: something is not known, or there is not one for each output.
        TypeError: a loss cannot be differentiated.
    """

    def __init__(self, loss: Any, loss_weights: Any, metrics: Any, names: Sequence[str] | None) -> None:
        self._loss = _each(loss, _loss)
        self._weights = _each(loss_weights, _weight)
        self._metrics = _checked_metrics(metrics)
        if names is not None:
            self.by_output(names)

    @property
    def empty(self) -> bool:
        """Whether nothing is minimized but what the layers add."""
        found = self._loss.values() if isinstance(self._loss, Mapping) else self._loss
        return not any(found if isinstance(self._loss, (list, Mapping)) else [self._loss])

    def by_output(self, names: Sequence[str]) -> list[tuple[Loss | None, float, list[Metric]]]:
        """Loss, factor and metrics of each output.

        Raises:
            ValueError: there is not one for each output.
        """
        found = [_spread("loss", self._loss, names), _spread("loss_weights", self._weights, names)]
        weights = [1.0 if weight is None else weight for weight in found[1]]
        return list(zip(found[0], weights, self._metrics_of(names)))

    def _metrics_of(self, names: Sequence[str]) -> list[list[Metric]]:
        given = self._metrics
        if isinstance(given, Mapping):
            return [found or [] for found in _spread("metrics", given, names)]
        if len(names) == 1:
            return [[metric for entry in given for metric in entry]]
        if given and len(given) != len(names):
            raise ValueError(f"compile: metrics must have one list for each of the {len(names)} outputs, or be a dict.")
        return list(given) or [[] for _ in names]

    def measure(
        self, names: Sequence[str], targets: Sequence[Any], outputs: Sequence[Any], weight: Any, gradient: bool
    ) -> Measured:
        """Losses and metrics of a batch, and on request the gradients by the outputs.

        Raises:
            ValueError: the targets do not fit the outputs.
        """
        several, slopes = len(names) > 1, list[Array | None]()
        total: Any = None
        parts: dict[str, tuple[float, int]] = {}
        for name, (loss, factor, metrics), y_true, y_pred in zip(names, self.by_output(names), targets, outputs):
            slope = None
            if loss is not None:
                if y_true is None:
                    raise ValueError(f"There are no targets for the output '{name}', which has a loss.")
                if gradient:
                    value, slope = loss.value_and_gradient(y_true, y_pred, weight)
                    slope = slope if factor == 1 else slope * slope.dtype.type(factor)
                else:
                    value = loss(y_true, y_pred, weight)
                if several:
                    parts[f"{name}_loss"] = (float(value), len(y_pred))
                value = value if factor == 1 else value * factor
                total = value if total is None else total + value
            slopes.append(slope)
            for metric in metrics:
                parts[f"{name}_{metric.name}" if several else metric.name] = metric(y_true, y_pred)
        return Measured(np.float32(0) if total is None else total, parts, slopes)


def _each(given: Any, check: Callable[[Any], Any]) -> Any:
    """One, or a list or dictionary of several, checked."""
    if isinstance(given, Mapping) and "class_name" not in given:
        return {str(name): check(entry) for name, entry in given.items()}
    return [check(entry) for entry in given] if isinstance(given, (list, tuple)) else check(given)


def _loss(given: Any) -> Loss | None:
    if given is None:
        return None
    loss = losses.reducing(given)
    if loss.reduction in (None, "none"):
        raise ValueError(f"compile: loss {loss.name!r} has no reduction, and training needs one number.")
    return loss


def _weight(given: Any) -> float | None:
    return None if given is None else _args.number("compile", "loss_weights", given)


def _metric(given: Any) -> Metric:
    if isinstance(given, str):
        found = losses.get(given)
        assert found is not None
        return Metric(given, found)
    if not callable(given) or isinstance(given, type):
        raise ValueError(f"compile: metric {_args.show(given)} is neither a loss's name nor a function.")
    name = getattr(given, "name", getattr(given, "__name__", None))
    if not isinstance(name, str):
        raise ValueError(f"compile: metric {_args.show(given)} has no name.")
    return Metric(name, given)


def _checked_metrics(given: Any) -> Any:
    """A list of lists, or a dictionary of lists."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return {str(name): _listed(entry) for name, entry in given.items()}
    if not isinstance(given, (list, tuple)):
        raise ValueError(f"compile: metrics={_args.show(given)} must be a list or dictionary.")
    return [_listed(entry) for entry in given]


def _listed(entry: Any) -> list[Metric]:
    several = entry if isinstance(entry, (list, tuple)) else [] if entry is None else [entry]
    return [_metric(one) for one in several]


def _spread(what: str, given: Any, names: Sequence[str]) -> list[Any]:
    """One for each output."""
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise ValueError(f"compile: {what} is for {_args.show(unknown)}; the outputs are {list(names)}.")
        return [given.get(name) for name in names]
    if isinstance(given, list):
        if len(given) != len(names):
            raise ValueError(f"compile: {what} has {len(given)} entries for {len(names)} outputs.")
        return given
    return [given] * len(names)
