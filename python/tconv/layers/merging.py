"""Layers of several inputs: Add and Concatenate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tconv import _args
from tconv._convert import Array
from tconv.layers.base import Layer
from tconv.layers.building import Shape, checked_shape
from tconv.layers.differentiation import Back
from tconv.layers.structure import is_shape


class Merge(Layer):
    """Base class of layers that are called on a list of inputs."""

    def _sublayers(self) -> Iterator[Layer]:
        return iter(())

    def _arranged(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or not inputs:
            raise ValueError(
                f"Layer '{self.name}': a merging layer is called on a list of at least one input. Received: "
                f"{_args.show(inputs)}"
            )
        return list(inputs)

    def _converted(self, inputs: Any) -> Any:
        convert = super()._converted
        return [convert(array) for array in self._arranged(inputs)]

    def _checked_shape(self, shape: Any) -> Any:
        if not isinstance(shape, (list, tuple)) or is_shape(shape):
            raise ValueError(
                f"Layer '{self.name}': a merging layer is built for a list of shapes. Received: "
                f"input_shape={_args.show(shape)}"
            )
        return [checked_shape(self.name, one) for one in shape]

    def _check_input(self, shape: Any) -> None:
        self.compute_output_shape(shape)

    def build(self, input_shape: Any = None) -> None:
        """Checks that inputs of these shapes go together; there are no weights."""
        self._check_input(input_shape)

    def _batch(self, shapes: list[Shape]) -> Any:
        batches = {shape[0] for shape in shapes if shape} - {None}
        if len(batches) > 1:
            raise ValueError(
                f"Layer '{self.name}': cannot merge tensors with different batch sizes. Received: {shapes}"
            )
        return next(iter(batches), None)


class Add(Merge):
    """The sum of its inputs.

    They have the same shape, or extents of 1 that count for any; to one with fewer axes, axes of 1 are added after the
    batch's.

    Args:
        **kwargs: `name`, `dtype`, `trainable` and `activity_regularizer`, as for every layer.

    Example:
        >>> Add()([[[1.0, 2.0]], [[10.0, 20.0]]])
        array([[11., 22.]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: Any) -> Array:
        """The sum of `inputs`."""
        terms = _of_one_rank(inputs)
        total = terms[0].copy() if len(terms) == 1 else terms[0] + terms[1]
        for term in terms[2:]:
            total = total + term
        return np.asarray(total)

    def call_vjp(self, inputs: Any, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The sum and its pullback."""
        shapes = [array.shape for array in inputs]
        expanded = [array.shape for array in _of_one_rank(inputs)]

        def pullback(dy: Array) -> tuple[list[Array], tuple[()]]:
            return [_summed(dy, wide).reshape(shape) for wide, shape in zip(expanded, shapes)], ()

        return self.call(inputs), pullback

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape that the inputs' shapes broadcast to.

        Raises:
            ValueError: they do not go together.
        """
        shapes = self._checked_shape(input_shape)
        batch = self._batch(shapes)
        rest: Shape = ()
        for shape in shapes:
            rest = self._together(rest, shape[1:], shapes)
        return (batch, *rest)

    def _together(self, a: Shape, b: Shape, shapes: list[Shape]) -> Shape:
        longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
        kept = len(longer) - len(shorter)
        extents = []
        for i, j in zip(longer[kept:], shorter):
            if None not in (i, j) and 1 not in (i, j) and i != j:
                raise ValueError(f"Layer '{self.name}': inputs have incompatible shapes. Received shapes {shapes}")
            extents.append(None if None in (i, j) else max(i, j) if 0 not in (i, j) else 0)
        return (*longer[:kept], *extents)


class Concatenate(Merge):
    """Its inputs one after the other along an axis.

    Args:
        axis: the axis, counted with the batch's; all other extents are the same.
        **kwargs: `name`, `dtype`, `trainable` and `activity_regularizer`, as for every layer.

    Raises:
        ValueError: the axis is not an integer; on call, if the inputs do not fit.

    Example:
        >>> Concatenate()([[[1.0, 2.0]], [[10.0]]])
        array([[ 1.,  2., 10.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        try:
            self.axis = _args.integer(type(self).__name__, "axis", axis)
        except TypeError as error:
            raise ValueError(str(error)) from None

    def call(self, inputs: Any) -> Array:
        """`inputs` in one array."""
        return np.concatenate(inputs, axis=self.axis)

    def call_vjp(self, inputs: Any, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The output and its pullback."""
        axis = self.axis
        ends = np.cumsum([array.shape[axis] for array in inputs])[:-1]

        def pullback(dy: Array) -> tuple[list[Array], tuple[()]]:
            return [np.ascontiguousarray(part) for part in np.split(dy, ends, axis)], ()

        return self.call(inputs), pullback

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the inputs with the sum of their extents along `axis`.

        Raises:
            ValueError: other extents differ, or there is no such axis.
        """
        shapes = self._checked_shape(input_shape)
        rank = len(shapes[0])
        axis = self.axis % rank if -rank <= self.axis < rank else None
        if axis is None:
            raise ValueError(f"Layer '{self.name}': axis={self.axis} is out of range. Received: {shapes}")
        extents = []
        for number, column in enumerate(zip(*shapes)):
            known = set(column) - {None}
            if len({len(shape) for shape in shapes}) > 1 or (number != axis and len(known) > 1):
                raise ValueError(
                    f"Layer '{self.name}': inputs must have matching shapes except for the concatenation axis "
                    f"{self.axis}. Received: {shapes}"
                )
            if number == axis:
                extents.append(None if None in column else sum(column))
            else:
                extents.append(next(iter(known), None))
        return tuple(extents)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "axis": self.axis}


def add(inputs: Any, **kwargs: Any) -> Any:
    """`Add(**kwargs)(inputs)`.

    Example:
        >>> add([[[1.0]], [[2.0]]]).tolist()
        [[3.0]]
    """
    return Add(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis, **kwargs)(inputs)`.

    Example:
        >>> concatenate([[[1.0]], [[2.0]]]).tolist()
        [[1.0, 2.0]]
    """
    return Concatenate(axis, **kwargs)(inputs)


def _of_one_rank(arrays: list[Array]) -> list[Array]:
    rank = max(array.ndim for array in arrays)
    return [array.reshape(*array.shape[:1], *(1,) * (rank - array.ndim), *array.shape[1:]) for array in arrays]


def _summed(array: Array, shape: Shape) -> Array:
    """`array` summed over the axes along which a `shape` was repeated."""
    axes = tuple(axis for axis, extent in enumerate(shape) if extent == 1 and array.shape[axis] != 1)
    if not axes:
        return array
    wide = array.astype(np.float32) if array.dtype.itemsize == 2 else array
    return np.asarray(wide.sum(axis=axes, keepdims=True)).astype(array.dtype, copy=False)
