"""The NumPy oracle: transposed convolution and its gradients, straight from the definition.

    full[i*stride + t*dilation] += x[i] * kernel[t]        for every input i and tap t
    y[o] = full[crop + o]                                  zero outside of full

Independent of the library under test: it imports NumPy alone and derives its own geometry. Sums are float64. Arrays are
batched; `axes` is a list of `Axis`, `channels_first` says where the channels are.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Illegal(ValueError):
    """The arguments describe no transposed convolution."""


class Axis(NamedTuple):
    """One spatial axis: extents in pixels, kernel in taps, crop in pixels of the full output."""

    input: int
    out: int
    kernel: int
    stride: int
    dilation: int
    crop: int


# ---------------------------------------------------------------------------------------------------- geometry


def convolution_extent(length, kernel, stride, dilation, padding):
    """The extent of the ordinary convolution of `length` pixels: the law that explicit outputs obey."""
    span = (kernel - 1) * dilation + 1
    if padding in ("same", "same_lower"):
        return -(-length // stride)
    begin, end = (0, 0) if padding == "valid" else padding
    room = length + begin + end - span
    return room // stride + 1 if room >= 0 else 0


def legal_outputs(input, kernel, stride, dilation, padding):
    """All output extents >= 1 whose ordinary convolution has `input` pixels, by brute force."""
    span = (kernel - 1) * dilation + 1
    margin = 0 if isinstance(padding, str) else abs(padding[0]) + abs(padding[1])
    limit = input * stride + span + stride + margin + 2
    return [
        length
        for length in range(1, limit + 1)
        if convolution_extent(length, kernel, stride, dilation, padding) == input
    ]


def resolve(input, kernel, stride=1, dilation=1, padding="valid", output_padding=None, output=None):
    """Axis for padding "valid" | "same" | "same_lower" | (begin, end); Illegal where there is none."""
    if min(kernel, stride, dilation) < 1 or input < 0:
        raise Illegal("kernel, stride, dilation must be at least 1, input at least 0")
    if output_padding is not None and not 0 <= output_padding < max(stride, dilation):
        raise Illegal("output_padding")
    span = (kernel - 1) * dilation + 1
    full = (input - 1) * stride + span
    if padding == "valid":
        out = (input - 1) * stride + (max(span, stride) if output_padding is None else span + output_padding)
    elif padding in ("same", "same_lower"):
        out = input * stride if output_padding is None else (input - 1) * stride + span % 2 + output_padding
    else:
        out = full - padding[0] - padding[1] + (output_padding or 0)
    if output is not None:
        if output_padding is not None and output != out:
            raise Illegal("output_shape and output_padding disagree")
        if output_padding is None and output not in legal_outputs(input, kernel, stride, dilation, padding):
            raise Illegal("output_shape")
        out = output
    if out < (1 if input else 0):
        raise Illegal("no output")
    total = max(full - out, 0)
    if padding in ("valid", "same"):
        crop = total // 2
    elif padding == "same_lower":
        crop = total - total // 2
    else:
        crop = padding[0]
    return Axis(input, out, kernel, stride, dilation, crop)


# -------------------------------------------------------------------------------------------------- arithmetic


def _last(array, channels_first):
    return np.moveaxis(np.asarray(array, np.float64), 1, -1) if channels_first else np.asarray(array, np.float64)


def _back(array, channels_first):
    return np.ascontiguousarray(np.moveaxis(array, -1, 1)) if channels_first else array


def _taps(axes: Sequence[Axis]):
    """Every tap with the slice of the full output that it reaches from all inputs."""
    for tap in itertools.product(*(range(a.kernel) for a in axes)):
        where = tuple(
            slice(t * a.dilation, t * a.dilation + (a.input - 1) * a.stride + 1, a.stride)
            for t, a in zip(tap, axes, strict=True)
        )
        yield tap, (slice(None), *where)


def _full_shape(axes):
    return tuple(max((a.input - 1) * a.stride + (a.kernel - 1) * a.dilation + 1, 0) for a in axes)


def _window(axes):
    """Slices of the full output and of the result that are the same pixels."""
    full, result = [slice(None)], [slice(None)]
    for a, extent in zip(axes, _full_shape(axes), strict=True):
        first, last = max(a.crop, 0), min(a.crop + a.out, extent)
        last = max(first, last)
        full.append(slice(first, last))
        result.append(slice(first - a.crop, last - a.crop) if last > first else slice(0, 0))
    return tuple(full), tuple(result)


def _blocks(groups, in_channels, filters):
    for g in range(groups):
        yield (
            slice(g * in_channels // groups, (g + 1) * in_channels // groups),
            slice(g * filters // groups, (g + 1) * filters // groups),
        )


def forward(x, kernel, bias=None, *, axes, groups=1, channels_first=False):
    """y (batch, out..., filters), float64."""
    x, kernel = _last(x, channels_first), np.asarray(kernel, np.float64)
    batch, in_channels, filters = x.shape[0], x.shape[-1], kernel.shape[-2] * groups
    full = np.zeros((batch, *_full_shape(axes), filters))
    if all(a.input for a in axes):
        for tap, where in _taps(axes):
            for ins, outs in _blocks(groups, in_channels, filters):
                full[(*where, outs)] += np.einsum("...c,fc->...f", x[..., ins], kernel[tap][:, ins])
    y = np.zeros((batch, *(a.out for a in axes), filters))
    source, target = _window(axes)
    y[target] = full[source]
    if bias is not None:
        y += np.asarray(bias, np.float64)
    return _back(y, channels_first)


def _spread(dy, axes):
    """dy placed in the full output: the transpose of taking the window."""
    full = np.zeros((dy.shape[0], *_full_shape(axes), dy.shape[-1]))
    source, target = _window(axes)
    full[source] = dy[target]
    return full


def grad_input(dy, kernel, *, axes, groups=1, channels_first=False):
    """dx (batch, in..., in_channels): the transpose of x -> y."""
    dy, kernel = _last(dy, channels_first), np.asarray(kernel, np.float64)
    in_channels, filters = kernel.shape[-1], kernel.shape[-2] * groups
    dx = np.zeros((dy.shape[0], *(a.input for a in axes), in_channels))
    full = _spread(dy, axes)
    if all(a.input for a in axes):
        for tap, where in _taps(axes):
            for ins, outs in _blocks(groups, in_channels, filters):
                dx[..., ins] += np.einsum("...f,fc->...c", full[where][..., outs], kernel[tap][:, ins])
    return _back(dx, channels_first)


def grad_kernel(x, dy, *, axes, groups=1, channels_first=False):
    """dkernel (kernel..., filters/groups, in_channels): the transpose of kernel -> y."""
    x, dy = _last(x, channels_first), _last(dy, channels_first)
    in_channels, filters = x.shape[-1], dy.shape[-1]
    dkernel = np.zeros((*(a.kernel for a in axes), filters // groups, in_channels))
    full, pixels = _spread(dy, axes), tuple(range(len(axes) + 1))
    if all(a.input for a in axes):
        for tap, where in _taps(axes):
            for ins, outs in _blocks(groups, in_channels, filters):
                dkernel[tap][:, ins] += np.tensordot(full[where][..., outs], x[..., ins], (pixels, pixels))
    return dkernel


def gather(x, kernel, bias=None, *, axes, groups=1):
    """`forward` again from the other side, one output pixel at a time: the oracle's own oracle (slow)."""
    x, kernel = np.asarray(x, np.float64), np.asarray(kernel, np.float64)
    filters = kernel.shape[-2] * groups
    y = np.zeros((x.shape[0], *(a.out for a in axes), filters))
    for o in itertools.product(*(range(a.out) for a in axes)):
        for tap in itertools.product(*(range(a.kernel) for a in axes)):
            where = []
            for pixel, t, a in zip(o, tap, axes, strict=True):
                i, rest = divmod(pixel + a.crop - t * a.dilation, a.stride)
                if rest or not 0 <= i < a.input:
                    break
                where.append(i)
            else:
                for ins, outs in _blocks(groups, x.shape[-1], filters):
                    y[(slice(None), *o, outs)] += x[(slice(None), *where)][:, ins] @ kernel[tap][:, ins].T
    return y if bias is None else y + bias


