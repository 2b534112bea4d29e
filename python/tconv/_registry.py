"""Name <-> class for every family: activations, initializers, regularizers, constraints, layers.

A family is a fixed table. Nothing named in a config is imported or executed: a name is looked up in the table, in the
`custom_objects` that the caller hands over and in what was registered by `register_serializable`, and anything else is
refused. Both spellings of a config are read:

    Keras 3   {"module": "keras.initializers", "class_name": "Ones", "config": {}, "registered_name": null}
    tf.keras  {"class_name": "Ones", "config": {}}

and Keras 3's is written.
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from tconv import _custom

T = TypeVar("T")
Objects = Mapping[str, Any]

# What the module in a config may start with; it says who wrote the config, and is never imported.
_ROOTS = frozenset({"keras", "tf_keras", "tensorflow", "tconv", "builtins"})


def snake_case(name: str) -> str:
    """`Conv2DTranspose` -> `conv2d_transpose`, as Keras names its objects.

    Example:
        >>> snake_case("Conv2DTranspose"), snake_case("L1L2"), snake_case("LeakyReLU")
        ('conv2d_transpose', 'l1l2', 'leaky_re_lu')
    """
    return re.sub(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", re.sub(r"\W+", "", name)).lower()


class Configurable:
    """An object that is exactly its constructor's arguments, kept as attributes of the same names."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments by name.

        Raises:
            NotImplementedError: an argument has no attribute of its name: the class needs a `get_config` of its own.
        """
        names = _parameters(type(self))
        missing = [name for name in names if not hasattr(self, name)]
        if missing:
            raise NotImplementedError(f"{type(self).__name__} has no attributes {missing}: give it a get_config().")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls: type[T], config: Mapping[str, Any]) -> T:
        """The object that `get_config` described.

        Raises:
            ValueError: the config has keys that the constructor does not know.
        """
        check_keys(cls, config)
        return cls(**config)

    def __repr__(self) -> str:
        """What makes it again, where its class is imported, and numpy as np if it holds an array."""
        config: Mapping[str, Any] = self.get_config()
        arguments = {name: getattr(self, name, config.get(name)) for name in _parameters(type(self))}
        defaults = {name: parameter.default for name, parameter in _parameters(type(self)).items()}
        shown = [f"{name}={pasted(v)}" for name, v in arguments.items() if not _same(v, defaults[name])]
        return f"{type(self).__name__}({', '.join(shown)})"


class Family(Generic[T]):
    """A fixed table of named classes or functions, all of one kind.

    Args:
        kind: what a member is called in messages, e.g. "initializer".
        module: Keras' name of the module that holds the family, written into configs.
        members: the classes or functions. Each is found under its own name and its snake_case name.
        aliases: further names. A member is always written under its own name.
        modules: for single members, another module than the family's.
    """

    def __init__(
        self,
        kind: str,
        module: str,
        members: Iterable[Any],
        aliases: Mapping[str, Any] | None = None,
        modules: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.module = module
        table = {member.__name__: member for member in members}
        self.names = tuple(sorted(table))
        self._own = MappingProxyType({id(member): name for name, member in table.items()})
        table.update({snake_case(name): member for name, member in tuple(table.items())})
        self._table = MappingProxyType({**table, **(aliases or {})})
        self._modules = MappingProxyType(dict(modules or {}))

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def get(self, identifier: Any, custom_objects: Objects | None = None) -> T | None:
        """The object that a user named: None, a name, a config, a class, an instance or any callable.

        Raises:
            ValueError: nothing of that name is in the family, or the config is not one.
        """
        if identifier is None:
            return None
        if isinstance(identifier, (str, Mapping)):
            return self.deserialize(identifier, custom_objects)
        if inspect.isclass(identifier):
            identifier = identifier()
        if callable(identifier):
            return cast(T, identifier)
        raise ValueError(self._unknown(identifier))

    def deserialize(self, config: Any, custom_objects: Objects | None = None) -> T | None:
        """The object that `serialize` wrote; names and both spellings of a config are read.

        Raises:
            ValueError: the config names nothing that is known here, or has unknown keys.
        """
        if config is None:
            return None
        if isinstance(config, str):
            return cast(T, _made(self._find(config, config, custom_objects)))
        if isinstance(config, Mapping) and (config.get("class_name") == "__lambda__" or set(config) == {"value"}):
            # Keras writes an activation's code without its class_name
            why = "the code of a '__lambda__' is not executed; save it with a function that has a name"
            raise ValueError(self._malformed(config, why))
        if not isinstance(config, Mapping) or not isinstance(config.get("class_name"), str):
            raise ValueError(self._malformed(config, "a config has the keys 'class_name' and 'config'"))
        inner = config.get("config")
        if config["class_name"] == "function":
            if not isinstance(inner, str):
                raise ValueError(self._malformed(config, "a function's 'config' is its name"))
            return cast(T, _made(self._find(inner, config, custom_objects)))
        found = self._find(config["class_name"], config, custom_objects)
        if inner is None:
            inner = {}
        if not isinstance(inner, Mapping) or not all(isinstance(key, str) for key in inner):
            raise ValueError(self._malformed(config, "'config' must be a dictionary of arguments"))
        if not inspect.isclass(found):
            return cast(T, found)
        return cast(T, _rebuilt(found, inner, config.get("build_config"), custom_objects))

    def serialize(self, member: Any) -> Any:
        """Keras 3's config of a member: None for None, the bare name for a function of the family, else a dictionary.

        Raises:
            ValueError: the object has no name that could be looked up again (a lambda), or no `get_config`.
        """
        if member is None:
            return None
        if id(member) in self._own:
            return self._own[id(member)]
        cls = type(member)
        if hasattr(member, "get_config"):
            ours = self._own.get(id(cls))
            module = self._modules.get(cls.__name__, self.module) if ours else cls.__module__
            registered = None if ours else _custom.get_registered_name(cls)
            written = _written(module, cls.__name__, member.get_config(), registered)
            build_config = member.get_build_config() if hasattr(member, "get_build_config") else None
            return written if build_config is None else {**written, "build_config": build_config}
        registered_function = _custom.registered_name(member)
        if registered_function is not None:
            return _written("builtins", "function", registered_function, "function")
        name = getattr(member, "__name__", "<lambda>")
        if name == "<lambda>":
            raise ValueError(f"This {self.kind} cannot be written into a config, having no name: {_short(member)}.")
        return _written(getattr(member, "__module__", None), "function", name, name)

    def _find(self, name: str, config: Any, custom_objects: Objects | None) -> Any:
        """The class or function called `name`, of the family or, first, of the caller's own."""
        described = config if isinstance(config, Mapping) else {}
        registered = described.get("registered_name")
        for key in (registered, name):
            if custom_objects and isinstance(key, str) and key in custom_objects:
                return custom_objects[key]
        for key in (registered, name):
            if isinstance(key, str) and (known := _custom.get_registered_object(key)) is not None:
                return known
        module = described.get("module", self.module)
        parts = module.split(".") if isinstance(module, str) else [""]
        builtin = parts[0] in _ROOTS
        if builtin and "ops" in parts:
            raise ValueError(
                f"Could not interpret {self.kind} identifier: {name} is a function of {module[:80]}, as an operator or "
                "keras.ops makes it; write it as a layer, such as Add or Concatenate."
            )
        if builtin and name in self._table and registered in (None, name, "function"):
            return self._table[name]
        if builtin and name not in self._table:
            raise ValueError(self._unknown(name))
        raise ValueError(
            f"Could not interpret {self.kind} identifier: {name} of module {module}, registered as {registered}, is "
            f"not built in; register it or hand it over as custom_objects={{{name!r}: ...}}."
        )

    def _malformed(self, config: Any, why: str) -> str:
        return f"Could not interpret {self.kind} identifier: {_short(config)}: {why}."

    def _unknown(self, identifier: Any) -> str:
        shown = identifier[:80] if isinstance(identifier, str) else _short(identifier)
        near = difflib.get_close_matches(shown, self._table, n=1, cutoff=0.75) if isinstance(identifier, str) else []
        hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(self.names)}."
        return f"Could not interpret {self.kind} identifier: {shown}. {hint}"


