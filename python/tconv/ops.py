"""Transposed convolution and its gradients on arrays of any rank."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from tconv import _args, _convert, _core, _problem
from tconv._args import Ints, Paddings, fail
from tconv._convert import Array
from tconv._plan import OPERATION, Plan
from tconv._problem import Problem

__all__ = [
    "Plan",
    "conv_transpose",
    "conv_transpose_grad_input",
    "conv_transpose_grad_kernel",
    "conv_transpose_output_shape",
]


def conv_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    strides: Ints = 1,
    padding: Paddings = "valid",
    output_padding: Ints | None = None,
    output_shape: Ints | None = None,
    dilation_rate: Ints = 1,
    groups: SupportsIndex = 1,
    data_format: str | None = None,
    activation: Any = None,
    out: Array | None = None,
    num_threads: int | None = None,
    algorithm: str = "auto",
) -> Array:
    """The transposed convolution of `x`, the gradient of an ordinary convolution with respect to its input.

    ``y[o] = activation(bias + sum of x[i] @ kernel[k].T over all i*stride + k*dilation == o + crop)`` on each axis.

    Arrays are ndarrays or anything with ``__array__`` or ``__dlpack__``. The floating ones among x, kernel and bias
    decide the dtype of the result (float16 with bfloat16: float32); float16 and bfloat16 are summed in float32.

    Args:
        x: ``(batch, *spatial, in)``, or ``(batch, in, *spatial)`` for channels_first; without batch for one example.
        kernel: ``(*kernel_size, filters // groups, in)``; its number of axes less 2 is the rank, at least 1.
        bias: ``(filters,)``, or None.
        strides: pixels, one integer or one per axis, >= 1.
        padding: "valid", "same", "same_lower" (the odd pixel cropped at the begin), pixels cropped at both ends
            (an integer, or one per axis), or one (begin, end) per axis; negative crops add pixels of bias only.
        output_padding: pixels added at the end, one integer or one per axis, below max(stride, dilation).
        output_shape: the spatial extents wanted, one per axis.
        dilation_rate: pixels, one integer or one per axis, >= 1.
        groups: number of channel blocks; input block g feeds output block g.
        data_format: "channels_last" or "channels_first"; None for tconv.config.image_data_format().
        activation: a name, a function of tconv.activations, or any callable that keeps the shape.
        out: where to write the result: C-contiguous, of its shape and dtype, overlapping no argument.
        num_threads: at least 1; None for the default. The result does not depend on it.
        algorithm: "direct", every product of the formula; "fast", fewer products of sums, where there is such an
            algorithm, see docs/fast-algorithms.md; "auto", the faster one by a model of their times. Where x holds
            infinities or NaN, "fast" may give NaN for neighbours of the outputs that read them.

    Returns:
        ``(batch, *out, filters)``, or ``(batch, filters, *out)``; without batch if x has none.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a value out of its range, shapes that do not go together (ShapeError), an `out` that cannot be
            written. Nothing has been computed then.
        MemoryError: the result cannot be allocated.

    Example:
        >>> import numpy as np, tconv
        >>> x, kernel = np.float32([1, 2, 3, 4]).reshape(1, 4, 1), np.float32([1, 10, 100]).reshape(3, 1, 1)
        >>> tconv.conv_transpose(x, kernel, strides=2, padding="same").ravel().tolist()
        [1.0, 10.0, 102.0, 20.0, 203.0, 30.0, 304.0, 40.0]
        >>> tconv.conv_transpose(x, kernel, [0.5], output_shape=7, strides=2, padding="same").shape
        (1, 7, 1)
    """
    source = _convert.to_array(OPERATION, "x", x)
    weights = _convert.to_array(OPERATION, "kernel", kernel)
    offset = None if bias is None else _convert.to_array(OPERATION, "bias", bias)
    dtype = _convert.common_dtype(OPERATION, [("x", source), ("kernel", weights), ("bias", offset)])
    spec = _problem.exact(
        OPERATION,
        weights.shape,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        output_shape=output_shape,
        dilation_rate=dilation_rate,
        groups=groups,
        data_format=data_format,
    )
    threads = _args.threads(OPERATION, num_threads)
    plan = object.__new__(Plan)
    plan._prepare(weights.shape, dtype, spec, activation, _args.algorithm(OPERATION, algorithm))
    if offset is not None and offset.shape != (plan._filters,):
        plan._refuse_bias(offset)
    problem = plan._resolve(source.shape)
    if out is not None:
        _convert.check_out(
            OPERATION, out, problem.result, dtype, [("x", source), ("kernel", weights), ("bias", offset)]
        )
    plan._pack(weights)
    return plan._run(plan._make_run(problem, threads, True), source, offset, out)


def conv_transpose_grad_input(
    dy: ArrayLike,
    kernel: ArrayLike,
    input_shape: Sequence[SupportsIndex],
    *,
    strides: Ints = 1,
    padding: Paddings = "valid",
    output_padding: Ints | None = None,
    output_shape: Ints | None = None,
    dilation_rate: Ints = 1,
    groups: SupportsIndex = 1,
    data_format: str | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    num_threads: int | None = None,
) -> Array:
    """The gradient of conv_transpose with respect to `x`: an ordinary strided convolution of `dy`.

    Its own derivatives, for gradient penalties, are the other two functions with the same geometry: a cotangent `v` of
    the result gives ``conv_transpose(v, kernel)`` with respect to dy and ``conv_transpose_grad_kernel(v, dy,
    kernel.shape)`` with respect to the kernel, for
    ``<v, grad_input(dy, kernel)> = <conv_transpose(v, kernel), dy> = <kernel, grad_kernel(v, dy)>``.

    Args:
        dy: gradient with respect to the result before its activation, of the result's shape.
        kernel: ``(*kernel_size, filters // groups, in)``.
        input_shape: the shape of x, with batch where dy has one.
        strides: as in conv_transpose.
        padding: as in conv_transpose.
        output_padding: as in conv_transpose.
        output_shape: as in conv_transpose.
        dilation_rate: as in conv_transpose.
        groups: as in conv_transpose.
        data_format: as in conv_transpose.
        out: where to write the gradient: C-contiguous, of its shape and dtype, overlapping no argument.
        algorithm: "auto", "direct" or "fast", as in conv_transpose: here it is dy that is transformed.
        num_threads: at least 1; None for the default. The gradient does not depend on it.

    Returns:
        An array of shape `input_shape` and the dtype that dy and kernel decide.

    Raises:
        TypeError, ValueError, MemoryError: as in conv_transpose.

    Example:
        >>> import numpy as np, tconv
        >>> dy, kernel = np.ones((1, 8, 1), np.float32), np.float32([1, 10, 100]).reshape(3, 1, 1)
        >>> tconv.conv_transpose_grad_input(dy, kernel, (1, 4, 1), strides=2, padding="same").ravel().tolist()
        [111.0, 111.0, 111.0, 11.0]

        The gradient of ``sum(dx**2)`` with respect to the kernel:

        >>> dx = tconv.conv_transpose_grad_input(dy, kernel, (1, 4, 1), strides=2, padding="same")
        >>> tconv.conv_transpose_grad_kernel(2 * dx, dy, kernel.shape, strides=2, padding="same").ravel().tolist()
        [688.0, 688.0, 666.0]
    """
    operation = "conv_transpose_grad_input"
    gradient = _convert.to_array(operation, "dy", dy)
    weights = _convert.to_array(operation, "kernel", kernel)
    dtype = _convert.common_dtype(operation, [("dy", gradient), ("kernel", weights)])
    spec = _problem.exact(
        operation,
        weights.shape,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        output_shape=output_shape,
        dilation_rate=dilation_rate,
        groups=groups,
        data_format=data_format,
    )
    chosen = _args.algorithm(operation, algorithm)
    threads = _args.threads(operation, num_threads)
    shape = _args.extents(operation, "input_shape", input_shape, (spec.rank + 1, spec.rank + 2))
    problem = _problem.resolve(operation, ("input_shape", shape), ("kernel", weights.shape), spec)
    check_dy(operation, gradient, problem, kernel=weights.shape, input_shape=shape)
    if out is not None:
        _convert.check_out(operation, out, shape, dtype, [("dy", gradient), ("kernel", weights)])
    if chosen == "auto":
        algorithm = _problem.gradient_algorithm(problem, weights.shape, spec, _convert.name_of(dtype))
    else:
        algorithm = _args.ALGORITHMS[chosen]
    dx = _convert.allocate(operation, shape, dtype) if out is None else out
    _core.grad_input(
        _convert.storage(_convert.as_dtype(gradient, dtype)).reshape(problem.batched_result),
        _convert.storage(_convert.as_dtype(weights, dtype)),
        _convert.storage(dx).reshape(problem.batched),
        axes=problem.axes,
        groups=spec.groups,
        dtype=_convert.name_of(dtype),
        channels_first=spec.channels_first,
        threads=threads,
        isa="best",
        algorithm=algorithm,
    )
    return dx


def conv_transpose_grad_kernel(
    x: ArrayLike,
    dy: ArrayLike,
    kernel_shape: Sequence[SupportsIndex],
    *,
    strides: Ints = 1,
    padding: Paddings = "valid",
    output_padding: Ints | None = None,
    output_shape: Ints | None = None,
    dilation_rate: Ints = 1,
    groups: SupportsIndex = 1,
    data_format: str | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    num_threads: int | None = None,
) -> Array:
    """The gradient of conv_transpose with respect to its kernel.

    Its own derivatives, for gradient penalties, are the other two functions with the same geometry: a cotangent `u` of
    the result gives ``conv_transpose_grad_input(dy, u, x.shape)`` with respect to x and ``conv_transpose(x, u)`` with
    respect to dy, for ``<u, grad_kernel(x, dy)> = <conv_transpose(x, u), dy> = <x, grad_input(dy, u)>``.

    Args:
        x: ``(batch, *spatial, in)``, or as the data format says; without batch for one example.
        dy: gradient with respect to the result before its activation, of the result's shape.
        kernel_shape: ``(*kernel_size, filters // groups, in)``.
        strides: as in conv_transpose.
        padding: as in conv_transpose.
        output_padding: as in conv_transpose.
        output_shape: as in conv_transpose.
        dilation_rate: as in conv_transpose.
        groups: as in conv_transpose.
        data_format: as in conv_transpose.
        out: where to write the gradient: C-contiguous, of its shape and dtype, overlapping no argument.
        algorithm: "auto", "direct" or "fast", as in conv_transpose: here both x and dy are transformed. Where they hold
            infinities or NaN, "fast" may give NaN for all taps of their channel or filter.
        num_threads: at least 1; None for the default. The gradient does not depend on it.

    Returns:
        An array of shape `kernel_shape` and the dtype that x and dy decide.

    Raises:
        TypeError, ValueError, MemoryError: as in conv_transpose.

    Example:
        >>> import numpy as np, tconv
        >>> x, dy = np.float32([1, 2, 3, 4]).reshape(1, 4, 1), np.ones((1, 8, 1), np.float32)
        >>> tconv.conv_transpose_grad_kernel(x, dy, (3, 1, 1), strides=2, padding="same").ravel().tolist()
        [10.0, 10.0, 6.0]
    """
    operation = "conv_transpose_grad_kernel"
    source = _convert.to_array(operation, "x", x)
    gradient = _convert.to_array(operation, "dy", dy)
    dtype = _convert.common_dtype(operation, [("x", source), ("dy", gradient)])
    shape = _args.extents(operation, "kernel_shape", kernel_shape, ())
    spec = _problem.exact(
        operation,
        shape,
        "kernel_shape",
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        output_shape=output_shape,
        dilation_rate=dilation_rate,
        groups=groups,
        data_format=data_format,
    )
    chosen = _args.algorithm(operation, algorithm)
    threads = _args.threads(operation, num_threads)
    problem = _problem.resolve(operation, ("x", source.shape), ("kernel_shape", shape), spec)
    check_dy(operation, gradient, problem, x=source.shape, kernel_shape=shape)
    if out is not None:
        _convert.check_out(operation, out, shape, dtype, [("x", source), ("dy", gradient)])
    dkernel = _convert.allocate(operation, shape, dtype) if out is None else out
    _core.grad_kernel(
        _convert.storage(_convert.as_dtype(source, dtype)).reshape(problem.batched),
        _convert.storage(_convert.as_dtype(gradient, dtype)).reshape(problem.batched_result),
        _convert.storage(dkernel),
        axes=problem.axes,
        groups=spec.groups,
        dtype=_convert.name_of(dtype),
        channels_first=spec.channels_first,
        threads=threads,
        isa="best",
        algorithm=_args.ALGORITHMS[chosen],
    )
    return dkernel


def conv_transpose_output_shape(
    input_shape: Sequence[SupportsIndex | None],
    kernel_size: Ints,
    filters: SupportsIndex,
    *,
    strides: Ints = 1,
    padding: Paddings = "valid",
    output_padding: Ints | None = None,
    output_shape: Ints | None = None,
    dilation_rate: Ints = 1,
    groups: SupportsIndex = 1,
    data_format: str | None = None,
) -> tuple[int | None, ...]:
    """The shape of conv_transpose's result.

    Args:
        input_shape: the shape of x, with or without batch; None in it is an unknown extent.
        kernel_size: taps, one per axis; or one integer, for the rank of an input_shape with batch.
        filters: channels of the result.
        strides: as in conv_transpose.
        padding: as in conv_transpose.
        output_padding: as in conv_transpose.
        output_shape: as in conv_transpose.
        dilation_rate: as in conv_transpose.
        groups: as in conv_transpose.
        data_format: as in conv_transpose.

    Returns:
        The shape, None in it where input_shape leaves it unknown.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a value out of its range, shapes that do not go together (ShapeError).

    Example:
        >>> import tconv
        >>> tconv.conv_transpose_output_shape((None, 10, None, 128), 2, 32, strides=2)
        (None, 20, None, 32)
    """
    operation = "conv_transpose_output_shape"
    shape = _args.some_extents(operation, "input_shape", input_shape, ())
    kernel = _args.kernel_extents(operation, kernel_size, len(shape))
    rank = len(kernel)
    if len(shape) not in (rank + 1, rank + 2):
        needed = f"{rank + 1} or {rank + 2} go with kernel_size={_args.show(kernel)}"
        fail(operation, f"input_shape={_args.show(shape)} has {len(shape)} entries; {needed}")
    spec = _args.geometry(
        operation,
        rank,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        output_shape=output_shape,
        dilation_rate=dilation_rate,
        groups=groups,
        data_format=data_format,
    )
    count = _args.integer(operation, "filters", filters, least=0)
    if count % spec.groups:
        fail(operation, f"groups={spec.groups} must divide filters={count}")
    return _problem.output_shape(operation, shape, kernel, count, None, spec)


def sum_to_axis(array: Array, axis: int, *, num_threads: int | None = None) -> Array:
    """The sums over all axes but one: the gradient of a bias along that axis.

    Long sums stay accurate: chains of 64 numbers, the sums of those in float64.

    Args:
        array: of float32, float64, float16 or bfloat16.
        axis: the one that stays.
        num_threads: at least 1; None for the default. The sums do not depend on it.

    Returns:
        ``(array.shape[axis],)``, of the array's dtype, or float32 for the 16-bit ones.

    Example:
        >>> import numpy as np
        >>> from tconv.ops import sum_to_axis
        >>> sum_to_axis(np.ones((2, 3, 5), np.float32), 1).tolist()
        [10.0, 10.0, 10.0]
    """
    dtype = np.dtype(np.float32) if array.dtype.itemsize == 2 else array.dtype
    wide = _convert.as_dtype(array, dtype)
    axis %= array.ndim
    outer, inner = prod(array.shape[:axis]), prod(array.shape[axis + 1 :])
    sums = np.empty(array.shape[axis], dtype)
    _core.grad_bias(
        wide.reshape(outer, array.shape[axis], inner),
        sums,
        dtype=_convert.name_of(dtype),
        threads=_args.threads("sum_to_axis", num_threads),
        isa="best",
        algorithm="automatic",
    )
    return sums


def check_dy(operation: str, dy: Array, problem: Problem, **given: tuple[int, ...]) -> None:
    """Refuses a `dy` that isn't of the result's shape; `given` are the other shapes."""
    if dy.shape != problem.result:
        shapes = ", ".join(f"{name}: {shape}" for name, shape in given.items())
        fail(operation, f"dy must have the shape of the result, {problem.result} (dy: {dy.shape}, {shapes})")
