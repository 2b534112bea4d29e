"""What a file's arrays belong to, and the assignment of all of them or none."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from tconv._convert import Array
from tconv.layers.base import Layer
from tconv.saving.entry import Entry, value_for
from tconv.saving.tree import by_name, places
from tconv.variable import Variable

_NUMBERS = ("bool", "int", "uint", "float", "bfloat")


class Loading:
    """What is to be assigned, and what does not fit; nothing is assigned before all has been read."""

    def __init__(self, skip_mismatch: bool = False) -> None:
        self._skip = skip_mismatch
        self._problems: list[str] = []
        self._values: list[tuple[Variable, Array]] = []
        self._custom: list[tuple[Layer, Mapping[str, Array]]] = []

    def take(self, variable: Variable, entry: Entry, name: str) -> None:
        """Reads the value of a variable, if it fits."""
        try:
            self._values.append((variable, value_for(variable, entry, name)))
        except ValueError as error:
            self.problem(str(error))

    def hand_over(self, layer: Layer, store: Mapping[str, Array]) -> None:
        """Leaves it to a layer that has a `load_own_variables` of its own."""
        self._custom.append((layer, store))

    def problem(self, sentence: str) -> None:
        """Notes what does not fit."""
        self._problems.append(sentence)

    @property
    def fits(self) -> bool:
        """Whether there was nothing to note."""
        return not self._problems

    def finish(self) -> None:
        """Assigns everything, or nothing.

        Raises:
            ValueError: something did not fit, and that is not to be passed over.
        """
        if self._problems:
            more = len(self._problems) - 3
            said = " ".join(self._problems[:3]) + (f" And {more} more." if more > 0 else "")
            if not self._skip:
                raise ValueError(said)
            warnings.warn(f"load_weights: {said}", stacklevel=5)
        before = [(weight, weight.value) for layer, _ in self._custom for weight in layer.weights]
        try:
            for layer, store in self._custom:
                layer.load_own_variables(store)
        except BaseException:
            for weight, value in before:
                weight._replace(value)
            raise
        for variable, value in self._values:
            variable._replace(value)


def match_places(loading: Loading, root: Layer, stored: Mapping[str, Mapping[str, Entry]]) -> None:
    """Matches layers to the places that Keras 3 gives them."""
    expected = places(root)
    for path, place in expected.items():
        layer, entries = place.layer, stored.get(path, {})
        if type(layer).load_own_variables is not Layer.load_own_variables:
            loading.hand_over(layer, {key: _any_value(entry, f"{path}/{key}") for key, entry in entries.items()})
            continue
        variables = place.variables
        keys = [str(number) for number in range(len(variables))]
        where = f"Layer '{layer.name}' (at {path or 'the root'})"
        if set(entries) != set(keys):
            loading.problem(
                f"{where} expected {len(variables)} variables {[v.name for v in variables]}, but the file has "
                f"{len(entries)}{'' if set(entries) <= set(keys) or len(entries) != len(keys) else ' of other names'}."
            )
        for key, variable in zip(keys, variables):
            if key in entries:
                loading.take(variable, entries[key], f"{path}/vars/{key}")
    unknown = [path for path, entries in stored.items() if entries and path not in expected]
    if unknown:
        loading.problem(f"The file has weights at {_listed(unknown)}, where the model has none.")


def match_names(loading: Loading, root: Layer, stored: Mapping[str, Entry]) -> None:
    """Matches weights by their names."""
    expected = by_name(root)
    missing = [name for name in expected if name not in stored]
    unknown = [name for name in stored if name not in expected]
    if missing or unknown:
        lacks = f" lacks {_listed(missing)}" * bool(missing)
        has = f" has {_listed(unknown)}, which the model has not" * bool(unknown)
        loading.problem(f"The file{lacks}{' and' * bool(lacks and has)}{has}; weights are matched by their names.")
    for name, variable in expected.items():
        if name in stored:
            loading.take(variable, stored[name], name)


def _any_value(entry: Entry, name: str) -> Array:
    """What a layer with a `load_own_variables` of its own gets."""
    if entry.dtype.rstrip("0123456789") not in _NUMBERS:
        raise ValueError(f"'{name}' has dtype {entry.dtype[:40]}; weights are numbers.")
    return entry.read()


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{name[:100]}'" for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
