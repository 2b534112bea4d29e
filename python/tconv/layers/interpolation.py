"""Interpolation along one axis to a whole multiple of its extent, and its adjoint.

Output `o = i*factor + phase` lies at `(o + 1/2)/factor - 1/2` pixels of the input. Its weights are the kernel's values
at the distances to the pixels around, divided by their sum; pixels beyond the edge have no weight. Source: half-pixel
centers, as in tf.image.resize and jax.image.resize; Keys 1981 (a = -1/2) for "bicubic", Duchon 1979 for "lanczos3" and
"lanczos5".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from tconv._convert import Array

METHODS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


def _triangle(t: Array) -> Array:
    return np.asarray(np.maximum(0, 1 - t))


def _cubic(t: Array) -> Array:
    near, far = ((1.5 * t - 2.5) * t) * t + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
    return np.where(t < 1, near, np.where(t < 2, far, 0))


def _lanczos(radius: int) -> Callable[[Array], Array]:
    def kernel(t: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = radius * np.sin(np.pi * t) * np.sin(np.pi * t / radius) / (np.pi**2 * t**2)
        return np.where(t > 1e-3, np.where(t > radius, 0, value), 1)

    return kernel


_KERNELS: dict[str, tuple[int, Callable[[Array], Array]]] = {
    "bilinear": (1, _triangle),
    "bicubic": (2, _cubic),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
}


def _terms(extent: int, factor: int, method: str) -> Iterator[tuple[int, slice, slice, Array]]:
    """(phase, which `i` of the output, which pixels of the input, their weights), all that are added up."""
    radius, kernel = _KERNELS[method]
    pixels = np.arange(extent)
    for phase in range(factor):
        position = (phase + 0.5) / factor - 0.5
        first = math.ceil(position - radius)
        offsets = range(first, math.floor(position + radius) + 1)
        weights = kernel(np.abs(np.array(offsets) - position))
        inside = [(pixels + offset >= 0) & (pixels + offset < extent) for offset in offsets]
        totals = sum(weight * mask for weight, mask in zip(weights, inside))
        for offset, weight in zip(offsets, weights):
            begin, end = max(0, -offset), min(extent, extent - offset)
            if weight and begin < end:
                yield phase, slice(begin, end), slice(begin + offset, end + offset), (weight / totals)[begin:end]


def enlarged(x: Array, axis: int, factor: int, method: str) -> Array:
    """`x`, float32 or float64, with `factor` times the extent along `axis`."""
    if factor == 1:
        return x
    extent, before, after = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
    x = x.reshape(*before, extent, -1)
    y = np.zeros((*before, extent, factor, x.shape[-1]), x.dtype)
    for phase, outputs, pixels, weights in _terms(extent, factor, method):
        y[..., outputs, phase, :] += weights[:, None].astype(x.dtype) * x[..., pixels, :]
    return y.reshape(*before, extent * factor, *after)


def enlarged_adjoint(dy: Array, axis: int, factor: int, method: str) -> Array:
    """The gradient by `x` of `enlarged(x)`, for the gradient `dy` by its result."""
    if factor == 1:
        return dy
    extent, before, after = dy.shape[axis] // factor, dy.shape[:axis], dy.shape[axis + 1 :]
    dy = dy.reshape(*before, extent, factor, -1)
    dx = np.zeros((*before, extent, dy.shape[-1]), dy.dtype)
    for phase, outputs, pixels, weights in _terms(extent, factor, method):
        dx[..., pixels, :] += weights[:, None].astype(dy.dtype) * dy[..., outputs, phase, :]
    return dx.reshape(*before, extent, *after)


def repeated(x: Array, factors: dict[int, int]) -> Array:
    """`x` with every pixel repeated: `factors` by axis."""
    shape, wide = [], []
    for axis, extent in enumerate(x.shape):
        shape += [extent, 1]
        wide += [extent, factors.get(axis, 1)]
    result = [extent * factors.get(axis, 1) for axis, extent in enumerate(x.shape)]
    return np.broadcast_to(x.reshape(shape), wide).reshape(result)


def repeated_adjoint(dy: Array, factors: dict[int, int]) -> Array:
    """The gradient by `x` of `repeated(x)`: sums over the repeated pixels."""
    wide = []
    for axis, extent in enumerate(dy.shape):
        factor = factors.get(axis, 1)
        wide += [extent // factor, factor]
    return np.asarray(dy.reshape(wide).sum(axis=tuple(range(1, 2 * dy.ndim, 2))))
