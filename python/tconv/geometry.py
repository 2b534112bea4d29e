"""The geometry of one axis, and how other libraries spell it.

Output ``o`` meets input ``i`` through tap ``k`` exactly when ``i*stride + k*dilation == o + crop``. Every padding mode,
output padding and explicit output extent resolves to ``(out, crop)``. With ``ke = (kernel-1)*dilation + 1`` and the
full extent ``F = (input-1)*stride + ke``:

============  =====================================  ===============================  =============================
padding       out                                    out with output_padding p        crop at the begin
============  =====================================  ===============================  =============================
valid         ``(input-1)*stride + max(ke,stride)``  ``F + p``                        ``0``
same          ``input*stride``                       ``(input-1)*stride + ke%2 + p``  ``max(F - out, 0) // 2``
same_lower    ``input*stride``                       ``(input-1)*stride + ke%2 + p``  ``(max(F - out, 0) + 1) // 2``
(begin, end)  ``F - begin - end``                    ``F - begin - end + p``          ``begin``
============  =====================================  ===============================  =============================

An explicit output extent is legal exactly when the ordinary convolution of that extent gives back the input extent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, SupportsIndex

from tconv import _args, _core
from tconv._args import Ints, ShapeError, Spec

__all__ = ["Axis", "ShapeError", "from_onnx", "from_pytorch", "from_tensorflow", "resolve"]


class Axis(NamedTuple):
    """One spatial axis, resolved.

    Attributes:
        input: extent of the input, pixels.
        out: extent of the output, pixels.
        kernel: taps.
        stride: pixels.
        dilation: pixels.
        crop: pixels of the full output dropped before output 0; negative for pixels of bias only.
    """

    input: int
    out: int
    kernel: int
    stride: int
    dilation: int
    crop: int


def resolve(
    input: SupportsIndex,
    kernel: SupportsIndex,
    stride: SupportsIndex = 1,
    dilation: SupportsIndex = 1,
    padding: str | SupportsIndex | Sequence[SupportsIndex] = "valid",
    output_padding: SupportsIndex | None = None,
    output: SupportsIndex | None = None,
) -> Axis:
    """Resolves one axis.

    Args:
        input: extent of the input, pixels, >= 0.
        kernel: taps, >= 1.
        stride: pixels, >= 1.
        dilation: pixels, >= 1.
        padding: "valid", "same", "same_lower", the pixels cropped at both ends, or (begin, end).
        output_padding: pixels added at the end, below max(stride, dilation).
        output: the extent wanted.

    Raises:
        TypeError: an argument of the wrong type.
        ShapeError: a value out of its range, or an extent that cannot be reached.

    Example:
        >>> from tconv import geometry
        >>> geometry.resolve(4, 3, stride=2, padding="same")
        Axis(input=4, out=8, kernel=3, stride=2, dilation=1, crop=0)
        >>> geometry.resolve(4, 3, stride=2, padding=1, output_padding=1)
        Axis(input=4, out=8, kernel=3, stride=2, dilation=1, crop=1)
    """
    operation = "resolve"
    if isinstance(padding, str):
        mode, crop = _args.mode(operation, padding), (0, 0)
    else:
        mode, crop = "crop", _args.pair(operation, "padding", padding)
    spec = Spec(
        1,
        (_args.integer(operation, "stride", stride, least=1),),
        (_args.integer(operation, "dilation", dilation, least=1),),
        mode,
        (crop,),
        None if output_padding is None else (_args.integer(operation, "output_padding", output_padding, least=0),),
        None if output is None else (_args.integer(operation, "output", output, least=0),),
        1,
        False,
    )
    extent = _args.integer(operation, "input", input, least=0)
    taps = _args.integer(operation, "kernel", kernel, least=1)
    return resolve_axis(operation, spec, 0, extent, taps)


def resolve_axis(operation: str, spec: Spec, axis: int, extent: int, kernel: int) -> Axis:
    """One axis of a call whose arguments are exact. Raises ShapeError."""
    stride, dilation = spec.strides[axis], spec.dilations[axis]
    begin, end = spec.crops[axis]
    output_padding = None if spec.output_padding is None else spec.output_padding[axis]
    output = None if spec.output_shape is None else spec.output_shape[axis]
    out, crop = _core.resolve(
        operation, axis, extent, kernel, stride, dilation, spec.mode, begin, end, output_padding, output
    )
    return Axis(extent, out, kernel, stride, dilation, crop)


def resolve_axes(operation: str, spec: Spec, extents: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[Axis, ...]:
    """All axes of a call whose arguments are exact. Raises ShapeError."""
    return tuple(resolve_axis(operation, spec, axis, extents[axis], kernel[axis]) for axis in range(spec.rank))


def check(operation: str, batch: int, in_channels: int, filters: int, groups: int, axes: tuple[Axis, ...]) -> None:
    """Raises ShapeError where a whole problem cannot be: sizes beyond 2**63 bytes."""
    _core.check(operation, batch, in_channels, filters, groups, axes)


def resolve_extent(operation: str, spec: Spec, axis: int, extent: int | None, kernel: int) -> int | None:
    """The output extent of an axis whose input extent may be unknown. Raises ShapeError."""
    if extent is not None:
        return resolve_axis(operation, spec, axis, extent, kernel).out
    checked = spec._replace(mode="valid", crops=((0, 0),) * spec.rank, output_shape=None)
    resolve_axis(operation, checked, axis, 1, kernel)  # what does not depend on the extent is checked all the same
    return None if spec.output_shape is None else spec.output_shape[axis]


def from_tensorflow(
    output_shape: Sequence[SupportsIndex],
    padding: str | Sequence[Sequence[SupportsIndex]] = "SAME",
    data_format: str | None = None,
) -> dict[str, Any]:
    """TensorFlow's ``tf.nn.conv*_transpose`` -> the arguments of conv_transpose that compute the same.

    TensorFlow is told the whole output shape. The crop at the begin is half of what is cropped, rounded down.

    Args:
        output_shape: TensorFlow's, ``(batch, *spatial, channels)`` or ``(batch, channels, *spatial)``.
        padding: "SAME", "VALID", or one (begin, end) per axis of output_shape ("EXPLICIT").
        data_format: TensorFlow's name, "NHWC", "NCDHW" ..., or Keras'; None for channels last.

    Returns:
        ``{"padding", "output_shape"}``.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument of the wrong length, an unknown name, padding of batch or channels.

    Example:
        >>> import numpy as np, tconv
        >>> x, kernel = np.float32([1, 2, 3, 4]), np.float32([1, 10, 100])
        >>> arguments = tconv.geometry.from_tensorflow((1, 7, 1), "SAME")
        >>> arguments
        {'padding': 'same', 'output_shape': (7,)}
        >>> tconv.conv_transpose(x.reshape(1, 4, 1), kernel.reshape(3, 1, 1), strides=2, **arguments).ravel().tolist()
        [10.0, 102.0, 20.0, 203.0, 30.0, 304.0, 40.0]
    """
    operation = "from_tensorflow"
    shape = _args.extents(operation, "output_shape", output_shape, ())
    if len(shape) < 3:
        _args.fail(operation, f"output_shape={_args.show(shape)} has {len(shape)} entries; at least 3 are needed")
    channels = 1 if _channels_first(operation, data_format, len(shape)) else len(shape) - 1
    spatial = [axis for axis in range(1, len(shape)) if axis != channels]
    extents = tuple(shape[axis] for axis in spatial)
    if isinstance(padding, str):
        mode = _args.lowered(padding)
        if mode not in ("same", "valid"):
            _args.fail(operation, f'padding={_args.show(padding)} must be "SAME", "VALID" or pairs', ValueError)
        return {"padding": mode, "output_shape": extents}
    pairs = _args.pairs(operation, "padding", padding, len(shape))
    if pairs[0] != (0, 0) or pairs[channels] != (0, 0):
        _args.fail(operation, f"padding={_args.show(pairs)} must be (0, 0) for batch and channels")
    return {"padding": tuple(pairs[axis] for axis in spatial), "output_shape": extents}


def _channels_first(operation: str, data_format: str | None, axes: int) -> bool:
    """Whether TensorFlow's name of a data format, for arrays of `axes` axes, has the channels before the extents."""
    if data_format is None:
        return False
    if not isinstance(data_format, str):
        _args.fail(operation, f"data_format={_args.show(data_format)} must be a string", TypeError)
    name = str.upper(data_format)
    spatial = {3: "W", 4: "HW", 5: "DHW"}.get(axes)
    if name == "CHANNELS_FIRST" or (spatial is not None and name == f"NC{spatial}"):
        return True
    if name == "CHANNELS_LAST" or (spatial is not None and name == f"N{spatial}C"):
        return False
    names = "channels_first or channels_last" if spatial is None else f"N{spatial}C or NC{spatial}"
    why = f"for an output_shape of {axes} entries it must be {names}"
    _args.fail(operation, f"data_format={_args.show(data_format)} is not known: {why}", ValueError)


