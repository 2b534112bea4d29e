"""Errors of "direct" and "fast" against float64: `python benchmarks/accuracy.py` prints the table of the docs, means
over several draws: the largest error of one is luck.

`python benchmarks/accuracy.py weights.npz` adds a row for every kernel in the file, `(*kernel_size, filters, in)`, with
a stride of half its taps, on random inputs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tconv

Array = np.ndarray[Any, Any]
DRAWS = 8
LARGE = {3: (4096,), 4: (64, 64), 5: (16, 16, 16)}  # inputs that fast is chosen for, by the axes of their kernel
SHAPES = (  # kernel, stride, spatial, channels, filters
    ("1-D k16 s8", (16,), 8, (100,), 256, 64),
    ("2-D k4 s2", (4, 4), 2, (16, 16), 64, 64),
    ("2-D k4 s2", (4, 4), 2, (16, 16), 512, 64),
    ("2-D k4 s2, 4x4", (4, 4), 2, (4, 4), 512, 64),
    ("2-D k3 s1", (3, 3), 1, (24, 24), 128, 64),
    ("2-D k3 s2", (3, 3), 2, (16, 16), 128, 64),
    ("2-D k5 s1", (5, 5), 1, (16, 16), 64, 32),
    ("3-D k4 s2", (4, 4, 4), 2, (6, 6, 6), 64, 16),
    ("3-D k3 s1", (3, 3, 3), 1, (8, 8, 8), 64, 16),
)
HALVES = (("2-D k2 s2", (2, 2), 2, (8, 8), 1024, 512),)  # by Strassen's algorithm, which a kernel's gradient is not


def draws(random: np.random.Generator) -> dict[str, Callable[[tuple[int, ...]], Array]]:
    """Inputs and weights: normal; heavy tails; an activation's, of one sign."""
    return {
        "normal": random.standard_normal,
        "Student t, 3 degrees of freedom": lambda shape: random.standard_t(3, shape),
        "positive": lambda shape: np.abs(random.standard_normal(shape)),
    }


Compute = Callable[..., Array]


def output(x: Array, kernel: Array, **how: Any) -> Array:
    """The forward product."""
    return tconv.conv_transpose(x, kernel, **how)


def input_gradient(dy: Array, kernel: Array, strides: int, **how: Any) -> Array:
    """The gradient of an input, for a gradient that is its stride as large."""
    spatial = (n // strides for n in dy.shape[1:-1])
    shape = (dy.shape[0], *spatial, kernel.shape[-1])
    return tconv.conv_transpose_grad_input(dy, kernel, shape, strides=strides, **how)


def kernel_gradient(taps: tuple[int, ...]) -> Compute:
    """The gradient of a kernel, for inputs and gradients that are their stride as large."""

    def compute(x: Array, dy: Array, **how: Any) -> Array:
        return tconv.conv_transpose_grad_kernel(x, dy, (*taps, dy.shape[-1], x.shape[-1]), **how)

    return compute


def errors(compute: Compute, x: Array, kernel: Array, stride: int) -> dict[str, tuple[float, float]]:
    """RMS and largest error of each algorithm, in parts of the result's RMS."""
    x, kernel = x.astype(np.float32), kernel.astype(np.float32)
    how = {"strides": stride, "padding": "same"}
    exact = compute(x.astype(np.float64), kernel.astype(np.float64), algorithm="direct", **how)
    scale = np.sqrt(np.mean(exact**2))
    found = {}
    for algorithm in ("direct", "fast"):
        error = (compute(x, kernel, algorithm=algorithm, **how) - exact) / scale
        found[algorithm] = (float(np.sqrt(np.mean(error**2))), float(np.abs(error).max()))
    return found


def is_taken(compute: Compute, x: Array, kernel: Array, stride: int) -> bool:
    """Whether "auto" is fast: with this kernel and a large input, or with these arrays; always for input gradients."""
    x, kernel = x.astype(np.float32), kernel.astype(np.float32)
    if compute is output:
        plan = tconv.Plan(kernel, strides=stride)
        return plan.describe((4, *LARGE[kernel.ndim], kernel.shape[-1])).startswith("fast")
    if compute is input_gradient:
        return True
    auto, fast = (compute(x, kernel, algorithm=a, strides=stride, padding="same") for a in ("auto", "fast"))
    return auto.tobytes() == fast.tobytes()


Draw = Callable[[], tuple[Array, Array]]


def rows(paths: list[str]) -> Iterator[tuple[str, Compute, Draw, int]]:
    """What to measure: a name, a product, what draws its array and its kernel, and a stride."""
    random = np.random.default_rng(7)
    for title, draw in draws(random).items():
        for name, taps, stride, spatial, channels, filters in SHAPES + HALVES:
            x, kernel = (2, *spatial, channels), (*taps, filters, channels)
            yield f"{title}: {name}, {channels} channels", output, _drawn(draw, x, kernel), stride
        for name, taps, stride, spatial, filters, channels in SHAPES + HALVES:
            dy, kernel = (2, *(n * stride for n in spatial), filters), (*taps, filters, channels)
            yield (
                f"{title}: input gradient, {name}, {filters} filters",
                input_gradient,
                _drawn(draw, dy, kernel),
                stride,
            )
        for name, taps, stride, spatial, channels, filters in SHAPES:
            x, dy = (2, *spatial, channels), (2, *(n * stride for n in spatial), filters)
            yield (
                f"{title}: kernel gradient, {name}, {channels} channels",
                kernel_gradient(taps),
                _drawn(draw, x, dy),
                stride,
            )
    for path in paths:
        with np.load(path) as arrays:
            for name in arrays.files:
                weights = arrays[name]
                x = (1, *(16,) * (weights.ndim - 2), weights.shape[-1])
                yield name, output, _drawn(random.standard_normal, x, weights), max(weights.shape[0] // 2, 1)


def _drawn(draw: Callable[[tuple[int, ...]], Array], x: tuple[int, ...], kernel: tuple[int, ...] | Array) -> Draw:
    return lambda: (draw(x), kernel if isinstance(kernel, np.ndarray) else draw(kernel))


def main() -> int:
    """How many rows have an error of fast above 1.25 of direct's, and are ones that "auto" is fast with."""
    print(
        "| data | direct RMS | fast RMS | ratio | direct max | fast max | ratio |\n|---|---:|---:|---:|---:|---:|---:|"
    )
    worse = 0
    for name, compute, draw, stride in rows(sys.argv[1:]):
        found = [errors(compute, *draw(), stride) for _ in range(DRAWS)]
        rms, most = np.mean([each["direct"] for each in found], axis=0)
        fast_rms, fast_most = np.mean([each["fast"] for each in found], axis=0)
        taken = is_taken(compute, *draw(), stride)
        worse += int(taken and (fast_rms > 1.25 * rms or fast_most > 1.25 * most))
        print(
            f"| {name}{'' if taken else ' (not by `auto`)'} | {rms:.1e} | {fast_rms:.1e} | {fast_rms / rms:.2f} "
            f"| {most:.1e} | {fast_most:.1e} | {fast_most / most:.2f} |"
        )
    return worse


if __name__ == "__main__":
    sys.exit(main())
