"""Callback: what training calls as it goes on; and History."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Logs = Mapping[str, float] | None
"""Losses and metrics by name: means over the epoch so far."""


class Callback:
    """Base class: override what is of interest. Each method is called with `logs`, losses and metrics by name.

    Attributes:
        model: the model in training. `model.stop_training = True` ends it after the batch.
        params: "epochs", "steps" (None where unknown) and "verbose".

    Example:
        >>> import numpy as np, tconv
        >>> class Stop(tconv.callbacks.Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         self.model.stop_training = epoch == 2
        >>> model = tconv.Sequential([tconv.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> history = model.fit(np.ones((4, 3)), np.ones((4, 1)), epochs=10, callbacks=[Stop()], verbose=0)
        >>> history.epoch
        [0, 1, 2]
    """

    model: Any = None
    params: Mapping[str, Any] | None = None

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs = None) -> None:
        """Before the first epoch of `fit`."""

    def on_train_end(self, logs: Logs = None) -> None:
        """After the last epoch, unless training was broken off by an exception."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch and its validation, whose logs begin with "val_"."""

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """What `on_train_batch_begin` calls."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """What `on_train_batch_end` calls."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a step on a batch, counted from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a step on a batch."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Before evaluating, also in `fit`."""

    def on_test_end(self, logs: Logs = None) -> None:
        """After evaluating, also in `fit`."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before evaluating a batch."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After evaluating a batch."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Before predicting."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """After predicting."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before predicting a batch."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After predicting a batch."""


class History(Callback):
    """What `fit` returns.

    Attributes:
        history: name -> one value per epoch: "loss", the metrics, and those of the validation as "val_...".
        epoch: the epochs, counted from 0.

    Example:
        >>> import numpy as np, tconv
        >>> model = tconv.Sequential([tconv.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(tconv.optimizers.SGD(0.0), "mse")
        >>> model.fit(np.ones((4, 3)), np.ones((4, 1)), epochs=2, verbose=0).history
        {'loss': [1.0, 1.0]}
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
