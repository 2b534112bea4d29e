"""Random numbers that go on from call to call, from an explicit seed."""

from __future__ import annotations

import secrets
import threading
from typing import Any

import numpy as np

from tconv import _args
from tconv.layers.building import calls
from tconv.variable import Variable


class SeedGenerator:
    """Gives a new seed for every call, as Keras' does: `state` is the seed and how many were given.

    A vjp does not advance it; the pullback's `updates` do.

    Args:
        seed: a non-negative integer, or None for a seed of its own.

    Attributes:
        seed: the argument.
        state: a variable of two integers, "seed_generator_state".

    Raises:
        ValueError: the seed is neither.

    Example:
        >>> generator = SeedGenerator(3)
        >>> generator.next(), generator.next(), generator.state.numpy()
        ((3, 0), (3, 1), array([3, 2], dtype=uint32))
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
            raise ValueError(
                f"Argument `seed` must be a non-negative integer or None. Received: seed={_args.show(seed)}"
            )
        self.seed = None if seed is None else int(seed)
        start = secrets.randbits(32) if seed is None else int(seed) % 2**32
        self.state = Variable(
            np.array([start, 0], np.uint32),
            dtype="uint32",
            trainable=False,
            name="seed_generator_state",
            path="seed_generator/seed_generator_state",
        )
        self._lock = threading.Lock()

    def next(self) -> tuple[int, int]:
        """The seed of this call: two integers, of which the second is another one each time."""
        if calls.updates is not None:
            state = calls.updates.value(self.state)
            calls.updates.assign(self.state, _advanced(state))
        else:
            with self._lock:
                state = self.state.value
                self.state.assign(_advanced(state))
        return int(state[0]), int(state[1])

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()


def _advanced(state: Any) -> Any:
    return np.array([int(state[0]), (int(state[1]) + 1) % 2**32], np.uint32)