def from_pytorch(
    rank: int, padding: Ints = 0, output_padding: Ints = 0, *, output_size: Sequence[SupportsIndex] | None = None
) -> dict[str, Any]:
    """PyTorch's ``ConvTranspose*d`` -> the arguments of conv_transpose that compute the same.

    PyTorch crops `padding` at both ends and puts `output_padding` back at the end; `output_size`, given when the module
    is called, takes the place of `output_padding`. Its data format is "channels_first"; its weight has the axes
    ``(in, out // groups, *kernel_size)``, which ``np.moveaxis(weight, (0, 1), (-1, -2))`` makes tconv's.

    Args:
        rank: the number of spatial axes, N of ``ConvTransposeNd``.
        padding: pixels, one integer or one per axis, >= 0.
        output_padding: pixels, one integer or one per axis, >= 0.
        output_size: the spatial extents wanted; batch and channels may stand before them.

    Returns:
        ``{"padding", "output_padding"}``, or ``{"padding", "output_shape"}`` with `output_size`.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument of the wrong length, a negative value.

    Example:
        >>> import numpy as np, tconv
        >>> x, weight = np.float32([[[1, 2, 3, 4]]]), np.float32([[[1, 10, 100]]])
        >>> arguments = tconv.geometry.from_pytorch(1, padding=1, output_padding=1)
        >>> arguments
        {'padding': (1,), 'output_padding': (1,)}
        >>> kernel = np.moveaxis(weight, (0, 1), (-1, -2))
        >>> tconv.conv_transpose(x, kernel, strides=2, data_format="channels_first", **arguments).ravel().tolist()
        [10.0, 102.0, 20.0, 203.0, 30.0, 304.0, 40.0, 400.0]
    """
    operation = "from_pytorch"
    rank = _args.rank(operation, "rank", rank)
    arguments: dict[str, Any] = {"padding": _args.per_axis(operation, "padding", padding, rank, least=0)}
    extra = _args.per_axis(operation, "output_padding", output_padding, rank, least=0)
    if output_size is None:
        return {**arguments, "output_padding": extra}
    size = _args.extents(operation, "output_size", output_size, (rank, rank + 1, rank + 2))
    return {**arguments, "output_shape": size[len(size) - rank :]}


