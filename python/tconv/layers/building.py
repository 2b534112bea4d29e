"""What the layers of a process share: their names, the calls that run, and how a layer is built."""

from __future__ import annotations

import collections
import functools
import inspect
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tconv import _args

if TYPE_CHECKING:
    from tconv._convert import Array
    from tconv.variable import Variable

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


class Updates:
    """New values of variables that are not trained, gathered instead of assigned."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[Variable, Array]] = {}

    def value(self, variable: Variable) -> Array:
        """The variable's value as it will be."""
        return self._values[id(variable)][1] if id(variable) in self._values else variable.value

    def assign(self, variable: Variable, value: Array) -> None:
        self._values[id(variable)] = (variable, value)

    def pairs(self) -> tuple[tuple[Variable, Array], ...]:
        return tuple(self._values.values())


class _Calls(threading.local):
    """What this thread is inside of."""

    def __init__(self) -> None:
        self.layers: list[Any] = []  # called or being built, outermost first
        self.training: bool | None = None  # what the innermost call was told
        self.updates: Updates | None = None  # where a vjp gathers them; None outside of one

    def enter(self, layer: Any, training: bool | None) -> bool | None:
        """Begins a call; returns what `leave` needs."""
        before, self.training = self.training, training
        self.layers.append(layer)
        return before

    def leave(self, before: bool | None) -> None:
        self.layers.pop()
        self.training = before


class CallOptions(NamedTuple):
    """What a layer's `call` takes beside its inputs."""

    names: frozenset[str]
    any_name: bool  # it has **kwargs
    training: bool | None  # what it is where nobody says

    @classmethod
    def of(cls, call: Callable[..., Any]) -> CallOptions:
        parameters = inspect.signature(call).parameters
        default = parameters["training"].default if "training" in parameters else None
        return cls(
            frozenset(parameters),
            any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()),
            None if default is inspect.Parameter.empty else default,
        )

    def completed(self, layer_name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """`options` as Keras records them: with the default of `training`, if it is not None.

        Raises:
            TypeError: `call` does not take one of them.
        """
        unknown = sorted(map(_args.show, set(options) - self.names - {"training"}))
        if unknown and not self.any_name:
            raise TypeError(f"Layer '{layer_name}': call() does not take {', '.join(unknown)}.")
        known = {} if self.training is None or "training" in options else {"training": self.training}
        return {**options, **known}


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
            shape = self._checked_shape(self._known_shape() if input_shape is None else input_shape)
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
