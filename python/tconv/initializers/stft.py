"""The kernel of a short-time Fourier transform."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tconv._convert import Array
from tconv.initializers.base import Initializer, Shape, checked_dtype, checked_shape
from tconv.initializers.windows import check_window, window

__all__ = ["STFT"]


class STFT(Initializer):
    """`cos` or `-sin` of 2 * pi * time * frequency, times a window: the kernel of a convolution that transforms.

    The shape is (frame length, input channels, F // 2 + 1): as many frequencies as a Fourier transform of F values of a
    real signal has.

    Args:
        side: "real" for the cosines, "imag" for the sines.
        window: a window's name as in `scipy.signal.get_window`, the window's values, or None for none.
        scaling: what the windowed kernel is divided by: "density", the root of the sum of the squared window;
            "spectrum", the sum of its absolute values; None, nothing.
        periodic: whether the window is periodic instead of symmetric.

    Raises:
        ValueError: an argument is none of these; on call, if the shape has not three axes, or the window not its
            length.

    Source: Keras' STFTSpectrogram layer, for which it is made.

    Example:
        >>> STFT("imag", window=None)((4, 1, 3), "float64")[:, 0, 1].round(12) + 0.0
        array([ 0., -1.,  0.,  1.])
    """

    def __init__(
        self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False
    ) -> None:
        if side not in ("real", "imag"):
            raise ValueError(f"STFT: side should be 'real' or 'imag'. Received: side={side!r}.")
        if isinstance(window, str):
            check_window(window)
        elif window is not None:
            window = [float(value) for value in _values(window)]
        if scaling not in (None, "density", "spectrum"):
            raise ValueError(f"STFT: scaling must be 'density', 'spectrum' or None. Received: scaling={scaling!r}.")
        if not isinstance(periodic, (bool, np.bool_)):
            raise ValueError(f"STFT: periodic must be a bool. Received: periodic={periodic!r}.")
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = bool(periodic)

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        shape, to = checked_shape(shape), checked_dtype(dtype)
        if len(shape) != 3:
            raise ValueError(
                f"STFT: the shape must be (frame length, input channels, F // 2 + 1). Received: shape={shape}."
            )
        length, channels, frequencies = shape
        turns = np.outer(np.arange(length), np.arange(frequencies) / max(1, 2 * (frequencies - 1)))
        angles = 2 * math.pi * np.remainder(turns, 1)  # of whole turns nothing is lost to rounding
        kernel = np.cos(angles) if self.side == "real" else -np.sin(angles)
        if self.window is not None:
            weights = self._weights(length)
            scale = {None: 1.0, "density": math.sqrt(np.sum(weights**2)), "spectrum": float(np.sum(np.abs(weights)))}
            kernel = kernel * weights[:, None] / (scale[self.scaling] or 1.0)
        return np.repeat(kernel[:, None, :], channels, axis=1).astype(to)

    def _weights(self, length: int) -> Array:
        if isinstance(self.window, str):
            return window(self.window, length, self.periodic)
        values = np.array(self.window, np.float64)
        if values.shape != (length,):
            raise ValueError(
                f"The shape of `window` must be equal to [frame_length]. Received: window shape={values.shape}, "
                f"frame_length={length}."
            )
        return values

    def get_config(self) -> dict[str, Any]:
        """The arguments, in Keras' order."""
        return {"side": self.side, "window": self.window, "periodic": self.periodic, "scaling": self.scaling}


def _values(window: Any) -> Array:
    try:
        values = np.asarray(window, np.float64)
    except (TypeError, ValueError):
        values = np.zeros((0, 0))
    if values.ndim != 1:
        raise ValueError(f"STFT: window={str(window)[:100]} must be a name, a sequence of numbers or None.")
    return values
