"""Data as batches: arrays cut into them, shuffled if asked, or whatever gives them one by one."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tconv import _args, _convert
from tconv._convert import Array
from tconv.layers.structure import flat, packed

_END = object()


class Batch(NamedTuple):
    """Inputs, targets and weights of some examples."""

    x: Any
    y: Any = None
    weight: Any = None


class Arrays:
    """Batches out of arrays.

    Args:
        data: x, y and weights, each an array, or a list or dictionary of them, or None.
        size: how many examples a batch has; the last of an epoch may have less.
        shuffle: whether each epoch has an order of its own.
        seed: what the orders follow from, with the number of the epoch: an epoch has the same order whichever was the
            first. None for a seed of its own.
        steps: how many batches an epoch has at most; None for all.
    """

    def __init__(self, what: str, data: Batch, size: int, shuffle: bool, seed: int | None, steps: int | None) -> None:
        self._data = data
        self._size = size
        self.count = examples(what, data)
        self._seed = secrets.randbits(63) if seed is None else seed
        self._shuffle = shuffle
        batches = -(-self.count // size)
        self.steps: int | None = batches if steps is None else min(steps, batches)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch."""
        order = np.random.default_rng([self._seed, number]).permutation(self.count) if self._shuffle else None
        for step in range(self.steps or 0):
            part = slice(step * self._size, (step + 1) * self._size)
            yield part_of(self._data, part if order is None else order[part])


class Stream:
    """Batches as an iterable gives them.

    Args:
        source: gives (x, y) or (x, y, weights). A generator gives its batches once.
        steps: how many batches an epoch has; the next one goes on after them. None for all that there are.
    """

    def __init__(self, what: str, source: Iterable[Any], steps: int | None) -> None:
        self._what = what
        self._source = source
        self._running: Iterator[Any] | None = None
        self._limit = steps
        self.steps = _length(source) if steps is None else steps

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch.

        Raises:
            ValueError: there is none, or one is no pair.
        """
        if self._limit is not None:
            for given in range(self._limit):
                yield self._batch(self._next(number, given))
            return
        entry = _END
        for entry in self._source:
            yield self._batch(entry)
        if entry is _END:
            self._fail(number, 0)

    def _next(self, number: int, given: int) -> Any:
        """The next batch, of the source from its begin if that is possible."""
        if self._running is None:
            self._running = iter(self._source)
        entry = next(self._running, _END)
        if entry is _END:
            self._running = iter(self._source)
            entry = next(self._running, _END)
        if entry is _END:
            self._fail(number, given)
        return entry

    def _fail(self, number: int, given: int) -> NoReturn:
        raise ValueError(
            f"{self._what}: the batches ran out in epoch {number + 1} after {given}; a generator gives its batches "
            "once, a list or an object with __iter__ in every epoch."
        )

    def _batch(self, entry: Any) -> Batch:
        if not isinstance(entry, (tuple, list)) or not 2 <= len(entry) <= 3:
            raise ValueError(f"{self._what}: a batch is (x, y) or (x, y, sample_weight), not {_args.show(entry)}.")
        return Batch(*entry)


def _length(source: Any) -> int | None:
    """How many batches there are, where that is known."""
    try:
        return len(source)
    except TypeError:
        return None


Batches = Arrays | Stream


def batches(what: str, data: Any, size: int, shuffle: bool, seed: int | None, steps: int | None) -> Batches:
    """A `Batch` of all examples, or an iterable of batches, as batches by epochs."""
    if isinstance(data, Batch):
        return Arrays(what, data, size, shuffle, seed, steps)
    return Stream(what, data, steps)


def examples(what: str, data: Batch) -> int:
    """The number of examples, which all arrays have.

    Raises:
        ValueError: they have not, or there is none.
    """
    sizes: dict[str, list[int]] = {}
    for name, part in zip(("x", "y", "sample_weight"), data):
        if part is not None:
            arrays = flat(part)
            if not all(np.ndim(array) for array in arrays):
                raise ValueError(f"{what}: {name} has no axis of examples.")
            sizes[name] = [len(array) for array in arrays]
    found = {size for several in sizes.values() for size in several}
    if len(found) != 1:
        said = ", ".join(f"{name} {several[0] if len(several) == 1 else several}" for name, several in sizes.items())
        raise ValueError(f"{what}: all arrays must have the same number of examples, not {said}.")
    if found == {0}:
        raise ValueError(f"{what}: there are no examples.")
    return found.pop()


def part_of(data: Batch, where: Any) -> Batch:
    """Some of the examples."""
    cut = [None if part is None else packed(part, [array[where] for array in flat(part)]) for part in data]
    return Batch(*cut)


def split(data: Batch, share: float) -> tuple[Batch, Batch]:
    """The first examples, and the last `share` of them.

    Raises:
        ValueError: the share is not between 0 and 1, or leaves one side without examples.
    """
    count = examples("fit", data)
    number = _args.number("fit", "validation_split", share)
    first = int(count * (1 - number)) if 0 < number < 1 else 0
    if not 0 < first < count:
        raise ValueError(f"fit: validation_split={number} must leave some of the {count} examples on either side.")
    return part_of(data, slice(first)), part_of(data, slice(first, None))


def is_stream(x: Any) -> bool:
    """Whether this gives batches one by one, and is no array or structure of arrays."""
    arrays = ("__array__", "__array_interface__", "__dlpack__", "__float__")
    if isinstance(x, (Sequence, Mapping, memoryview)) or any(hasattr(type(x), name) for name in arrays):
        return False
    return hasattr(type(x), "__iter__") and not _has_memory(x)


def _has_memory(x: Any) -> bool:
    try:
        memoryview(x)
    except TypeError:
        return False
    return True


def structured(what: str, name: str, value: Any, several: bool) -> Any:
    """Targets as an array or, of several outputs, as a list or dictionary of arrays."""
    if value is None:
        return None
    if isinstance(value, Mapping) or (several and isinstance(value, (list, tuple))):
        found: list[Array] = [_convert.to_array(what, name, entry) for entry in flat(value)]
        return packed(value, found)
    return _convert.to_array(what, name, value)
