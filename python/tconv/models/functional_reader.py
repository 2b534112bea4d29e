"""Reads the configs of functional models: those of tconv and Keras 3, and those of tf.keras.

tf.keras writes a call as a list of tensors, Keras 3 as arguments with tensors in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from tconv import _args
from tconv._registry import Objects
from tconv.layers.base import Layer
from tconv.layers.input_layer import InputLayer
from tconv.layers.structure import flat, mapped
from tconv.layers.symbolic import SymbolicTensor
from tconv.models.functional import Functional
from tconv.models.model import Model

_KEYS = ("name", "trainable", "layers", "input_layers", "output_layers")
_OPERATIONS = ("Add", "Concatenate")  # of keras.ops that a layer here computes: `x + y` is written as the first


@dataclass(frozen=True)
class _History:
    """Where a tensor comes from: a layer, which of its calls, and which of that call's outputs."""

    layer: str
    call: int
    output: int


@dataclass(frozen=True)
class _Call:
    """One call of a layer."""

    inputs: Any  # one _History, or several in a list or dictionary
    options: dict[str, Any]


def read(cls: type[Functional], config: Any, custom_objects: Objects | None) -> Functional:
    """The model of a config.

    Raises:
        ValueError: the config is not one.
    """
    from tconv.models.configs import deserialize, unbuilt

    if not isinstance(config, Mapping) or not set(_KEYS[2:]) <= set(config):
        raise ValueError(f"A functional model's config has the keys {list(_KEYS)}, not {_args.show(config)}.")
    unknown = sorted(set(config) - set(_KEYS))
    if unknown:
        raise ValueError(f"{cls.__name__}: unknown config keys {unknown}; known are {list(_KEYS)}.")
    layers: dict[str, Layer] = {}
    calls: dict[str, list[_Call]] = {}
    keras_3 = False
    for entry in _list(config["layers"]):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str) or entry["name"] in layers:
            _refuse("each layer is a dictionary with a 'name' of its own", entry)
        name = entry["name"]
        entry = _layer_of_operation(entry)
        described = {key: value for key, value in entry.items() if key not in ("name", "inbound_nodes")}
        layers[name] = deserialize(unbuilt(described), custom_objects)
        written = _list(entry.get("inbound_nodes", []))
        calls[name] = [_read_call(call) for call in written]
        keras_3 = keras_3 or any(isinstance(call, Mapping) for call in written)
    ends = [_histories(config[key]) for key in ("input_layers", "output_layers")]
    tensors = _Tensors(layers, keras_3)
    tensors.make(calls)
    inputs, outputs = (mapped(tensors.existing, end) for end in ends)
    return cls(inputs, outputs, name=config.get("name"), trainable=config.get("trainable"))


