"""Where random initializers take their numbers from."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from tconv._registry import Configurable

__all__ = ["Seed", "SeedGenerator", "checked_seed"]


class SeedGenerator(Configurable):
    """A seed whose every use gives other numbers, in an order that the seed alone decides.

    An initializer with an integer as its seed gives the same values for the same shape each time; with one of these it
    gives new ones. Threads may share it; which of them gets which numbers is up to them.

    Args:
        seed: a non-negative integer, or None for one that is drawn.
        name: kept for Keras' configs.

    Raises:
        ValueError: the seed is neither.

    Example:
        >>> import tconv
        >>> drawn = tconv.initializers.RandomNormal(seed=tconv.initializers.SeedGenerator(3))
        >>> bool((drawn((2,)) == drawn((2,))).any())
        False
    """

    def __init__(self, seed: int | None = None, name: str = "seed_generator") -> None:
        self.seed = secrets.randbits(31) if seed is None else _integer(self, seed)  # 31 bits: Keras reads it too
        self.name = str(name)
        self._uses = 0
        self._lock = threading.Lock()

    def next(self) -> np.random.Generator:
        """A generator that no other use of this seed has had."""
        with self._lock:
            use, self._uses = self._uses, self._uses + 1
        return np.random.default_rng([self.seed, use])

    def get_config(self) -> dict[str, Any]:
        """The name and the seed."""
        return {"name": self.name, "seed": self.seed}

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()


Seed = int | SeedGenerator | Mapping[str, Any] | None


def checked_seed(owner: object, seed: Any) -> int | SeedGenerator | None:
    """A seed as `RandomInitializer` takes it, with an object in the place of Keras' config of one.

    Raises:
        ValueError: it is no seed.
    """
    if isinstance(seed, Mapping):
        inner = seed.get("config")
        if seed.get("class_name") != "SeedGenerator" or not isinstance(inner, Mapping):
            raise ValueError(_legal(owner, seed))
        return SeedGenerator.from_config(inner)
    return seed if seed is None or isinstance(seed, SeedGenerator) else _integer(owner, seed)


def written_seed(seed: int | SeedGenerator | None) -> Any:
    """A seed as Keras writes it into a config."""
    if not isinstance(seed, SeedGenerator):
        return seed
    described = {"class_name": "SeedGenerator", "config": seed.get_config(), "registered_name": None}
    return {"module": "keras.random", **described}


def _integer(owner: object, seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(_legal(owner, seed))
    return int(seed)


def _legal(owner: object, seed: Any) -> str:
    return f"{type(owner).__name__}: seed={seed!r} must be a non-negative integer, a SeedGenerator or None."
