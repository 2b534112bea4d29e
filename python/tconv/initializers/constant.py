"""Initializers that draw nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tconv._convert import Array
from tconv._registry import real
from tconv.initializers.base import Initializer, Shape, checked_dtype, checked_shape

__all__ = ["Constant", "Identity", "Ones", "Zeros"]


class Zeros(Initializer):
    """All zeros.

    Example:
        >>> Zeros()((2,), "float32")
        array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        return np.zeros(checked_shape(shape), checked_dtype(dtype))


class Ones(Initializer):
    """All ones.

    Example:
        >>> Ones()((2,), "float32")
        array([1., 1.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        return np.ones(checked_shape(shape), checked_dtype(dtype))


class Constant(Initializer):
    """One number everywhere, or the values of an array.

    Args:
        value: a real number, kept as it is (an integer stays one), or an array of them, copied, of the shape asked for
            or one that broadcasts to it.

    Raises:
        ValueError: `value` is neither; on call, if it does not broadcast to the shape.

    Example:
        >>> Constant(0.5)((3,), "float64")
        array([0.5, 0.5, 0.5])
        >>> Constant([1, 2])((2, 2), "int32")
        array([[1, 2],
               [1, 2]], dtype=int32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        given = _read(value) if isinstance(value, Mapping) else _array(value)
        given.flags.writeable = False
        self.value: Any = given.item() if given.ndim == 0 else given
        self._broadcasts = True

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        shape = checked_shape(shape)
        if not self._fits(shape):
            raise ValueError(
                f"Expected `shape` to be {self.value.shape}, the shape of the given values. Received: shape={shape}."
            )
        return np.full(shape, self.value, checked_dtype(dtype))

    def _fits(self, shape: tuple[int, ...]) -> bool:
        if not isinstance(self.value, np.ndarray) or self.value.shape == shape:
            return True
        if not self._broadcasts or self.value.ndim > len(shape):
            return False
        return all(own in (1, asked) for own, asked in zip(self.value.shape[::-1], shape[::-1], strict=False))

    def get_config(self) -> dict[str, Any]:
        """The value; an array as Keras writes one."""
        if not isinstance(self.value, np.ndarray):
            return {"value": self.value}
        written = {"value": self.value.tolist(), "dtype": self.value.dtype.name}
        return {"value": {"class_name": "__numpy__", "config": written}}


def given(values: Any) -> Constant:
    """The initializer that an array of exactly a weight's shape stands for."""
    made = Constant(values)
    made._broadcasts = False
    return made


class Identity(Initializer):
    """`gain` times the identity matrix, for shapes of two axes.

    Raises:
        ValueError: on call, if the shape has not two axes.

    Example:
        >>> Identity(gain=2.0)((2, 3), "float32")
        array([[2., 0., 0.],
               [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = real(self, "gain", gain)

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        shape = checked_shape(shape)
        if len(shape) != 2:
            raise ValueError(f"Identity: only a shape of two axes has an identity matrix. Received: shape={shape}.")
        return np.asarray(self.gain * np.eye(shape[0], shape[1])).astype(checked_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        """The gain, where it is not 1: Keras writes none, and reads one."""
        return {} if self.gain == 1.0 else {"gain": self.gain}


def _array(value: Any, dtype: Any = None) -> Array:
    try:
        given = np.array(value, dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(_legal(value)) from error
    if given.dtype.kind not in "biuf" and given.dtype.name != "bfloat16":
        raise ValueError(_legal(value))
    return given


def _read(value: Mapping[str, Any]) -> Array:
    """The array in Keras' {"class_name": "__numpy__" or "__tensor__", "config": {"value", "dtype"}}."""
    inner = value.get("config")
    if value.get("class_name") not in ("__numpy__", "__tensor__") or not isinstance(inner, Mapping):
        raise ValueError(_legal(value))
    name = inner.get("dtype", "float32")
    if not isinstance(name, str) or name not in _DTYPES:
        raise ValueError(f"Constant: value has dtype={name!r}, which must be one of {', '.join(_DTYPES)}.")
    return _array(inner.get("value"), checked_dtype(name))


def _legal(value: Any) -> str:
    text = repr(value)
    return f"Constant: value={text[:100]} must be a real number or an array of real numbers."


_DTYPES = (
    *("float16", "bfloat16", "float32", "float64", "bool"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)
