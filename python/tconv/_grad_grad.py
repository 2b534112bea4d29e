"""The derivatives of the gradients."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from tconv import _args, _convert, _problem, ops
from tconv._args import Ints, Paddings, fail
from tconv._convert import Array

__all__ = ["conv_transpose_grad_grad"]

OPERATION = "conv_transpose_grad_grad"


def conv_transpose_grad_grad(
    x: ArrayLike,
    kernel: ArrayLike,
    dy: ArrayLike,
    ddx: ArrayLike | None = None,
    ddkernel: ArrayLike | None = None,
    *,
    strides: Ints = 1,
    padding: Paddings = "valid",
    output_padding: Ints | None = None,
    output_shape: Ints | None = None,
    dilation_rate: Ints = 1,
    groups: SupportsIndex = 1,
    data_format: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """The double backward: the gradients of both first-order gradients, for gradient penalties and Hessians.

    Of a loss that depends on ``dx = conv_transpose_grad_input(dy, kernel, x.shape)`` and on ``dkernel =
    conv_transpose_grad_kernel(x, dy, kernel.shape)``, given its gradients with respect to these two. Both are linear in
    each of their arguments, so that the same three functions serve again: with respect to x,
    ``grad_input(dy, ddkernel)``; to the kernel, ``grad_kernel(ddx, dy)``; to dy, ``conv_transpose(ddx, kernel) +
    conv_transpose(x, ddkernel)``.

    Args:
        x: ``(batch, *spatial, in)``, or as the data format says; without batch for one example.
        kernel: ``(*kernel_size, filters // groups, in)``.
        dy: gradient with respect to the result before its activation, of the result's shape.
        ddx: the loss' gradient with respect to dx, of x's shape; None where the loss does not depend on dx.
        ddkernel: the loss' gradient with respect to dkernel, of the kernel's shape; None where it has no part.
        strides: as in conv_transpose.
        padding: as in conv_transpose.
        output_padding: as in conv_transpose.
        output_shape: as in conv_transpose.
        dilation_rate: as in conv_transpose.
        groups: as in conv_transpose.
        data_format: as in conv_transpose.
        num_threads: at least 1; None for the default. The gradients do not depend on it.

    Returns:
        The loss' gradients with respect to x, kernel and dy, of their shapes and the dtype that all arrays decide; None
        for those that are zero: the first without ddkernel, the second without ddx, the third without both.

    Raises:
        TypeError, ValueError, MemoryError: as in conv_transpose.

    Example:
        A critic's gradient penalty, ``(|dx| - 1)**2`` with dx its gradient by the input, and the penalty's gradient by
        the kernel:

        >>> import numpy as np, tconv
        >>> x, kernel, dy = np.ones((1, 4, 1)), np.array([1.0, 2.0]).reshape(2, 1, 1), np.full((1, 8, 1), 0.5)
        >>> dx = tconv.conv_transpose_grad_input(dy, kernel, x.shape, strides=2)
        >>> size = np.sqrt((dx**2).sum())
        >>> ddx = 2 * (size - 1) * dx / size
        >>> _, by_kernel, by_dy = tconv.conv_transpose_grad_grad(x, kernel, dy, ddx, strides=2)
        >>> by_kernel.ravel().tolist(), by_dy.shape
        ([4.0, 4.0], (1, 8, 1))
    """
    source = _convert.to_array(OPERATION, "x", x)
    weights = _convert.to_array(OPERATION, "kernel", kernel)
    gradient = _convert.to_array(OPERATION, "dy", dy)
    by_dx = None if ddx is None else _convert.to_array(OPERATION, "ddx", ddx)
    by_dkernel = None if ddkernel is None else _convert.to_array(OPERATION, "ddkernel", ddkernel)
    given = [("x", source), ("kernel", weights), ("dy", gradient), ("ddx", by_dx), ("ddkernel", by_dkernel)]
    dtype = _convert.common_dtype(OPERATION, given)
    geometry: dict[str, Any] = {
        "strides": strides,
        "padding": padding,
        "output_padding": output_padding,
        "output_shape": output_shape,
        "dilation_rate": dilation_rate,
        "groups": groups,
        "data_format": data_format,
    }
    spec = _problem.exact(OPERATION, weights.shape, **geometry)
    threads = _args.threads(OPERATION, num_threads)
    problem = _problem.resolve(OPERATION, ("x", source.shape), ("kernel", weights.shape), spec)
    ops.check_dy(OPERATION, gradient, problem, x=source.shape, kernel=weights.shape)
    for name, array, of, shape in (
        ("ddx", by_dx, "x", source.shape),
        ("ddkernel", by_dkernel, "kernel", weights.shape),
    ):
        if array is not None and array.shape != shape:
            fail(OPERATION, f"{name} must have the shape of {of}, {shape} ({name}: {array.shape})")

    # The functions decide a dtype of their own, of fewer arrays.
    source, weights, gradient = (_convert.as_dtype(array, dtype) for array in (source, weights, gradient))
    geometry["num_threads"] = threads or None
    to_x = to_kernel = None
    to_dy: Array | None = None
    if by_dkernel is not None:
        by_dkernel = _convert.as_dtype(by_dkernel, dtype)
        to_x = ops.conv_transpose_grad_input(gradient, by_dkernel, source.shape, **geometry)
        to_dy = ops.conv_transpose(source, by_dkernel, **geometry)
    if by_dx is not None:
        by_dx = _convert.as_dtype(by_dx, dtype)
        to_kernel = ops.conv_transpose_grad_kernel(by_dx, gradient, weights.shape, **geometry)
        other = ops.conv_transpose(by_dx, weights, **geometry)
        to_dy = other if to_dy is None else np.add(to_dy, other, out=to_dy)
    return to_x, to_kernel, to_dy