def from_onnx(
    input: Sequence[SupportsIndex],
    kernel: Sequence[SupportsIndex],
    *,
    strides: Ints = 1,
    dilations: Ints = 1,
    pads: Sequence[SupportsIndex] | None = None,
    output_padding: Ints = 0,
    output_shape: Sequence[SupportsIndex] | None = None,
    auto_pad: str = "NOTSET",
) -> dict[str, Any]:
    """ONNX' ``ConvTranspose`` -> the arguments of conv_transpose that compute the same.

    Without an explicit `output_shape` and with ``auto_pad="NOTSET"``, `pads` are the crops. Else they follow from the
    extents: what is cropped in all is ``(input-1)*stride + ke + output_padding - out``, at least 0; its half, rounded
    down, is cropped at the begin for SAME_UPPER and at the end in every other case. Of ``output_shape`` and
    ``auto_pad="SAME_*"``, which alone stands for ``out = input*stride``, the first wins.

    Args:
        input: the spatial extents of the input, pixels.
        kernel: the spatial extents of the kernel, taps.
        strides: pixels.
        dilations: pixels.
        pads: ``(begin of every axis..., end of every axis...)``, >= 0; not used when there is an output_shape.
        output_padding: pixels.
        output_shape: the spatial extents wanted.
        auto_pad: "NOTSET", "SAME_UPPER", "SAME_LOWER" or "VALID".

    Returns:
        ``{"padding", "output_padding"}``, the padding as one (begin, end) per axis.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument of the wrong length, an unknown auto_pad, negative pads, pads with an auto_pad.

    Example:
        >>> import numpy as np, tconv
        >>> x, kernel = np.float32([1, 2, 3, 4]), np.float32([1, 10, 100])
        >>> arguments = tconv.geometry.from_onnx((4,), (3,), strides=2, output_shape=(8,))
        >>> arguments
        {'padding': ((1, 0),), 'output_padding': (0,)}
        >>> tconv.conv_transpose(x.reshape(1, 4, 1), kernel.reshape(3, 1, 1), strides=2, **arguments).ravel().tolist()
        [10.0, 102.0, 20.0, 203.0, 30.0, 304.0, 40.0, 400.0]
    """
    operation = "from_onnx"
    extents = _args.extents(operation, "input", input, ())
    rank = _args.rank(operation, "the number of axes of input", len(extents))
    taps = _args.per_axis(operation, "kernel", kernel, rank, least=1)
    steps = _args.per_axis(operation, "strides", strides, rank, least=1)
    gaps = _args.per_axis(operation, "dilations", dilations, rank, least=1)
    extra = _args.per_axis(operation, "output_padding", output_padding, rank, least=0)
    mode = str.upper(auto_pad) if isinstance(auto_pad, str) else None
    if mode not in ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"):
        names = "NOTSET, SAME_UPPER, SAME_LOWER or VALID"
        _args.fail(operation, f"auto_pad={_args.show(auto_pad)} must be {names}", ValueError)
    crops = (0,) * (2 * rank) if pads is None else _args.extents(operation, "pads", pads, (2 * rank,))
    if pads is not None and mode != "NOTSET":
        _args.fail(operation, f"pads cannot be given together with auto_pad={_args.show(auto_pad)}")
    if output_shape is not None:
        wanted = _args.extents(operation, "output_shape", output_shape, (rank,))
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = tuple(i * s for i, s in zip(extents, steps, strict=True))
    else:
        return {"padding": tuple(zip(crops[:rank], crops[rank:], strict=True)), "output_padding": extra}
    padding = []
    for i, k, s, d, p, out in zip(extents, taps, steps, gaps, extra, wanted, strict=True):
        surplus = (i - 1) * s + (k - 1) * d + 1 + p - out
        half = max(surplus, 0) // 2
        begin = half if mode == "SAME_UPPER" else max(surplus, 0) - half
        padding.append((begin, surplus - begin))
    return {"padding": tuple(padding), "output_padding": extra}
