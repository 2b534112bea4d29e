"""What all initializers have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from tconv import _args, _convert
from tconv import config as _config
from tconv._convert import Array
from tconv._registry import Configurable, check_keys

__all__ = ["Initializer", "Shape", "checked_dtype", "checked_shape"]

Shape = Sequence[int]

I = TypeVar("I", bound="Initializer")  # noqa: E741


class Initializer(Configurable):
    """Base class: override `__call__(shape, dtype=None)`.

    Example:
        >>> import tconv
        >>> class Halves(tconv.initializers.Initializer):
        ...     def __call__(self, shape, dtype=None):
        ...         return np.full(shape, 0.5, dtype)
        >>> layer = tconv.layers.Conv1DTranspose(1, 2, kernel_initializer=Halves())
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        """A new array of `shape`; `dtype=None` means `tconv.config.floatx()`."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype=None).")

    @classmethod
    def from_config(cls: type[I], config: Mapping[str, Any]) -> I:
        """The initializer that `get_config` described, here or in any Keras; TensorFlow 1 wrote a dtype, which is not
        looked at.

        Raises:
            ValueError: the config has keys that the constructor does not know.
        """
        config = {key: value for key, value in config.items() if key != "dtype"}
        check_keys(cls, config)
        return cls(**config)

    def clone(self: I) -> I:
        """Another initializer from the same config: without a seed it draws other numbers."""
        return type(self).from_config(self.get_config())


def checked_shape(shape: Any) -> tuple[int, ...]:
    """A shape, exact. Beyond 2**63 bytes NumPy says ValueError for the MemoryError that it is."""
    extents = _args.extents("initializers", "shape", shape, ())
    if math.prod(extents) >= 2**60:
        raise MemoryError(f"initializers: an array of shape {extents} cannot be allocated.")
    return extents


def checked_dtype(name: Any) -> np.dtype[Any]:
    """A dtype by any of its names; None is `tconv.config.floatx()`."""
    name = _config.floatx() if name is None else name
    return (
        _convert.compute_dtype("initializers", name) if isinstance(name, str) and name == "bfloat16" else np.dtype(name)
    )