def _layer_of_operation(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The layer that computes what an operation of keras.ops does, on the same tensors; anything else as it is."""
    kind = entry.get("class_name")
    if entry.get("module") != "keras.src.ops.numpy" or kind not in _OPERATIONS:
        return entry
    if not isinstance(entry.get("config"), Mapping):
        _refuse("an operation has a config", entry)
    calls = []
    for call in _list(entry.get("inbound_nodes", [])):
        arguments = _list(call.get("args", ())) if isinstance(call, Mapping) else ()
        tensors = [arguments] if kind == "Add" else arguments  # x, y and not [x, y]
        if not isinstance(call, Mapping) or not all(_is_tensor(leaf) for several in tensors for leaf in _list(several)):
            _refuse(f"{kind} of keras.ops takes tensors alone", call)
        calls.append({**call, "args": list(tensors)})
    dtypes = [leaf["config"].get("dtype") for call in calls for several in call["args"] for leaf in several]
    config = {"dtype": dtypes[0] if dtypes else None, **entry["config"]}
    return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None} | {
        "name": entry["name"],
        "inbound_nodes": calls,
    }


def _is_tensor(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value.get("class_name") == "__keras_tensor__"
        and isinstance(value.get("config"), Mapping)
    )


class _Tensors:
    """The symbolic tensors that calls of the layers give."""

    def __init__(self, layers: Mapping[str, Layer], keras_3: bool) -> None:
        self._layers = layers
        self._keras_3 = keras_3
        self._made: dict[str, list[list[SymbolicTensor]]] = {
            name: [[layer.output]] if isinstance(layer, InputLayer) else [] for name, layer in layers.items()
        }

    def make(self, calls: Mapping[str, list[_Call]]) -> None:
        """Makes all calls, each as soon as what it takes is there."""
        waiting = {name: list(reversed(several)) for name, several in calls.items() if several}
        while waiting:
            progress = False
            for name, several in waiting.items():
                while several and self._call(name, several[-1]):
                    several.pop()
                    progress = True
            waiting = {name: several for name, several in waiting.items() if several}
            if waiting and not progress:
                _refuse("what these layers take is never made, being in a circle or nowhere", list(waiting))

    def _call(self, name: str, call: _Call) -> bool:
        """Makes one call; False if what it takes is not there yet."""
        inputs = mapped(self._taken, call.inputs)
        if any(tensor is None for tensor in flat(inputs)):
            return False
        self._made[name].append(flat(self._layers[name](inputs, **call.options)))
        return True

    def _taken(self, history: _History) -> SymbolicTensor | None:
        """What a call takes; None if it is not there yet."""
        return self._find(history, 0 if self._keras_3 else _first_call(self._layers.get(history.layer), (Model,)))

    def existing(self, history: _History) -> SymbolicTensor:
        """An input or output of the model, which must be there by now."""
        kinds: tuple[type, ...] = (Functional,) if self._keras_3 else (Model,)
        tensor = self._find(history, _first_call(self._layers.get(history.layer), kinds))
        if tensor is None:
            _refuse("no call makes this tensor", history)
        return tensor

    def _find(self, history: _History, first: int) -> SymbolicTensor | None:
        if history.layer not in self._layers:
            _refuse("there is no layer of this name", history.layer)
        made, number = self._made[history.layer], history.call - first
        if not 0 <= number < len(made):
            return None
        if not 0 <= history.output < len(made[number]):
            _refuse("the layer has fewer outputs", history)
        return made[number][history.output]


def _first_call(layer: Layer | None, kinds: tuple[type, ...]) -> int:
    """The number of a layer's first call: 1 for models that have an input of their own, where that counts as one.

    In tf.keras it does everywhere, in Keras 3 for functional models in the lists of inputs and outputs.
    """
    if layer is None or not isinstance(layer, kinds):
        return 0
    return int(any(isinstance(inner, InputLayer) for inner in layer._sublayers()))


def _read_call(call: Any) -> _Call:
    return _keras_3_call(call) if isinstance(call, Mapping) else _tf_keras_call(call)


def _keras_3_call(call: Mapping[str, Any]) -> _Call:
    """`{"args": [tensors, ...], "kwargs": {...}}`"""
    arguments, options = _list(call.get("args", [])), call.get("kwargs", {})
    if not isinstance(options, Mapping):
        _refuse("'kwargs' is a dictionary", call)
    named = dict(options)
    given = list(arguments) if arguments else [named.pop("inputs", None)]
    if len(given) == 2 and (given[1] is None or isinstance(given[1], bool)):
        named["training"] = given.pop()
    if len(given) != 1:
        _refuse("a call has one argument: a tensor, or a list or dictionary of them", call)
    return _Call(_tensors(given[0]), _options(named))


def _options(written: Mapping[Any, Any]) -> dict[str, Any]:
    """A call's arguments beside the tensors; masks only where there are any, which nothing here takes."""
    options = {str(key): value for key, value in written.items()}
    if "mask" in options and all(mask is None for mask in _leaves(options["mask"])):
        del options["mask"]
    if options.get("training") not in (None, False, True):
        _refuse("'training' is true, false or null", options)
    if any(isinstance(leaf, Mapping) for value in options.values() for leaf in _leaves(value)):
        _refuse("only the first argument of a call holds tensors", options)
    return options


def _leaves(value: Any) -> list[Any]:
    return flat(value) if not isinstance(value, Mapping) or "class_name" not in value else [value]


def _tensors(value: Any) -> Any:
    if _is_tensor(value):
        return _history(value["config"].get("keras_history"))
    if isinstance(value, Mapping):
        return {str(key): _tensors(one) for key, one in value.items()}
    return [_tensors(one) for one in _list(value)]


def _tf_keras_call(call: Any) -> _Call:
    """`[[layer, call, output, kwargs], ...]`"""
    options: dict[str, Any] = {}
    histories = []
    for entry in _list(call):
        entry = _list(entry)
        if len(entry) == 4:
            if not isinstance(entry[3], Mapping):
                _refuse("the fourth entry of a tensor is a dictionary", call)
            options.update({key: value for key, value in entry[3].items() if value is not None})
        histories.append(_history(list(entry[:3])))
    if not histories:
        _refuse("a call takes at least one tensor", call)
    return _Call(histories[0] if len(histories) == 1 else histories, _options(options))


def _histories(structure: Any) -> Any:
    """The tensors of "input_layers" or "output_layers": one, or several in a list or dictionary."""
    if isinstance(structure, Mapping):
        return {str(key): _history(value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)) and structure and isinstance(structure[0], str):
        return _history(structure)
    return [_history(value) for value in _list(structure)]


def _history(value: Any) -> _History:
    entries = _list(value)
    if len(entries) != 3 or not isinstance(entries[0], str):
        _refuse("a tensor is written [layer, call, output]", value)
    if not all(isinstance(entry, int) and not isinstance(entry, bool) for entry in entries[1:]):
        _refuse("a tensor is written [layer, call, output], the latter two as integers", value)
    return _History(entries[0], entries[1], entries[2])


def _list(value: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        _refuse("this must be a list", value)
    return value


def _refuse(why: str, value: Any) -> NoReturn:
    raise ValueError(f"This is no functional model's config: {why}. Received: {_args.show(value)}")
