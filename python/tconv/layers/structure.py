"""One value, or several in a list, tuple or dictionary: what models and merging layers take and give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def flat(structure: Any) -> list[Any]:
    """The values, in order; those of a dictionary in the order of its sorted keys, as in Keras.

    Example:
        >>> flat({"b": 2, "a": 1}), flat([3, 4]), flat(5)
        ([1, 2], [3, 4], [5])
    """
    if isinstance(structure, Mapping):
        return [structure[key] for key in sorted(structure)]
    return list(structure) if isinstance(structure, (list, tuple)) else [structure]


def packed(structure: Any, values: Sequence[Any]) -> Any:
    """`values` arranged as `structure` is.

    Example:
        >>> packed({"b": 2, "a": 1}, "xy"), packed([3, 4], "xy"), packed(5, "x")
        ({'b': 'y', 'a': 'x'}, ['x', 'y'], 'x')
    """
    if isinstance(structure, Mapping):
        by_key = dict(zip(sorted(structure), values))
        return {key: by_key[key] for key in structure}
    if isinstance(structure, (list, tuple)):
        return tuple(values) if isinstance(structure, tuple) else list(values)
    return values[0]


def mapped(function: Callable[[Any], Any], structure: Any) -> Any:
    """`function` of every value, arranged as `structure` is."""
    return packed(structure, [function(value) for value in flat(structure)])


def shapes_of(arrays: Any) -> Any:
    """The shape of an array, or those of several."""
    return arrays.shape if hasattr(arrays, "shape") else mapped(lambda array: array.shape, arrays)


def is_shape(value: Any) -> bool:
    """Whether this is one shape: extents, not several shapes."""
    return not isinstance(value, Mapping) and not any(isinstance(entry, (list, tuple, Mapping)) for entry in value)
