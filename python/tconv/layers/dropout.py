"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tconv import _args
from tconv._convert import Array
from tconv._registry import real
from tconv.layers.differentiation import Back
from tconv.layers.elementwise import Elementwise
from tconv.layers.seed_generator import SeedGenerator
from tconv.variable import Variable


class Dropout(Elementwise):
    """In training, sets elements to 0 at random and multiplies the others by 1 / (1 - rate); else changes nothing.

    Source: Srivastava et al., JMLR 15 (2014).

    Args:
        rate: the share of elements set to 0, from 0 to 1.
        noise_shape: the shape of the random decisions, which are repeated to the input's; None in it for the input's
            extent, None for all.
        seed: a non-negative integer, or None for a seed of its own. Every call decides anew.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: an argument is not valid; on call, if the noise shape does not fit the input.

    Example:
        >>> import numpy as np, tconv
        >>> layer = tconv.layers.Dropout(0.5, seed=1)
        >>> layer([1.0, 2.0, 3.0])
        array([1., 2., 3.], dtype=float32)
        >>> set(layer(np.ones(1000), training=True).tolist()) == {0.0, 2.0}
        True
    """

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        try:
            self.rate = real(self, "rate", rate)
        except TypeError as error:
            raise ValueError(str(error)) from None
        if not 0 <= self.rate <= 1:
            raise ValueError(
                "Invalid value received for argument `rate`. Expected a float value between 0 and 1. Received: "
                f"rate={_args.show(rate)}"
            )
        self.noise_shape = _noise_shape(noise_shape)
        generator = SeedGenerator(seed)
        self.seed = generator.seed
        self.seed_generator = generator if self.rate > 0 else None

    def _states(self) -> list[Variable]:
        return [] if self.seed_generator is None else [self.seed_generator.state]

    def call(self, inputs: Array, training: bool | None = False) -> Array:
        """`inputs`, and in training what is left of them."""
        if not training or self.seed_generator is None:
            return inputs
        return self._dropped(inputs, self.seed_generator.next())

    def call_vjp(self, inputs: Array, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The output and its pullback, which draws the same numbers again."""
        if not training or self.seed_generator is None:
            return inputs, lambda dy: (dy, ())
        seed = self.seed_generator.next()
        return self._dropped(inputs, seed), lambda dy: (self._dropped(dy, seed), ())

    def _dropped(self, array: Array, seed: tuple[int, int]) -> Array:
        shape, noise = array.shape, array.shape if self.noise_shape is None else self.noise_shape
        if len(noise) != len(shape) or any(n not in (None, 1, extent) for n, extent in zip(noise, shape)):
            raise ValueError(f"Layer '{self.name}': noise_shape={noise} does not fit an input of shape {shape}.")
        decisions = tuple(extent if n is None else n for n, extent in zip(noise, shape))
        drawn = np.random.Generator(np.random.Philox(key=list(seed))).random(decisions, np.float32)
        scale = np.asarray(1 / (1 - self.rate) if self.rate < 1 else 0, array.dtype)
        return np.asarray(np.where(drawn < self.rate, np.asarray(0, array.dtype), array) * scale)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}
        return {**super().get_config(), **own}


def _noise_shape(value: Any) -> tuple[int | None, ...] | None:
    if value is None:
        return None
    try:
        extents = _args.some_extents("Dropout", "noise_shape", value, ())
    except TypeError as error:
        raise ValueError(str(error)) from error
    if 0 in extents:
        raise ValueError(f"Dropout: noise_shape={extents} must hold positive integers or None.")
    return extents
