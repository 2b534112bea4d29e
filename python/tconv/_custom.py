"""The user's own classes and functions, by the names that configs give them.

This is the one table of the process that grows: a file can only name what was registered, never what could be imported.
It is replaced as a whole under a lock, so that a reader sees one state of it.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")


class _Registered:
    """Names that are handed out once."""

    def __init__(self) -> None:
        self.objects: Mapping[str, Any] = MappingProxyType({})
        self._lock = threading.Lock()

    def add(self, name: str, entry: Any) -> None:
        with self._lock:
            before = self.objects.get(name, entry)
            if before is not entry and _origin(before) != _origin(entry):
                raise ValueError(f"register_serializable: '{name}' is the name of {before!r} already; choose another.")
            self.objects = MappingProxyType({**self.objects, name: entry})


_registered = _Registered()


def register_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Decorates a class or function that configs and files may name, as "package>name".

    A class needs `get_config` and `from_config`, which `tconv.layers.Layer` has. Defining the same class again, as a
    notebook does, replaces it.

    Args:
        package: the first part of the name.
        name: the second part; None for the object's own.

    Raises:
        ValueError: a part is not a name, another object has it, or a class has no `get_config`.

    Example:
        >>> import tconv
        >>> @tconv.saving.register_serializable("docs")
        ... def halved(x):
        ...     return x / 2
        >>> layer = tconv.layers.Conv2DTranspose(8, 3, activation=halved)
        >>> layer.get_config()["activation"]["config"]
        'docs>halved'
        >>> tconv.activations.get("docs>halved") is halved
        True
    """
    for part in (package, name):
        if part is not None and (not isinstance(part, str) or not part or ">" in part):
            raise ValueError(f"register_serializable: {part!r} must be a name without '>'.")

    def register(entry: T) -> T:
        if inspect.isclass(entry) and not hasattr(entry, "get_config"):
            raise ValueError(f"register_serializable: {entry.__name__} has no get_config().")
        own = name or getattr(entry, "__name__", None)
        if own is None or own == "<lambda>" or not callable(entry):
            raise ValueError(f"register_serializable: {entry!r} is not a class or function with a name; give `name`.")
        _registered.add(f"{package}>{own}", entry)
        return entry

    return register


def get_registered_object(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What is registered as `name`, or else has that name in `custom_objects`; None if nothing is.

    Example:
        >>> import tconv
        >>> tconv.saving.get_registered_object("docs>nothing") is None
        True
    """
    found = _registered.objects.get(name)
    return (custom_objects or {}).get(name) if found is None else found


def get_registered_name(entry: Any) -> str:
    """The "package>name" that a class or function is registered as, or else its own name.

    Example:
        >>> import tconv
        >>> tconv.saving.get_registered_name(tconv.layers.Conv2DTranspose)
        'Conv2DTranspose'
    """
    return registered_name(entry) or str(entry.__name__)


def registered_name(entry: Any) -> str | None:
    """The name that an object is registered as; None if it is not."""
    return next((name for name, other in _registered.objects.items() if other is entry), None)


def _origin(entry: Any) -> tuple[Any, Any]:
    return getattr(entry, "__module__", None), getattr(entry, "__qualname__", None)
