"""The part of a layer that says what it is: names, dtypes, configs, copies, its text."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from tconv import _args, activations, constraints, initializers, regularizers
from tconv import config as _config
from tconv._registry import Objects, check_keys
from tconv.initializers import Initializer
from tconv.layers import arguments
from tconv.layers import dtype_policy as policies
from tconv.layers.stored import Stored

if TYPE_CHECKING:
    from tconv.layers.building import Shape

D = TypeVar("D", bound="Described")

_FAMILIES: dict[str, Any] = {
    "activation": activations,
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
}  # by the last word of the argument


class Described(Stored):
    """What a layer says of itself."""

    activity_regularizer: Any
    _build_shape: Shape | None
    _transient: tuple[str, ...] = ("_lock", "_losses", "_nodes")  # never copied or pickled
    _objects: tuple[str, ...] = ("activity_regularizer",)  # arguments that a config describes as objects of a family

    @property
    def path(self) -> str | None:
        """Its name within the model that it was built in; None before."""
        return self._path

    @property
    def dtype_policy(self) -> policies.DTypePolicy:
        """The policy that its `dtype` named."""
        return self._policy

    @property
    def dtype(self) -> str:
        """The name of the weights' dtype."""
        return self._policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """The name of the weights' dtype."""
        return self._policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The name of the dtype in which inputs are taken and outputs are given."""
        return self._policy.compute_dtype

    @property
    def input_dtype(self) -> str:
        """The same, by Keras' other name."""
        return self._policy.compute_dtype

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with objects as Keras' configs."""
        config = {"name": self.name, "trainable": self.trainable, "dtype": policies.serialize(self._policy)}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    @classmethod
    def from_config(cls: type[D], config: Mapping[str, Any], custom_objects: Objects | None = None) -> D:
        """The layer that `get_config` described, here, in Keras 3 or in tf.keras; not built.

        Args:
            config: the arguments by name.
            custom_objects: classes and functions of your own, by the name the config gives them.

        Raises:
            ValueError: a key or a name in the config is not known.
        """
        if not isinstance(config, Mapping):
            raise ValueError(f"{cls.__name__}: a config is a dictionary of arguments, not {_args.show(config)}.")
        check_keys(cls, config)
        return cls(**cls._deserialized(dict(config), custom_objects))

    @classmethod
    def _deserialized(cls, config: dict[str, Any], custom_objects: Objects | None) -> dict[str, Any]:
        """`config` with objects in the place of their configs."""
        for key in cls._objects:
            if isinstance(config.get(key), (str, Mapping)):
                config[key] = _FAMILIES[key.rsplit("_", 1)[-1]].deserialize(config[key], custom_objects)
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        """{"input_shape": the shape it was built for}; None before, or if nothing was to be built."""
        return None if self._build_shape is None else {"input_shape": self._build_shape}

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            return {key: value for key, value in self.__dict__.items() if key not in self._transient}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._renew()

    def __repr__(self) -> str:
        parameters = inspect.signature(type(self)).parameters.items()
        named = {name: p for name, p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        if not all(hasattr(self, name) for name in named):
            return f"<{type(self).__name__} name={self.name}, built={self.built}>"
        shown = []
        more = {"activity_regularizer": None, "trainable": True, "dtype": None, "name": None}
        for name, default in more.items():  # which most layers take with their **kwargs
            named.setdefault(name, inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default))
        named["name"] = named.pop("name")  # the last
        for name, parameter in named.items():
            value, default = self._shown(name, parameter.default)
            if not _same(value, default):
                shown.append(f"{name}={value!r}" if parameter.kind is not parameter.POSITIONAL_ONLY else repr(value))
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown(self, name: str, default: Any) -> tuple[Any, Any]:
        """An argument and its default, as they are written and compared."""
        value = getattr(self, name)
        if name == "dtype":
            return self._policy.name, _config.floatx()
        if name == "activation":
            return arguments.label(value), "linear" if default is None else default
        if name == "data_format":
            return value, _config.image_data_format()
        if isinstance(value, Initializer):
            return value, initializers.get(default)
        return value, default


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, tuple) and isinstance(default, int):
        default = (default,) * len(value)
    if isinstance(value, Initializer):
        return repr(value) == repr(default)
    return type(value) is type(default) and bool(value == default)
