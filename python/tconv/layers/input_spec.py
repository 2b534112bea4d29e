"""What a layer accepts as its input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tconv._registry import Configurable


class InputSpec(Configurable):
    """The number of axes an input may have, and the extents of some.

    Args:
        min_ndim, max_ndim: bounds of the number of axes, None for no bound.
        axes: extent by axis; a None extent may be anything.

    Example:
        >>> InputSpec(min_ndim=4, max_ndim=4, axes={-1: 3})
        InputSpec(min_ndim=4, max_ndim=4, axes={-1: 3})
    """

    def __init__(
        self, min_ndim: int | None = None, max_ndim: int | None = None, axes: Mapping[int, int | None] | None = None
    ) -> None:
        self.min_ndim = min_ndim
        self.max_ndim = max_ndim
        self.axes = dict(axes or {})

    def check(self, shape: Sequence[int | None], layer_name: str, layout: str = "") -> None:
        """Raises ValueError if an input of `shape` does not fit; None extents fit everywhere."""
        start = f"Input 0 of layer '{layer_name}' is incompatible with the layer: "
        end = f"Full shape received: {tuple(shape)}{layout}."
        if self.min_ndim is not None and len(shape) < self.min_ndim:
            raise ValueError(f"{start}expected min_ndim={self.min_ndim}, found ndim={len(shape)}. {end}")
        if self.max_ndim is not None and len(shape) > self.max_ndim:
            raise ValueError(f"{start}expected max_ndim={self.max_ndim}, found ndim={len(shape)}. {end}")
        for axis, extent in self.axes.items():
            if extent is not None and shape[axis] not in (extent, None):
                raise ValueError(
                    f"{start}expected axis {axis} of input shape to have value {extent}, but received input with shape "
                    f"{tuple(shape)}{layout}."
                )
