"""What the layers of a process share: their names, the calls that run, and how a layer is built."""

from __future__ import annotations

import collections
import functools
import threading
from collections.abc import Callable
from typing import Any

from tconv import _args

Shape = tuple[Any, ...]
"""Extents; None where one is not known."""


class _Names:
    """`conv2d_transpose`, `conv2d_transpose_1`, ...: Keras' automatic names."""

    def __init__(self) -> None:
        self._taken: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def next(self, prefix: str) -> str:
        with self._lock:
            count = self._taken[prefix]
            self._taken[prefix] += 1
        return f"{prefix}_{count}" if count else prefix


class _Calls(threading.local):
    """The layers whose calls or builds this thread is inside of, outermost first."""

    def __init__(self) -> None:
        self.layers: list[Any] = []


class Losses(threading.local):
    """What `add_loss` was given during this thread's last call of a layer."""

    def __init__(self) -> None:
        self.values: list[Any] = []


names = _Names()
calls = _Calls()


def recording(build: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Makes a `build` method run once, whole or not at all, and remember its shape and path."""

    @functools.wraps(build)
    def recorded(self: Any, input_shape: Any = None) -> None:
        with self._lock:
            if self._building:  # super().build() inside a build()
                build(self, input_shape)
                return
            shape = checked_shape(self.name, self._known_shape() if input_shape is None else input_shape)
            if self.built:
                self._check_rebuild(shape)
                return
            before = self.__dict__.copy()
            self._variables, self._fixed_variables = list(self._variables), list(self._fixed_variables)
            entered = self not in calls.layers
            if entered:
                calls.layers.append(self)
            self._building = True
            try:
                self._path = "/".join(layer.name for layer in calls.layers)
                build(self, shape)
                self._build_shape = shape
                if self._initial_weights is not None:
                    self._assign_all(self._initial_weights)
                self._building = False
                self.built = True
            except BaseException:
                self.__dict__ = before
                raise
            finally:
                if entered:
                    calls.layers.pop()

    return recorded


def checked_shape(layer_name: str, shape: Any) -> Shape:
    """A shape as a tuple of non-negative ints and None.

    Raises:
        ValueError: it is something else.
    """
    try:
        return _args.some_extents(layer_name, "input_shape", shape, ())
    except TypeError as error:
        raise ValueError(str(error)) from None


def batch_shape_argument(kind: str, kwargs: dict[str, Any]) -> Shape | None:
    """The shape that `input_shape` or `batch_input_shape` gives, with a batch axis."""
    shape, batch_shape = kwargs.pop("input_shape", None), kwargs.pop("batch_input_shape", None)
    if shape is not None and batch_shape is not None:
        raise ValueError(f"{kind}: input_shape and batch_input_shape cannot be given together.")
    if shape is not None:
        return (None, *checked_shape(kind, shape))
    return None if batch_shape is None else checked_shape(kind, batch_shape)
