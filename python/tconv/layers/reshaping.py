"""Reshape and Flatten."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from tconv import _args
from tconv._convert import Array
from tconv.layers import arguments
from tconv.layers.base import Layer
from tconv.layers.building import Shape, checked_shape
from tconv.layers.differentiation import Back
from tconv.layers.input_spec import InputSpec


class Reshape(Layer):
    """Gives every example another shape of as many elements.

    Args:
        target_shape: extents without the batch's; one may be -1, which stands for what is left.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: the shape is not one.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.Reshape((7, 7, -1))(np.zeros((5, 3136))).shape
        (5, 7, 7, 64)
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = _target(type(self).__name__, target_shape)
        self.built = True

    def _sublayers(self) -> Iterator[Layer]:
        return iter(())

    def call(self, inputs: Array) -> Array:
        """`inputs` in another shape."""
        return inputs.reshape(self.compute_output_shape(inputs.shape))

    def call_vjp(self, inputs: Array, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The output and its pullback."""
        shape = inputs.shape
        return self.call(inputs), lambda dy: (dy.reshape(shape), ())

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The batch size and `target_shape`; a -1 in it is None where the input's extents are not all known.

        Raises:
            ValueError: the numbers of elements differ.
        """
        batch, *extents = checked_shape(self.name, input_shape)
        known = math.prod(extent for extent in self.target_shape if extent != -1)
        if None in extents:
            return (batch, *(None if extent == -1 else extent for extent in self.target_shape))
        size = math.prod(extents)
        if size != known and (-1 not in self.target_shape or not known or size % known):
            raise ValueError(
                f"Layer '{self.name}': the total size of the tensor must be unchanged. Received: "
                f"input_shape={(batch, *extents)}, target_shape={self.target_shape}."
            )
        return (batch, *(size // known if extent == -1 else extent for extent in self.target_shape))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "target_shape": self.target_shape}


class Flatten(Layer):
    """Puts all axes but the batch's into one.

    Args:
        data_format: "channels_last" or "channels_first", whose channels become the last axis first; None for
            `tconv.config.image_data_format()` now.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: the data format is not one.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.Flatten()(np.zeros((5, 7, 7, 64))).shape
        (5, 3136)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = arguments.data_format(type(self).__name__, data_format)
        self.input_spec = InputSpec(1)

    def _sublayers(self) -> Iterator[Layer]:
        return iter(())

    def call(self, inputs: Array) -> Array:
        """`inputs` with two axes."""
        return self._channels_last(inputs).reshape(self.compute_output_shape(inputs.shape))

    def _channels_last(self, array: Array) -> Array:
        moves = self.data_format == "channels_first" and array.ndim > 1
        return array.transpose(0, *range(2, array.ndim), 1) if moves else array

    def call_vjp(self, inputs: Array, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The output and its pullback."""
        moved, back = self._channels_last(inputs).shape, self.data_format == "channels_first" and inputs.ndim > 1
        last = inputs.ndim - 1

        def pullback(dy: Array) -> tuple[Array, tuple[()]]:
            dx = dy.reshape(moved)
            return (dx.transpose(0, last, *range(1, last)) if back else dx), ()

        return self.call(inputs), pullback

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The batch size and the product of the other extents; None where one of them is."""
        shape = checked_shape(self.name, input_shape)
        self._check_input(shape)
        return (shape[0], None if None in shape[1:] else math.prod(shape[1:]))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "data_format": self.data_format}


def _target(kind: str, value: Any) -> tuple[int, ...]:
    count = _args.count(value)
    if count is None or count > _args.MAX_RANK + 1:
        legal = f"a sequence of at most {_args.MAX_RANK + 1} integers"
        raise ValueError(f"{kind}: target_shape={_args.show(value)} must be {legal}.")
    try:
        entries = enumerate(_args.entries(kind, "target_shape", value))
        extents = tuple(_args.integer(kind, f"target_shape[{n}]", entry, least=-1) for n, entry in entries)
    except TypeError as error:
        raise ValueError(str(error)) from error
    if extents.count(-1) > 1:
        raise ValueError(f"{kind}: there must be at most one unknown dimension (-1) in target_shape={extents}.")
    return extents
