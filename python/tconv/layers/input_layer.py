"""The shape and dtype of what a model is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tconv import _args, _convert
from tconv import config as _config
from tconv._convert import Array
from tconv.layers.base import Layer
from tconv.layers.building import Shape, checked_shape
from tconv.layers.differentiation import Back
from tconv.layers.input_spec import InputSpec
from tconv.layers.symbolic import SymbolicTensor, node_of


class InputLayer(Layer):
    """States the shape of a model's input; `Input` makes one and gives its symbolic tensor.

    Args:
        shape: without the batch axis; None for an extent that may be anything.
        batch_size: an integer, or None.
        dtype: what the input is converted to; None for `tconv.config.floatx()`.
        batch_shape: the shape with the batch axis, in the place of `shape` and `batch_size`.
        name: None for an automatic one.
        sparse, ragged, optional: must be false; read from Keras' configs.
        input_shape, batch_input_shape: tf.keras' names for `shape` and `batch_shape`.

    Raises:
        ValueError: no shape, or two, or one of the arguments that must be false is not.

    Example:
        >>> InputLayer((28, 28, 1), name="image").batch_shape
        (None, 28, 28, 1)
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        optional: bool = False,
        **kwargs: Any,
    ) -> None:
        given = (shape, batch_shape, kwargs.get("input_shape"), kwargs.get("batch_input_shape"))
        if sum(value is not None for value in given) != 1:
            received = f"{_args.show(shape)} and {_args.show(batch_shape)}"
            raise ValueError(f"InputLayer: give one of `shape` and `batch_shape`. Received: {received}")
        if sparse or ragged or optional:
            raise ValueError("InputLayer: sparse, ragged and optional inputs are not supported; leave them false.")
        super().__init__(name=name, **kwargs)
        whole = batch_shape if batch_shape is not None else self._batch_shape_arg
        whole = (None, *checked_shape(self.name, shape)) if shape is not None else whole
        self.batch_shape: Shape = checked_shape(self.name, whole)
        if batch_size is not None:
            if self.batch_shape[:1] != (None,):
                raise ValueError("InputLayer: batch_size and batch_shape cannot be given together.")
            self.batch_shape = checked_shape(self.name, (batch_size, *self.batch_shape[1:]))
        self._converts_to = _dtype(dtype)
        self.input_spec = InputSpec(len(self.batch_shape), len(self.batch_shape))
        self.built = True

    @property
    def dtype(self) -> str:
        """The name of the dtype that inputs are converted to."""
        return str(self._converts_to.name)

    def _input_dtype(self) -> np.dtype[Any]:
        return self._converts_to

    def _output_dtypes(self, count: int) -> list[str]:
        return [self.dtype] * count

    @property
    def output(self) -> SymbolicTensor:
        """The symbolic tensor that stands for the input; always the same."""
        with self._lock:
            tensor: SymbolicTensor = (self._nodes or [node_of(self, None, {}, self.batch_shape)])[0].outputs
        return tensor

    def _sublayers(self) -> Iterator[Layer]:
        return iter(())

    def call(self, inputs: Array) -> Array:
        """The inputs themselves."""
        return inputs

    def call_vjp(self, inputs: Array, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The inputs themselves, and the gradient as it comes."""
        return inputs, lambda dy: (dy, ())

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """`input_shape`."""
        return checked_shape(self.name, input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as Keras 3 writes them."""
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": False,
        }

    def __repr__(self) -> str:
        dtype = "" if self.dtype == "float32" else f"dtype={self.dtype!r}, "
        return f"InputLayer(batch_shape={self.batch_shape}, {dtype}name={self.name!r})"


def Input(  # noqa: N802
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
) -> SymbolicTensor:
    """The shape and dtype of a model's input, as a symbolic tensor: call layers on it, and make a `tconv.Model` of what
    comes out; or give it to a Sequential as its first entry. See InputLayer for the arguments.

    Example:
        >>> Input((None, None, 3), name="image")
        <SymbolicTensor shape=(None, None, None, 3), dtype=float32, name=image>
    """
    return InputLayer(shape, batch_size, dtype, batch_shape=batch_shape, name=name).output


def _dtype(name: Any) -> np.dtype[Any]:
    name = _config.floatx() if name is None else name
    if isinstance(name, str) and name == "bfloat16":
        return _convert.compute_dtype("InputLayer", name)
    try:
        dtype: np.dtype[Any] = np.dtype(name)
    except MemoryError:
        raise
    except Exception as error:  # whatever it is asked for its dtype
        raise ValueError(f"InputLayer: dtype={_args.show(name)} is not known.") from error
    if dtype.kind not in "fiub" and dtype.name != "bfloat16":
        raise ValueError(f"InputLayer: dtype={dtype.name} must be a real one.")
    return dtype
