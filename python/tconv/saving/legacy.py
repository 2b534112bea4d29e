"""The HDF5 layout of Keras 2 and tf.keras, which Keras 3 still writes to .h5: read, not written.

A group per layer, under the layer's name, lists its arrays in the attribute `weight_names`; `layer_names` lists the
layers in the model's order. A full model has all that in `model_weights`, and its config in the root's attribute
`model_config`.
"""

from __future__ import annotations

import json
from typing import Any

from tconv.layers.base import Layer
from tconv.saving.entry import Entry
from tconv.saving.hdf5 import child, entry, library
from tconv.saving.loading import Loading
from tconv.variable import Variable

_TOP = "top_level_model_weights"


def weights_group(root: Any) -> Any:
    """The group that has `layer_names`; None if the file is not of this layout."""
    if _has_list(root, "layer_names"):
        return root
    if root.get("model_weights", getlink=True) is not None:
        return child(root, "model_weights", "Group")
    return None


def config(root: Any) -> dict[str, Any]:
    """The model's config, its tuples as lists.

    Raises:
        ValueError: there is none.
    """
    if "model_config" not in root.attrs:
        raise ValueError("it has weights, but no model_config: build the model, and use load_weights.")
    text = _text(root.attrs["model_config"], "model_config")
    try:
        made = json.loads(text, object_hook=_without_tuples)
    except json.JSONDecodeError as error:
        raise ValueError(f"its model_config is no JSON: {error}.") from None
    if not isinstance(made, dict):
        raise ValueError("its model_config is no JSON object.")
    return made


def match(loading: Loading, root: Layer, group: Any, by_name: bool) -> None:
    """Matches layers in their order, or by their names, and each one's weights in theirs."""
    stored = {name: _arrays(child(group, name, "Group")) for name in _names(group, "layer_names")}
    layers = list(getattr(root, "layers", [root]))
    if by_name:
        pairs = [(layer, stored[layer.name]) for layer in layers if layer.name in stored]
    else:
        full = [layer for layer in layers if layer.weights]
        arrays = [found for found in stored.values() if found]
        if len(full) != len(arrays):
            raise ValueError(f"Layer count mismatch: the model has {len(full)} layers with weights, it {len(arrays)}.")
        pairs = list(zip(full, arrays))
    for layer, found in pairs:
        _match_weights(loading, f"Layer '{layer.name}'", layer.trainable_weights + layer.non_trainable_weights, found)
    if layers != [root]:
        own = root._variables + root._fixed_variables
        top = {} if group.get(_TOP, getlink=True) is None else _arrays(child(group, _TOP, "Group"))
        _match_weights(loading, f"'{root.name}' itself", own, top)


def _match_weights(loading: Loading, where: str, variables: list[Variable], found: dict[str, Entry]) -> None:
    if len(variables) != len(found):
        loading.problem(f"{where} has {len(variables)} weights in the model and {len(found)} in the file.")
        return
    for variable, (name, stored) in zip(variables, found.items()):
        loading.take(variable, stored, name)


def _arrays(group: Any) -> dict[str, Entry]:
    """A layer's arrays, in their order."""
    found = {}
    for path in _names(group, "weight_names"):
        inner = group
        *folders, last = path.split("/")
        for folder in folders:
            inner = child(inner, folder, "Group")
        found[path] = entry(child(inner, last, "Dataset"))
    return found


def _has_list(group: Any, name: str) -> bool:
    return name in group.attrs or f"{name}0" in group.attrs


def _names(group: Any, name: str) -> list[str]:
    """A list of names, which is cut into name0, name1, ... where it is too long for one attribute."""
    if not _has_list(group, name):
        raise ValueError(f"{group.name[:200]} has no list of {name}.")
    parts, number = [name] if name in group.attrs else [], 0
    while parts[:1] != [name] and f"{name}{number}" in group.attrs:
        parts.append(f"{name}{number}")
        number += 1
    names = [_text(entry, name) for part in parts for entry in _entries(group.attrs[part], name)]
    if len(set(names)) != len(names):
        raise ValueError(f"{group.name[:200]} has a name twice in its list of {name}.")
    return names


def _entries(value: Any, name: str) -> list[Any]:
    if isinstance(value, library().Empty):
        return []
    if not hasattr(value, "tolist") or getattr(value, "ndim", 0) != 1:
        raise ValueError(f"its list of {name} is no list.")
    return list(value.tolist())


def _text(value: Any, name: str) -> str:
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        raise ValueError(f"its {name} is no text.")
    return value


def _without_tuples(made: dict[str, Any]) -> Any:
    """tf.keras marks tuples; a list says the same here."""
    return made["items"] if made.get("class_name") == "__tuple__" and "items" in made else made
