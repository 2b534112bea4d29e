"""Callbacks that watch whether a loss or metric gets better."""

from __future__ import annotations

import os
import warnings
from typing import Any

from tconv import _args, losses
from tconv.callbacks.callback import Callback, Logs

MODES = ("auto", "min", "max")
WEIGHTS = (".weights.h5", ".npz", ".safetensors")


class Monitor(Callback):
    """Compares the values of one entry of the logs.

    Args:
        monitor: its name.
        mode: whether the least ("min") or the largest ("max") is the best; "auto" for the least of losses.
        best: what is to be better than at first.
        min_delta: by how much, at least.

    Raises:
        ValueError: an argument is not valid.
    """

    def __init__(self, monitor: str, mode: str, best: Any = None, min_delta: float = 0) -> None:
        kind = type(self).__name__
        if not isinstance(monitor, str):
            raise ValueError(f"{kind}: monitor={_args.show(monitor)} must be the name of a loss or metric.")
        if mode not in MODES:
            raise ValueError(f"{kind}: mode={_args.show(mode)} must be one of {', '.join(MODES)}.")
        self.monitor = monitor
        self.mode = mode
        if mode == "auto":
            name = monitor.removeprefix("val_")
            if not any(name == known or name.endswith(f"_{known}") for known in ("loss", *losses.NAMES)):
                raise ValueError(f"{kind}: whether {monitor!r} is to be small or large is not known; give mode.")
            self.mode = "min"
        self.best = None if best is None else _args.number(kind, "best", best)
        self.min_delta = abs(_args.number(kind, "min_delta", min_delta))

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value is an improvement."""
        if than is None:
            return True
        return value + self.min_delta < than if self.mode == "min" else value - self.min_delta > than

    def current(self, logs: Logs) -> float | None:
        """The entry of the logs; warns if there is none."""
        found = (logs or {}).get(self.monitor)
        if found is None:
            kind, known = type(self).__name__, ", ".join(logs or {})
            warnings.warn(f"{kind}: there is no {self.monitor!r} among the logs; there are: {known}.", stacklevel=2)
        return found


class EarlyStopping(Monitor):
    """Ends training when a loss or metric no longer gets better.

    Args:
        monitor: its name in the logs.
        min_delta: a smaller change than this is none.
        patience: how many epochs without improvement are waited for; after the next one training ends.
        verbose: 1 to write when it ends.
        mode: "min", "max", or "auto", which is "min" for losses.
        baseline: what must be improved on from the start, or None.
        restore_best_weights: whether the model gets back the weights of its best epoch.
        start_from_epoch: epochs before this one are not looked at.

    Raises:
        ValueError: an argument is not valid.

    Example:
        >>> import numpy as np, tconv
        >>> model = tconv.Sequential([tconv.layers.Dense(1)])
        >>> model.compile(tconv.optimizers.SGD(0.0), "mse")
        >>> stop = tconv.callbacks.EarlyStopping("loss", patience=3)
        >>> len(model.fit(np.ones((4, 3)), np.ones((4, 1)), epochs=10, callbacks=[stop], verbose=0).epoch)
        4
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, None, min_delta)
        self.patience = _args.integer("EarlyStopping", "patience", patience, least=0)
        self.verbose = verbose
        self.baseline = None if baseline is None else _args.number("EarlyStopping", "baseline", baseline)
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = _args.integer("EarlyStopping", "start_from_epoch", start_from_epoch, least=0)
        self._begin()

    def _begin(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = None
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._begin()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        value = self.current(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        improved = self.better(value, self.best)
        if self.restore_best_weights and (improved or self.best_weights is None):
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        if improved:
            self.best, self.best_epoch = value, epoch
            if self.baseline is None or self.better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.stopped_epoch and self.verbose:
            self.model._report(f"Epoch {self.stopped_epoch + 1}: early stopping\n")
        if self.restore_best_weights and self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(Monitor):
    """Saves the model as training goes on. A file is replaced whole: at any time it is an old one or a new one.

    Args:
        filepath: ends in ".keras", or with `save_weights_only` as `save_weights` takes it. It may have "{epoch}",
            from 1, "{batch}" and names of the logs in it: "decoder-{epoch:02d}-{val_loss:.3f}.keras".
        monitor: what the best is judged by: its name in the logs.
        verbose: 1 to write when it saves.
        save_best_only: whether to save only when `monitor` is better than it was.
        save_weights_only: whether to save the weights, and the optimizer's state where the format has a place for it,
            but not the model.
        mode: "min", "max", or "auto", which is "min" for losses.
        save_freq: "epoch", or after how many batches to save.
        initial_value_threshold: what `monitor` must be better than at first, or None.

    Raises:
        ValueError: an argument is not valid.

    Example:
        >>> import tempfile, numpy as np, tconv
        >>> model = tconv.Sequential([tconv.layers.Dense(1, name="head")])
        >>> model.compile("adam", "mse")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = f"{folder}/model.keras"
        ...     saving = tconv.callbacks.ModelCheckpoint(path, "loss", save_best_only=True)
        ...     history = model.fit(np.ones((4, 3)), np.ones((4, 1)), callbacks=[saving], verbose=0)
        ...     tconv.saving.load_model(path).optimizer.iterations
        1
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode if save_best_only else "min", initial_value_threshold)
        self.verbose = verbose
        self.filepath = os.fspath(filepath)
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        by_epoch = isinstance(save_freq, str) and save_freq == "epoch"
        if not by_epoch and (isinstance(save_freq, bool) or not isinstance(save_freq, int) or save_freq < 1):
            raise ValueError(
                f"ModelCheckpoint: save_freq={_args.show(save_freq)} must be 'epoch' or a number of batches."
            )
        self.save_freq = save_freq
        self._every = None if by_epoch else int(save_freq)
        endings = WEIGHTS if save_weights_only else (".keras",)
        if not self.filepath.endswith(endings):
            raise ValueError(f"ModelCheckpoint: filepath={_args.show(self.filepath)} must end in {', '.join(endings)}.")
        self._epoch = self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        super().on_train_batch_end(batch, logs)
        self._batches += 1
        if self._every is not None and self._batches >= self._every:
            self._batches = 0
            self._save({**(logs or {}), "batch": batch + 1})

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self._every is None:
            self._save(logs or {})

    def _save(self, logs: Any) -> None:
        if self.save_best_only:
            value = self.current(logs)
            if value is not None and not self.better(value, self.best):
                return
            self.best = value if value is not None else self.best
        try:
            path = self.filepath.format(**{**logs, "epoch": self._epoch + 1})
        except (KeyError, IndexError, ValueError) as error:
            shown, known = _args.show(self.filepath), ", ".join(("epoch", *logs))
            raise ValueError(
                f"ModelCheckpoint: filepath={shown} cannot be filled in: {error}; there are: {known}."
            ) from None
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.verbose:
            self.model._report(f"Epoch {self._epoch + 1}: saved to {path}\n")
