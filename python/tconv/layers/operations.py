"""What a layer with a kernel computes: the kernel made ready for many inputs, and its gradients.

An operation is immutable: whoever holds one computes with the kernel that it was made of. An ordinary convolution with
stride 1 is a transposed one with its kernel mirrored; a strided one is a transposed one's gradient by its input. The
gradient of a convolution by its input is a transposed convolution, and the kernel's gradient is the same for both, with
input and output in exchanged places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from tconv import activations, ops
from tconv._convert import Array

Pads = tuple[tuple[int, int], ...]
"""Zeros (begin, end) per axis."""


class Operation(Protocol):
    """`activation(operation(x, kernel) + bias)`."""

    def __call__(self, x: Array, bias: Array | None, once: bool = False) -> Array:
        """`once`: the kernel is about to change, so that what it takes to prepare it counts."""

    def linear(self, x: Array, bias: Array | None) -> Array:
        """Without the activation, once."""

    def last_run(self, shape: tuple[int, ...]) -> tuple[int, Callable[..., Any]] | None:
        """What the last call used, if it can be used again as it is: see `Plan.last_run`."""

    def input_gradient(self, dz: Array, shape: tuple[int, ...]) -> Array:
        """The gradient by an input of `shape`, for the gradient `dz` by what the activation is applied to."""

    def kernel_gradient(self, x: Array, dz: Array) -> Array:
        """The gradient by the kernel."""


class TransposedConvolution:
    """`tconv.conv_transpose` with one kernel."""

    def __init__(
        self, kernel: Array, activation: Any, dtype: np.dtype[Any], geometry: dict[str, Any], algorithm: str
    ) -> None:
        self._plan = ops.Plan(kernel, activation=activation, dtype=dtype, algorithm=algorithm, **geometry)
        self._kernel = kernel.astype(dtype, copy=False)
        self._geometry = geometry
        self._algorithm = algorithm

    def __call__(self, x: Array, bias: Array | None, once: bool = False) -> Array:
        return self._plan(x, bias, once=once)

    def linear(self, x: Array, bias: Array | None) -> Array:
        return self._plan.linear()(x, bias, once=True)

    def last_run(self, shape: tuple[int, ...]) -> tuple[int, Callable[..., Any]] | None:
        return self._plan.last_run(shape)

    def input_gradient(self, dz: Array, shape: tuple[int, ...]) -> Array:
        return ops.conv_transpose_grad_input(dz, self._kernel, shape, algorithm=self._algorithm, **self._geometry)

    def kernel_gradient(self, x: Array, dz: Array) -> Array:
        shape = self._kernel.shape
        return ops.conv_transpose_grad_kernel(x, dz, shape, algorithm=self._algorithm, **self._geometry)


class Product:
    """`x @ kernel` over the last axis: a convolution over rows with one tap."""

    def __init__(self, kernel: Array, activation: Any, dtype: np.dtype[Any]) -> None:
        self._shape = kernel.shape
        self._transposed = np.ascontiguousarray(kernel.T.astype(dtype, copy=False))[None]
        self._plan = ops.Plan(self._transposed, activation=activation, data_format="channels_last")

    def __call__(self, x: Array, bias: Array | None, once: bool = False) -> Array:
        return self._plan(_rows(x), bias).reshape(*x.shape[:-1], self._shape[1])

    def linear(self, x: Array, bias: Array | None) -> Array:
        return self._plan.linear()(_rows(x), bias).reshape(*x.shape[:-1], self._shape[1])

    def last_run(self, shape: tuple[int, ...]) -> tuple[int, Callable[..., Any]] | None:
        return None  # the arrays of a call have other shapes

    def input_gradient(self, dz: Array, shape: tuple[int, ...]) -> Array:
        rows = _rows(dz)
        into = (*rows.shape[:-1], shape[-1])
        gradient = ops.conv_transpose_grad_input(rows, self._transposed, into, data_format="channels_last")
        return gradient.reshape(shape)

    def kernel_gradient(self, x: Array, dz: Array) -> Array:
        shape = self._transposed.shape
        gradient = ops.conv_transpose_grad_kernel(_rows(x), _rows(dz), shape, data_format="channels_last")
        return np.ascontiguousarray(gradient[0].T)


class Convolution:
    """An ordinary convolution with one kernel, `(*kernel_size, channels // groups, filters)`."""

    def __init__(
        self,
        kernel: Array,
        activation: Any,
        dtype: np.dtype[Any],
        *,
        strides: tuple[int, ...],
        padding: str,
        dilation_rate: tuple[int, ...],
        groups: int,
        data_format: str,
    ) -> None:
        self._kernel = kernel.astype(dtype, copy=False)
        self._activation = activation
        self._strides, self._padding, self._dilations = strides, padding, dilation_rate
        self._groups, self._data_format = groups, data_format
        self._plan = self._mirrored_plan() if max(strides) == 1 else None

    def _mirrored_plan(self) -> ops.Plan:
        rank = self._kernel.ndim - 2
        mirrored = self._kernel[(slice(None, None, -1),) * rank]
        *taps, channels, filters = mirrored.shape
        # Group by group, filters and channels change places.
        blocks = mirrored.reshape(*taps, channels, self._groups, filters // self._groups)
        kernel = np.moveaxis(blocks, -1, rank).swapaxes(-1, -2).reshape(*taps, filters // self._groups, -1)
        crops = []
        for count, dilation in zip(taps, self._dilations):
            begin, end = pads(count, count, 1, dilation, self._padding)  # with stride 1, whatever the extent
            reach = (count - 1) * dilation
            crops.append((reach - begin, reach - end))
        return ops.Plan(
            kernel,
            padding=crops,
            dilation_rate=self._dilations,
            groups=self._groups,
            data_format=self._data_format,
            activation=self._activation,
        )

    def __call__(self, x: Array, bias: Array | None, once: bool = False) -> Array:
        if self._plan is not None:
            return self._plan(x, bias, once=once)
        y = activations.get(self._activation)(self._strided(x, bias))
        return np.asarray(y).astype(x.dtype, copy=False)

    def linear(self, x: Array, bias: Array | None) -> Array:
        return self._plan.linear()(x, bias, once=True) if self._plan is not None else self._strided(x, bias)

    def last_run(self, shape: tuple[int, ...]) -> tuple[int, Callable[..., Any]] | None:
        return None if self._plan is None else self._plan.last_run(shape)

    def _strided(self, x: Array, bias: Array | None) -> Array:
        channels_first = self._data_format == "channels_first"
        spatial = x.shape[2:] if channels_first else x.shape[1:-1]
        extents = output_extents(spatial, self._kernel.shape, self._strides, self._dilations, self._padding)
        filters = self._kernel.shape[-1]
        shape = (len(x), filters, *extents) if channels_first else (len(x), *extents, filters)
        y = ops.conv_transpose_grad_input(x, self._kernel, shape, **self._geometry(spatial, extents))
        if bias is not None:
            y += bias.reshape(-1, *(1,) * len(extents)) if channels_first else bias
        return y

    def _geometry(self, spatial: Sequence[int], extents: Sequence[int]) -> dict[str, Any]:
        """Arguments of the transposed convolution from `extents` to `spatial`."""
        taps = self._kernel.shape
        around = tuple(
            pads(*axis, self._padding) for axis in zip(spatial, taps[: len(extents)], self._strides, self._dilations)
        )
        extra = tuple(
            extent + begin + end - (out - 1) * stride - (count - 1) * dilation - 1
            for extent, (begin, end), out, stride, count, dilation in zip(
                spatial, around, extents, self._strides, taps, self._dilations
            )
        )
        return {
            "strides": self._strides,
            "padding": around,
            "output_padding": extra,
            "dilation_rate": self._dilations,
            "groups": self._groups,
            "data_format": self._data_format,
        }

    def _geometry_of(self, x: tuple[int, ...], z: tuple[int, ...]) -> dict[str, Any]:
        axes = slice(2, None) if self._data_format == "channels_first" else slice(1, -1)
        return self._geometry(x[axes], z[axes])

    def input_gradient(self, dz: Array, shape: tuple[int, ...]) -> Array:
        return ops.conv_transpose(dz, self._kernel, **self._geometry_of(shape, dz.shape))

    def kernel_gradient(self, x: Array, dz: Array) -> Array:
        geometry = self._geometry_of(x.shape, dz.shape)
        return ops.conv_transpose_grad_kernel(dz, x, self._kernel.shape, **geometry)


def pads(extent: int, taps: int, stride: int, dilation: int, padding: str) -> tuple[int, int]:
    """Zeros at the begin and the end of an axis, as TensorFlow and Keras add them."""
    reach = (taps - 1) * dilation
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return reach, 0
    total = max((-(-extent // stride) - 1) * stride + reach + 1 - extent, 0)
    return total // 2, total - total // 2


def output_extents(
    spatial: Sequence[Any], taps: Sequence[int], strides: Sequence[int], dilations: Sequence[int], padding: str
) -> list[Any]:
    """The extents of a convolution's output; None where the input's is None."""
    extents: list[Any] = []
    for extent, count, stride, dilation in zip(spatial, taps, strides, dilations):
        if extent is None:
            extents.append(None)
            continue
        begin, end = pads(extent, count, stride, dilation, padding)
        extents.append((extent + begin + end - (count - 1) * dilation - 1) // stride + 1)
    return extents


def _rows(x: Array) -> Array:
    """All axes but the last as one, in a batch of one."""
    return x.reshape(1, -1, x.shape[-1]) if x.size else x.reshape(1, int(np.prod(x.shape[:-1])), x.shape[-1])
