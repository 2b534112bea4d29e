"""The loop of `fit`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tconv import _args
from tconv.callbacks import Callback, History
from tconv.training import steps
from tconv.training.data import Batches
from tconv.training.progress import Progress


@dataclass(frozen=True)
class Plan:
    """What `fit` is to do.

    Attributes:
        batches: what to train on.
        epochs: which epochs, counted from 0.
        validation: what to evaluate after an epoch, or None.
        validated_every: after how many epochs.
    """

    batches: Batches
    epochs: range
    validation: Batches | None
    validated_every: int


class Hooks:
    """Callbacks, called one after the other."""

    def __init__(self, callbacks: list[Any]) -> None:
        self._callbacks = callbacks

    def __call__(self, name: str, *args: Any) -> None:
        for callback in self._callbacks:
            getattr(callback, name)(*args)


def hooks(
    model: Any, callbacks: Any, params: dict[str, Any], first: Sequence[Callback] = (), last: Sequence[Callback] = ()
) -> Hooks:
    """The user's callbacks between our own, told of the model.

    Raises:
        ValueError: one is no callback.
    """
    given = [] if callbacks is None else list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    for callback in given:
        if isinstance(callback, type) or not hasattr(callback, "set_model"):
            raise ValueError(f"callbacks: {_args.show(callback)} is no instance of tconv.callbacks.Callback.")
    called = Hooks([*first, *given, *last])
    called("set_model", model)
    called("set_params", params)
    return called


def run(model: Any, plan: Plan, callbacks: Any, verbose: int) -> History:
    """`fit`."""
    history = History()
    bar = Progress(verbose) if verbose else None
    params = {"epochs": plan.epochs.stop, "steps": plan.batches.steps, "verbose": verbose}
    call = hooks(model, callbacks, params, [bar] if bar else [], [history])
    model.stop_training, model.history = False, history
    logs: dict[str, float] = {}
    call("on_train_begin")
    try:
        for epoch in plan.epochs:
            call("on_epoch_begin", epoch)
            logs = _epoch(model, plan.batches, epoch, call)
            if plan.validation is not None and (epoch + 1) % plan.validated_every == 0:
                found = evaluated(model, plan.validation, call)
                logs.update({f"val_{name}": value for name, value in found.items()})
            call("on_epoch_end", epoch, logs)
            if model.stop_training:
                break
    finally:
        if bar:
            bar.close()
    call("on_train_end", logs)
    return history


def _epoch(model: Any, batches: Batches, epoch: int, call: Hooks) -> dict[str, float]:
    """Trains on all batches; the logs are means over them."""
    means = steps.Means()
    for number, batch in enumerate(batches.epoch(epoch)):
        call("on_train_batch_begin", number)
        means.add(*steps.trained(model, batch, f" (epoch {epoch + 1}, batch {number + 1})"))
        call("on_train_batch_end", number, means.logs())
        if model.stop_training:
            break
    return means.logs()


def evaluated(model: Any, batches: Batches, call: Hooks) -> dict[str, float]:
    """Losses and metrics over all batches."""
    means = steps.Means()
    call("on_test_begin")
    for number, batch in enumerate(batches.epoch(0)):
        call("on_test_batch_begin", number)
        means.add(*steps.tested(model, batch))
        call("on_test_batch_end", number, means.logs())
    call("on_test_end", means.logs())
    return means.logs()
