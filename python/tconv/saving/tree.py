"""Where a layer's weights are in a file: Keras 3's rule.

A container's layers are at `layers/<class>`, `layers/<class>_1`, ..., with the class in snake case, counted within the
container; the names of the layers do not matter. A layer that another one holds in an attribute is at that attribute's
name, and in a list or dictionary at `<attribute>/<class>`, counted as well. Each has its own variables in `vars`.

Formats without that rule go by names: those of the layers on the way to a weight, and its own.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tconv._registry import snake_case
from tconv.layers.base import Layer
from tconv.models import Functional, Model, Sequential
from tconv.variable import Variable


@dataclass(frozen=True)
class Place:
    """A layer in a model.

    Attributes:
        layer: the layer.
        names: the names of the layers on the way to it, its own last; the model's own is none of them.
    """

    layer: Layer
    names: tuple[str, ...]

    @property
    def variables(self) -> list[Variable]:
        """The layer's own variables, those made to be trained first."""
        return self.layer._variables + self.layer._fixed_variables


Places = dict[str, Place]


def places(root: Layer) -> Places:
    """All layers of `root` by their places, itself first, at ""; a layer that is used twice has one place."""
    found: Places = {}
    _visit(root, "", (), found, set())
    return found


def by_name(root: Layer) -> dict[str, Variable]:
    """All weights of `root`, by the names of the layers on the way to them and their own, joined by "/".

    Raises:
        ValueError: two have one name.
    """
    found: dict[str, Variable] = {}
    for place in places(root).values():
        for variable in place.variables:
            name = "/".join((*place.names, variable.name))
            if found.setdefault(name, variable) is not variable:
                raise ValueError(
                    f"Two weights in '{root.name}' have the name '{name}': name them apart, or use .weights.h5, which "
                    "does not go by names."
                )
    return found


def _visit(layer: Layer, path: str, names: tuple[str, ...], found: Places, seen: set[int]) -> None:
    if id(layer) in seen:
        return
    seen.add(id(layer))
    found[path] = Place(layer, names)
    for name, value in _attributes(layer):
        below = f"{path}/{name}".lstrip("/")
        if isinstance(value, Layer):
            _visit(value, below, (*names, value.name), found, seen)
        elif isinstance(value, (list, tuple, Mapping)):
            _visit_all(value, below, names, found, seen)


def _visit_all(items: Any, path: str, names: tuple[str, ...], found: Places, seen: set[int]) -> None:
    counts: collections.Counter[str] = collections.Counter()
    for item in _values(items):
        name = snake_case(type(item).__name__) if isinstance(item, Layer) else "container"
        count = counts[name]
        counts[name] += 1
        below = f"{path}/{name}_{count}" if count else f"{path}/{name}"
        if isinstance(item, Layer):
            _visit(item, below, (*names, item.name), found, seen)
        elif id(item) not in seen:
            seen.add(id(item))
            _visit_all(item, below, names, found, seen)


def _values(items: Any) -> Iterable[Any]:
    """The layers and containers in a container, in its order."""
    values = items.values() if isinstance(items, Mapping) else items
    return [item for item in values if isinstance(item, (Layer, list, tuple, Mapping))]


def _attributes(layer: Layer) -> Iterator[tuple[str, Any]]:
    """A container's layers, and then the attributes by name, private ones last.

    A container's private attributes are its own affair: they hold the same layers again. Of other models, `layers` is
    an attribute like any.
    """
    attributes = vars(layer)
    if isinstance(layer, (Sequential, Functional)):
        yield "layers", layer.layers
        attributes = {name: value for name, value in attributes.items() if not name.startswith("_")}
    elif isinstance(layer, Model):
        attributes = {**attributes, "layers": layer.layers}
    for name in sorted(attributes, key=lambda name: (name.startswith("_"), name)):
        yield name, attributes[name]
