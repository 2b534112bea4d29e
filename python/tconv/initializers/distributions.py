"""Initializers that draw from one distribution, whatever the shape; and orthogonal matrices."""

from __future__ import annotations

import math
import secrets
from typing import Any

import numpy as np

from tconv._convert import Array
from tconv._registry import real
from tconv.initializers.base import Initializer, Shape, checked_dtype, checked_shape
from tconv.initializers.seeds import Seed, SeedGenerator, checked_seed, written_seed

__all__ = ["Orthogonal", "RandomInitializer", "RandomNormal", "RandomUniform", "TruncatedNormal", "truncated_normal"]


class RandomInitializer(Initializer):
    """Base class of those that draw numbers.

    Args:
        seed: a non-negative integer, for the same values each time; a `SeedGenerator`, for new ones each time; or None
            for an integer that is drawn now.

    Raises:
        ValueError: the seed is none of these, or on call the dtype is not a floating one.
    """

    def __init__(self, seed: Seed = None) -> None:
        self.seed = checked_seed(self, seed)
        self._drawn_seed = secrets.randbits(64) if self.seed is None else self.seed

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        to = checked_dtype(dtype)
        if to.kind != "f" and to.name != "bfloat16":
            raise ValueError(f"{type(self).__name__}: dtype={to.name} must be a floating one.")
        extents, seed = checked_shape(shape), self._drawn_seed
        rng = seed.next() if isinstance(seed, SeedGenerator) else np.random.default_rng(seed)
        return self._draw(rng, extents).astype(to, copy=False)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """The values, in float64."""
        raise NotImplementedError(f"{type(self).__name__} must define _draw(rng, shape).")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments by name."""
        config = super().get_config()
        return {**config, "seed": written_seed(self.seed)} if "seed" in config else config


class RandomNormal(RandomInitializer):
    """Normal distribution.

    Args:
        mean: its mean.
        stddev: its standard deviation, at least 0.
        seed: see `RandomInitializer`.

    Example:
        >>> a = RandomNormal(stddev=1.0, seed=3)
        >>> bool((a((2, 2)) == a((2, 2))).all())
        True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Seed = None) -> None:
        super().__init__(seed)
        self.mean = real(self, "mean", mean)
        self.stddev = _spread(self, stddev)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomInitializer):
    """Normal distribution, drawn again where it is farther than two `stddev` from `mean`.

    Args:
        mean: the mean.
        stddev: the standard deviation before anything is drawn again, at least 0.
        seed: see `RandomInitializer`.

    Example:
        >>> bool(abs(TruncatedNormal(stddev=1.0)((1000,))).max() <= 2)
        True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Seed = None) -> None:
        super().__init__(seed)
        self.mean = real(self, "mean", mean)
        self.stddev = _spread(self, stddev)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return self.mean + self.stddev * truncated_normal(rng, shape)


class RandomUniform(RandomInitializer):
    """Uniform distribution over [minval, maxval).

    Example:
        >>> values = RandomUniform(1.0, 2.0)((1000,))
        >>> bool(values.min() >= 1), bool(values.max() <= 2)
        (True, True)
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Seed = None) -> None:
        super().__init__(seed)
        self.minval = real(self, "minval", minval)
        self.maxval = real(self, "maxval", maxval)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.uniform(self.minval, self.maxval, shape)


class Orthogonal(RandomInitializer):
    """`gain` times a matrix with orthonormal rows or columns, whichever are fewer; all axes but the last count as one.

    Args:
        gain: the factor.
        seed: see `RandomInitializer`.

    Raises:
        ValueError: on call, if the shape has fewer than two axes.

    Source: Saxe et al. (2014), arXiv:1312.6120; made uniform over all such matrices as by Mezzadri (2007),
    arXiv:math-ph/0609050.

    Example:
        >>> q = Orthogonal(seed=0)((3, 3, 4), "float64").reshape(9, 4)
        >>> bool(abs(q.T @ q - np.eye(4)).max() < 1e-12)
        True
    """

    def __init__(self, gain: float = 1.0, seed: Seed = None) -> None:
        super().__init__(seed)
        self.gain = real(self, "gain", gain)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: the shape must have at least two axes. Received: shape={shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)  # makes the distribution uniform
        return self.gain * (q.T if rows < columns else q).reshape(shape)


def truncated_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """The standard normal distribution, drawn again where it is beyond 2."""
    values = rng.standard_normal(math.prod(shape))
    outside = np.flatnonzero(np.abs(values) > 2)
    while outside.size:
        values[outside] = rng.standard_normal(outside.size)
        outside = outside[np.abs(values[outside]) > 2]
    return values.reshape(shape)


def _spread(owner: Initializer, stddev: Any) -> int | float:
    number = real(owner, "stddev", stddev)
    if not number >= 0:
        raise ValueError(f"{type(owner).__name__}: stddev={number} must be at least 0.")
    return number
