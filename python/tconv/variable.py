"""A layer's weight: an array that changes only as a whole, through `assign`.

Every value is a fresh, read-only array. Whoever has read one keeps exactly what was read, also while another thread
assigns, and `version` tells whether a value has been replaced since.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tconv import _args, _convert
from tconv import config as _config
from tconv._convert import Array

Update = tuple["Variable", Any]
"""A variable and its next value."""

_unfilled = contextvars.ContextVar("_unfilled", default=False)


@contextlib.contextmanager
def unfilled() -> Iterator[None]:
    """Within, initializers do not run: new variables are zeros that take no memory, until they are assigned to.

    What a file says of a model cannot fill the memory then, before its weights are seen to be there.

    Example:
        >>> with unfilled():
        ...     v = Variable(np.ones, (10**9, 10**6))
        >>> v.shape, v.value.strides
        ((1000000000, 1000000), (0, 0))
    """
    token = _unfilled.set(True)
    try:
        yield
    finally:
        _unfilled.reset(token)


class Variable:
    """A named array with a shape and a dtype for life.

    Args:
        initializer: a callable of (shape, dtype), or an array-like of values, which is copied.
        shape: the shape; needed with a callable.
        dtype: "float32", "float64", "float16", "bfloat16" (with ml_dtypes) or None for `tconv.config.floatx()`; for
            counters also "int32", "int64" or "uint32".
        trainable: whether training may change it.
        name: its own name.
        path: its name within a model; None means `name`.
        regularizer: a callable that makes a penalty of the value, or None.
        constraint: a callable that projects the value, applied after an optimizer's step, or None.

    Raises:
        ValueError: a callable came without a shape, or the values have another shape.
        TypeError: the values are not real numbers, or the dtype is not one of these.
        MemoryError: the shape holds more than can be allocated.

    Example:
        >>> v = Variable([1.0, 2.0], name="bias")
        >>> v.assign([3, 4])
        array([3., 4.], dtype=float32)
        >>> v.version, v.shape, v.value.flags.writeable
        (1, (2,), False)
    """

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        name: str = "variable",
        *,
        path: str | None = None,
        regularizer: Callable[..., Any] | None = None,
        constraint: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self.path = name if path is None else path
        self.trainable = trainable
        self.initializer = initializer if callable(initializer) else None
        self.regularizer = regularizer
        self.constraint = constraint
        shape = None if shape is None else _args.extents(self.path, "shape", shape, ())
        to = _dtype(self.path, _config.floatx() if dtype is None else dtype)
        if callable(initializer):
            if shape is None:
                raise ValueError(f"Variable '{self.path}': an initializer needs a shape.")
            initializer = _initialized(self.path, initializer, shape, to)
        promised = self.initializer is not None and _unfilled.get()
        self._array = initializer if promised else _fixed(self.path, initializer, to)
        if shape is not None and self._array.shape != shape:
            raise ValueError(f"Variable '{self.path}': the initial values have shape {self._array.shape}, not {shape}.")
        self._version = 0
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """The number of its elements."""
        return self._array.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its dtype."""
        return self._array.dtype

    @property
    def version(self) -> int:
        """How often it was assigned to."""
        return self._version

    @property
    def value(self) -> Array:
        """The present value: a read-only array that later assignments leave as it is."""
        return self._array[...]

    def snapshot(self) -> tuple[Array, int]:
        """The present value and its version, read together."""
        with self._lock:
            return self._array[...], self._version

    def numpy(self) -> Array:
        """A copy of the present value."""
        copied: Array = self._array.copy()
        return copied

    def assign(self, value: Any) -> Array:
        """Replaces the value by a copy of `value`, converted to this variable's dtype.

        Returns:
            The new value, read-only.

        Raises:
            ValueError: the shape is another.
            TypeError: the values are not real numbers.
        """
        array = _fixed(self.path, value, self._array.dtype)
        if array.shape != self.shape:
            raise ValueError(
                "The shape of the target variable and the shape of the target value in `variable.assign(value)` must "
                f"match. Variable '{self.path}' has shape {self.shape}. Received: value.shape={array.shape}."
            )
        self._replace(array)
        return array[...]

    def _replace(self, array: Array) -> None:
        """Makes a read-only array of this variable's shape and dtype its value, without a copy: this cannot fail."""
        with self._lock:
            self._array = array
            self._version += 1

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        wanted = self.dtype if dtype is None else np.dtype(dtype)
        if wanted == self.dtype and not copy:
            return self.value
        if copy is False:
            raise ValueError(f"Variable '{self.path}' has dtype {self.dtype}: an array of {wanted} needs a copy.")
        return np.array(self._array, dtype=wanted)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._array.flags.writeable = False  # copying and pickling lose it
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self._array}>"

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __neg__(self) -> Any:
        return -self._array

    def __add__(self, other: Any) -> Any:
        return self._array + other

    def __radd__(self, other: Any) -> Any:
        return other + self._array

    def __sub__(self, other: Any) -> Any:
        return self._array - other

    def __rsub__(self, other: Any) -> Any:
        return other - self._array

    def __mul__(self, other: Any) -> Any:
        return self._array * other

    def __rmul__(self, other: Any) -> Any:
        return other * self._array

    def __truediv__(self, other: Any) -> Any:
        return self._array / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / self._array


def replace_all(updates: Iterable[Update]) -> None:
    """Replaces the values of several variables: all of them or none, also when it is interrupted.

    An array of a variable's dtype that is nobody else's memory becomes its value as it is, and read-only.

    Args:
        updates: pairs of a variable and its next value.

    Raises:
        ValueError: a shape is another than the variable's.
        TypeError: a value does not hold real numbers.

    Example:
        >>> a, b = Variable([1.0]), Variable([2.0])
        >>> replace_all([(a, [3.0]), (b, [4.0])])
        >>> a.value.tolist(), b.value.tolist()
        ([3.0], [4.0])
    """
    ready = [(variable, _taken(variable, value)) for variable, value in updates]
    try:
        for variable, array in ready:
            variable._replace(array)
    except BaseException:  # Ctrl-C, after some of them
        for variable, array in ready:
            variable._replace(array)
        raise


def _taken(variable: Variable, value: Any) -> Array:
    """A value as a read-only array that is the variable's alone."""
    own = type(value) is np.ndarray and value.flags.owndata and value.flags.c_contiguous
    array: Array = value if own and value.dtype == variable.dtype else _fixed(variable.path, value, variable.dtype)
    if array.shape != variable.shape:
        raise ValueError(f"Variable '{variable.path}' has shape {variable.shape}; its next value has {array.shape}.")
    array.flags.writeable = False
    return array


def _dtype(path: str, dtype: Any) -> np.dtype[Any]:
    if isinstance(dtype, str) and dtype in ("int32", "int64", "uint32"):
        return np.dtype(dtype)
    return _convert.compute_dtype(path, dtype)


def _fixed(path: str, value: Any, dtype: np.dtype[Any]) -> Array:
    """A read-only copy of `value` in C order."""
    array = np.array(_convert.to_array(path, "value", value), dtype=dtype, order="C", copy=True, subok=False)
    array.flags.writeable = False
    return array


def _initialized(path: str, initializer: Callable[..., Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """The initial values; NumPy's ValueError for impossible sizes is the MemoryError that it stands for."""
    if math.prod(shape) * dtype.itemsize >= 2**63:
        raise MemoryError(f"Variable '{path}': an array of shape {shape} and dtype {dtype} cannot be allocated.")
    if _unfilled.get():
        return np.broadcast_to(np.zeros((), dtype), shape)
    return initializer(shape, dtype=dtype)