# -------------------------------------------------------------------------------------------------- error bounds


def absolute_products(x, kernel, bias=None, **geometry):
    """The sum of absolute products behind every element of `forward`: the unit of its rounding error."""
    return forward(np.abs(_f64(x)), np.abs(_f64(kernel)), None if bias is None else np.abs(_f64(bias)), **geometry)


def absolute_products_grad_input(dy, kernel, **geometry):
    return grad_input(np.abs(_f64(dy)), np.abs(_f64(kernel)), **geometry)


def absolute_products_grad_kernel(x, dy, **geometry):
    return grad_kernel(np.abs(_f64(x)), np.abs(_f64(dy)), **geometry)


def _f64(array):
    return np.asarray(array, np.float64)


# Unit roundoff of what is stored, of what sums are kept in, and the smallest positive number stored.
STORED = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
SUMMED = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-24, "bfloat16": 2.0**-24}
TINY = {"float64": 5e-324, "float32": 1.5e-45, "float16": 6e-8, "bfloat16": 1e-40}


def bound(dtype, exact, products, terms):
    """The largest error of a sum of `terms` products in any order, then rounded to `dtype`: Higham's gamma_n.

    Fewer roundings meet in a sum of very many terms than the worst case says, hence the root beyond 64 terms; the
    float64 oracle's own error counts the second time for float64.
    """
    roundings = terms + 2 if terms <= 64 else 66 + 8 * (terms - 64) ** 0.5
    own = 2 if dtype == "float64" else 1
    return (
        own * roundings * SUMMED[dtype] * products
        + STORED[dtype] * np.abs(exact) * (1 + 1e-3)
        + (roundings + 1) * TINY[dtype]
    )


# --------------------------------------------------------------------------------------------------- activations


def _sigmoid(z):
    return np.where(z >= 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))


ACTIVATIONS = {
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "relu6": lambda z: np.clip(z, 0, 6),
    "leaky_relu": lambda z: np.where(z < 0, 0.2 * z, z),
    "elu": lambda z: np.where(z < 0, np.expm1(np.minimum(z, 0)), z),
    "selu": lambda z: 1.0507009873554805 * np.where(z < 0, 1.6732632423543772 * np.expm1(np.minimum(z, 0)), z),
    "sigmoid": _sigmoid,
    "hard_sigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
    "tanh": np.tanh,
    "silu": lambda z: z * _sigmoid(z),
    "hard_silu": lambda z: z * np.clip(z / 6 + 0.5, 0, 1),
    "exponential": np.exp,
}
