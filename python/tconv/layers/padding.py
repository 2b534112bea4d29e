"""Zeros added around, and pixels cut off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tconv import _args, _convert
from tconv._convert import Array
from tconv.layers import arguments
from tconv.layers.base import Layer
from tconv.layers.building import Shape, checked_shape
from tconv.layers.differentiation import Back
from tconv.layers.input_spec import InputSpec

Pairs = tuple[tuple[int, int], ...]


class _Margins(Layer):
    """A layer that adds or removes margins of spatial axes."""

    rank: int
    data_format: str

    def __init__(self, data_format: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = arguments.data_format(type(self).__name__, data_format)
        self.input_spec = InputSpec(self.rank + 2, self.rank + 2)

    def _sublayers(self) -> Iterator[Layer]:
        return iter(())

    def _pairs(self) -> Pairs:
        """(begin, end) per spatial axis."""
        raise NotImplementedError

    def _all_pairs(self) -> Pairs:
        """(begin, end) per axis."""
        none = ((0, 0),)
        return (
            (*none, *none, *self._pairs()) if self.data_format == "channels_first" else (*none, *self._pairs(), *none)
        )

    def _regions(self, shape: Shape) -> tuple[slice, ...]:
        """Where the smaller array lies in the larger one, of `shape`."""
        return tuple(slice(begin, extent - end) for (begin, end), extent in zip(self._all_pairs(), shape))


class ZeroPadding(_Margins):
    """Adds zeros around the spatial axes.

    Args:
        padding: pixels: an integer for all sides, or per axis an integer or (begin, end).
        data_format: "channels_last" or "channels_first"; None for `tconv.config.image_data_format()` now.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: an argument is not valid.
    """

    padding: Any

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.padding = margins(type(self).__name__, "padding", padding, self.rank)

    def _pairs(self) -> Pairs:
        return (self.padding,) if self.rank == 1 else self.padding

    def call(self, inputs: Array) -> Array:
        """`inputs` with zeros around."""
        outputs = _convert.allocate(self.name, self.compute_output_shape(inputs.shape), inputs.dtype)
        outputs[...] = 0
        outputs[self._regions(outputs.shape)] = inputs
        return outputs

    def call_vjp(self, inputs: Array, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The output and its pullback."""
        outputs = self.call(inputs)
        regions = self._regions(outputs.shape)
        return outputs, lambda dy: (np.ascontiguousarray(dy[regions]), ())

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """`input_shape` with larger extents; None stays None."""
        shape = checked_shape(self.name, input_shape)
        self._check_input(shape)
        return tuple(
            None if extent is None else extent + begin + end for extent, (begin, end) in zip(shape, self._all_pairs())
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class ZeroPadding1D(ZeroPadding):
    """Adds zeros at both ends of the steps of `(batch, steps, channels)`. See ZeroPadding; the padding is an integer or
    (begin, end).

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.ZeroPadding1D((1, 0))(np.ones((1, 2, 1))).ravel().tolist()
        [0.0, 1.0, 1.0]
    """

    rank = 1


class ZeroPadding2D(ZeroPadding):
    """Adds zeros around images. See ZeroPadding.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.ZeroPadding2D(((1, 0), 2))(np.ones((1, 4, 5, 3))).shape
        (1, 5, 9, 3)
    """

    rank = 2

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding3D(ZeroPadding):
    """Adds zeros around volumes. See ZeroPadding.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.ZeroPadding3D()(np.ones((1, 4, 5, 6, 3))).shape
        (1, 6, 7, 8, 3)
    """

    rank = 3

    def __init__(self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class Cropping(_Margins):
    """Cuts pixels off at the ends of the spatial axes.

    Args:
        cropping: pixels: an integer for all sides, or per axis an integer or (begin, end).
        data_format: "channels_last" or "channels_first"; None for `tconv.config.image_data_format()` now.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: an argument is not valid; on call, if nothing would be left.
    """

    cropping: Any

    def __init__(self, cropping: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping = margins(type(self).__name__, "cropping", cropping, self.rank)

    def _pairs(self) -> Pairs:
        return (self.cropping,) if self.rank == 1 else self.cropping

    def call(self, inputs: Array) -> Array:
        """What is left of `inputs`, in memory of its own."""
        self.compute_output_shape(inputs.shape)
        return np.array(inputs[self._regions(inputs.shape)], order="C")

    def call_vjp(self, inputs: Array, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The output and its pullback."""
        shape, regions = inputs.shape, self._regions(inputs.shape)

        def pullback(dy: Array) -> tuple[Array, tuple[()]]:
            dx = np.zeros(shape, dy.dtype)
            dx[regions] = dy
            return dx, ()

        return self.call(inputs), pullback

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """`input_shape` with smaller extents; None stays None.

        Raises:
            ValueError: nothing would be left.
        """
        shape = checked_shape(self.name, input_shape)
        self._check_input(shape)
        pairs = self._all_pairs()
        if any(extent is not None and sum(pair) >= extent for extent, pair in zip(shape, pairs) if any(pair)):
            raise ValueError(
                f"Layer '{self.name}': values in `cropping` must be smaller than the corresponding spatial dimension "
                f"of the input. Received: input_shape={shape}, cropping={self.cropping}"
            )
        return tuple(None if extent is None else extent - sum(pair) for extent, pair in zip(shape, pairs))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "cropping": self.cropping, "data_format": self.data_format}


class Cropping1D(Cropping):
    """Cuts steps off at both ends of `(batch, steps, channels)`. See Cropping; the cropping is an integer or
    (begin, end), and there is no data format.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.Cropping1D((1, 0))(np.arange(3.0).reshape(1, 3, 1)).ravel().tolist()
        [1.0, 2.0]
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, "channels_last", **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        del config["data_format"]
        return config


class Cropping2D(Cropping):
    """Cuts pixels off at the edges of images. See Cropping.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.Cropping2D(((1, 0), 2))(np.ones((1, 4, 5, 3))).shape
        (1, 3, 1, 3)
    """

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(Cropping):
    """Cuts pixels off at the faces of volumes. See Cropping.

    Example:
        >>> import numpy as np, tconv
        >>> tconv.layers.Cropping3D()(np.ones((1, 4, 5, 6, 3))).shape
        (1, 2, 3, 4, 3)
    """

    rank = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


def margins(kind: str, name: str, value: Any, rank: int) -> Any:
    """(begin, end) for one axis, or one pair per axis."""
    if rank == 1:
        return arguments.per_axis(kind, name, value, 2, 0)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return (arguments.per_axis(kind, name, value, 2, 0),) * rank
    if _args.count(value) != rank:
        raise ValueError(
            f"{kind}: `{name}` should be an integer, or have {rank} entries, one per axis, each an integer or a pair "
            f"(begin, end). Received: {name}={_args.show(value)}"
        )
    try:
        entries = enumerate(_args.entries(kind, name, value))
    except TypeError as error:
        raise ValueError(str(error)) from error
    return tuple(arguments.per_axis(kind, f"{name}[{axis}]", entry, 2, 0) for axis, entry in entries)
