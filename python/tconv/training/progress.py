"""What a long computation tells: a bar on a terminal, one line per epoch."""

from __future__ import annotations

import sys
import time
from typing import Any

from tconv import _args
from tconv.callbacks.callback import Callback, Logs


def report(text: str) -> None:
    """Writes to the standard output, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def verbosity(what: str, verbose: Any) -> int:
    """0, 1 or 2; "auto" is 1.

    Raises:
        ValueError: it is something else.
    """
    if verbose == "auto" and isinstance(verbose, str):
        return 1
    try:
        number = _args.integer(what, "verbose", int(verbose) if isinstance(verbose, bool) else verbose)
    except TypeError:
        number = -1
    if number not in (0, 1, 2):
        raise ValueError(f"{what}: verbose={_args.show(verbose)} must be 0, 1, 2 or 'auto'.")
    return number


def line(logs: Any) -> str:
    """Losses and metrics in one line."""
    return ", ".join(f"{name} {value:.4g}" for name, value in logs.items())


class Progress(Callback):
    """Shows a bar by tqdm while an epoch runs, if `verbose` is 1, tqdm is installed and somebody looks; then a line."""

    def __init__(self, verbose: int) -> None:
        self._make = _bars() if verbose == 1 else None
        self._bar: Any = None
        self._start = 0.0
        self._label = ""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        params = self.params or {}
        self._label = f"Epoch {epoch + 1}/{params.get('epochs')}"
        self._start = time.perf_counter()
        if self._make is not None:
            self._bar = self._make(total=params.get("steps"), desc=self._label, leave=False)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(line(logs or {}), refresh=False)
            self._bar.update()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.close()
        report(f"{self._label}: {time.perf_counter() - self._start:.1f} s, {line(logs or {})}\n")

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _bars() -> Any:
    """tqdm, if there is a terminal or notebook to draw on; None else, and where it isn't installed."""
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm
