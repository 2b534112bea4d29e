"""What layers that compute each element by itself have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tconv._convert import Array
from tconv.layers.base import Layer
from tconv.layers.building import Shape, checked_shape


class Elementwise(Layer):
    """A layer without weights whose output has the shape of its input."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.built = True

    def _sublayers(self) -> Iterator[Layer]:
        return iter(())

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """`input_shape`."""
        return checked_shape(self.name, input_shape)

    def call(self, inputs: Array) -> Any:
        """The function of every element."""
        raise NotImplementedError
