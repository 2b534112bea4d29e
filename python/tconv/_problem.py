"""The shapes of one call: what an input shape, a kernel shape and exact arguments make of each other."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from tconv import _args, _core, geometry
from tconv._args import Spec, fail

__all__ = ["Problem", "exact", "filters", "gradient_algorithm", "output_shape", "resolve"]


class Problem(NamedTuple):
    """One input shape, resolved."""

    shape: tuple[int, ...]  # of x, as the user has it
    batched: tuple[int, ...]  # of x, with a batch
    axes: tuple[geometry.Axis, ...]
    result: tuple[int, ...]  # of y, as the user has it
    batched_result: tuple[int, ...]  # of y, with a batch


def exact(operation: str, kernel: tuple[int, ...], name: str = "kernel", *, data_format: Any, **arguments: Any) -> Spec:
    """The geometry arguments, exact, for a kernel of this shape.

    Making them exact takes longer than a small call computes. So the latest are remembered, where they are said in
    plain integers, text and tuples of those: an argument of any other type may equal one of these and be illegal.
    """
    plain = _args.plain(tuple(arguments.values()), depth=3)
    channels_first = _args.channels_first(operation, data_format)
    make = _exact if plain else _exact.__wrapped__
    return make(operation, kernel, name, tuple(arguments.items()), channels_first)


@functools.lru_cache(maxsize=256)
def _exact(
    operation: str,
    kernel: tuple[int, ...],
    name: str,
    arguments: tuple[tuple[str, Any], ...],
    channels_first: bool,
) -> Spec:
    if len(kernel) < 3:
        axes = "(*kernel_size, filters // groups, in)"
        fail(operation, f"{name} must have at least 3 axes {axes}, not {len(kernel)} ({name}: {kernel})")
    if 0 in kernel[:-2]:
        fail(operation, f"{name} must have at least 1 tap on each spatial axis ({name}: {kernel})")
    data_format = "channels_first" if channels_first else "channels_last"
    spec = _args.geometry(operation, len(kernel) - 2, data_format=data_format, **dict(arguments))
    if kernel[-1] % spec.groups:
        fail(operation, f"groups={spec.groups} must divide the kernel's {kernel[-1]} input channels ({name}: {kernel})")
    return spec


def filters(operation: str, kernel: tuple[int, ...], groups: int) -> int:
    return _args.integer(operation, "filters", kernel[-2] * groups)


def _split(shape: tuple[Any, ...], spec: Spec) -> tuple[tuple[Any, ...], Any, tuple[Any, ...]]:
    """(batch or nothing), channels and spatial extents of a shape."""
    batch, rest = shape[: len(shape) - spec.rank - 1], shape[len(shape) - spec.rank - 1 :]
    return (batch, rest[0], rest[1:]) if spec.channels_first else (batch, rest[-1], rest[:-1])


def _joined(batch: tuple[Any, ...], channels: Any, spatial: tuple[Any, ...], spec: Spec) -> tuple[Any, ...]:
    return (*batch, channels, *spatial) if spec.channels_first else (*batch, *spatial, channels)


@functools.lru_cache(maxsize=256)
def resolve(operation: str, x: tuple[str, tuple[int, ...]], kernel: tuple[str, tuple[int, ...]], spec: Spec) -> Problem:
    """Resolves a call; `x` and `kernel` are the name and the value of what states the shape. All is exact already."""
    shape, weights = x[1], kernel[1]
    shapes = f"{x[0]}: {shape}, {kernel[0]}: {weights}"
    if len(shape) not in (spec.rank + 1, spec.rank + 2):
        legal = f"{spec.rank + 2} axes, or {spec.rank + 1} without batch"
        fail(operation, f"{x[0]} must have {legal}, not {len(shape)} ({shapes})")
    batch, channels, spatial = _split(shape, spec)
    if channels != weights[-1]:
        fail(operation, f"kernel has {weights[-1]} input channels but x has {channels} ({shapes})")
    count = filters(operation, weights, spec.groups)
    axes = geometry.resolve_axes(operation, spec, spatial, weights)
    geometry.check(operation, batch[0] if batch else 1, channels, count, spec.groups, axes)
    result = _joined(batch, count, tuple(axis.out for axis in axes), spec)
    if batch:
        return Problem(shape, shape, axes, result, result)
    return Problem(shape, (1, *shape), axes, result, (1, *result))


@functools.lru_cache(maxsize=256)
def gradient_algorithm(problem: Problem, kernel: tuple[int, ...], spec: Spec, dtype: str) -> str:
    """What the core's "automatic" is for an input gradient: "direct", or itself where a fast algorithm is taken.

    To decide takes longer than a small gradient: the latest answers are remembered, which follow from shapes alone.
    """
    fast = _core.grad_input_is_fast(
        batch=problem.batched[0],
        in_channels=kernel[-1],
        filters=kernel[-2] * spec.groups,
        groups=spec.groups,
        axes=problem.axes,
        dtype=dtype,
        channels_first=spec.channels_first,
        isa="best",
        algorithm="automatic",
    )
    return "automatic" if fast else "direct"


def output_shape(
    operation: str,
    shape: tuple[int | None, ...],
    kernel: tuple[int, ...],
    count: int,
    channels: int | None,
    spec: Spec,
) -> tuple[int | None, ...]:
    """The shape of the result where extents may be unknown; `channels` is what the kernel has, if there is one."""
    batch, given, spatial = _split(shape, spec)
    if given is not None and given % spec.groups:
        fail(operation, f"groups={spec.groups} must divide the {given} input channels (input_shape: {shape})")
    if given is not None and channels is not None and given != channels:
        fail(operation, f"kernel has {channels} input channels but x has {given} (input_shape: {shape})")
    extents = tuple(
        geometry.resolve_extent(operation, spec, axis, extent, kernel[axis]) for axis, extent in enumerate(spatial)
    )
    return _joined(batch, count, extents, spec)