def check_keys(cls: type, config: Mapping[str, Any]) -> None:
    """Refuses a config with keys that `cls` does not take, or without keys that it needs, naming them all."""
    parameters = _parameters(cls)
    missing = sorted(name for name, p in parameters.items() if p.default is p.empty and name not in config)
    if missing:
        raise ValueError(f"{cls.__name__}: the config lacks {missing}.")
    unknown = sorted(set(config) - set(parameters))
    if unknown and not _takes_any(cls):
        raise ValueError(f"{cls.__name__}: unknown config keys {unknown}; known are {list(parameters)}.")


def _parameters(cls: type) -> dict[str, inspect.Parameter]:
    """What the constructor takes by name."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if getattr(cls, "__init__") is object.__init__:  # noqa: B009
        return {}
    return {name: p for name, p in inspect.signature(cls).parameters.items() if p.kind in kinds}


def _takes_any(cls: type) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(cls).parameters.values())


def _same(a: Any, b: Any) -> bool:
    """Equality that arrays do not spoil."""
    return type(a) is type(b) and bool(a == b) if not hasattr(a, "shape") else a is b


def pasted(value: Any) -> str:
    """A repr that can be pasted: also of arrays, and of the floats that have no literal."""
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return f"np.array({pasted(value.tolist())}, dtype={value.dtype.name!r})"
    if isinstance(value, list):
        return f"[{', '.join(map(pasted, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    return repr(value)


def real(owner: object, name: str, value: Any) -> int | float:
    """An argument that is a real number, as an int or float of Python; bool and text are none.

    Raises:
        TypeError: it is none.
    """
    text = f"{type(owner).__name__}: {name}={_short(value)} must be a number."
    if isinstance(value, (str, bytes, bool)) or not hasattr(type(value), "__float__"):
        raise TypeError(text)
    try:
        return value if isinstance(value, int) else float(value)
    except TypeError:
        raise TypeError(text) from None  # an array of several


def _short(value: Any) -> str:
    """A short repr of anything, also of what is huge or whose own repr raises."""
    try:
        return " ".join(reprlib.repr(value).split())
    except Exception:
        return f"<{type(value).__name__}>"


def _made(found: Any) -> Any:
    return found() if inspect.isclass(found) else found


def _rebuilt(cls: Any, config: Mapping[str, Any], build_config: Any, custom_objects: Objects | None) -> Any:
    if not hasattr(cls, "from_config"):
        raise ValueError(f"{cls.__name__} cannot be read from a config: it has no from_config().")
    read: Callable[..., Any] = cls.from_config
    takes_objects = "custom_objects" in inspect.signature(read).parameters
    made = read(dict(config), custom_objects=custom_objects) if takes_objects else read(dict(config))
    if build_config and hasattr(made, "build_from_config") and not made.built:
        made.build_from_config(build_config)
    return made


def _written(module: str | None, class_name: str, config: Any, registered_name: str | None) -> dict[str, Any]:
    module = None if module == "__main__" else module
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered_name}
