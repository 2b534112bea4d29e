from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

AxisTuple = tuple[int, int, int, int, int, int]  # input, output, kernel, stride, dilation, crop

class ShapeError(ValueError): ...

class Plan:
    def __init__(
        self,
        kernel: NDArray[Any],
        *,
        axes: Sequence[AxisTuple],
        groups: int,
        dtype: str,
        channels_first: bool,
        isa: str,
        algorithm: str,
    ) -> None: ...
    def at(
        self,
        *,
        x_shape: Sequence[int],
        y_shape: Sequence[int],
        dtype: np.dtype[Any],
        batch: int,
        axes: Sequence[AxisTuple],
        channels_first: bool,
        activation: str,
        alpha: float,
        threads: int,
        once: bool,
    ) -> Run: ...
    @property
    def packed_bytes(self) -> int: ...

class Run:
    @property
    def y_shape(self) -> tuple[int, ...]: ...
    def __call__(self, x: NDArray[Any], bias: NDArray[Any] | None, out: NDArray[Any] | None) -> Any: ...
    def schedule(self) -> tuple[int, int, int, int, list[tuple[list[float], list[float]]]]: ...
    def describe(self) -> str: ...

def resolve(
    operation: str,
    axis: int,
    input: int,
    kernel: int,
    stride: int,
    dilation: int,
    mode: str,
    begin: int,
    end: int,
    output_padding: int | None,
    output: int | None,
) -> tuple[int, int]: ...
def check(
    operation: str, batch: int, in_channels: int, filters: int, groups: int, axes: Sequence[AxisTuple]
) -> None: ...
def grad_input(
    dy: NDArray[Any],
    kernel: NDArray[Any],
    dx: NDArray[Any],
    *,
    axes: Sequence[AxisTuple],
    groups: int,
    dtype: str,
    channels_first: bool,
    threads: int,
    isa: str,
    algorithm: str,
) -> None: ...
def grad_input_is_fast(
    *,
    batch: int,
    in_channels: int,
    filters: int,
    groups: int,
    axes: Sequence[AxisTuple],
    dtype: str,
    channels_first: bool,
    isa: str,
    algorithm: str,
) -> bool: ...
def grad_kernel(
    x: NDArray[Any],
    dy: NDArray[Any],
    dkernel: NDArray[Any],
    *,
    axes: Sequence[AxisTuple],
    groups: int,
    dtype: str,
    channels_first: bool,
    threads: int,
    isa: str,
    algorithm: str,
) -> None: ...
def grad_bias(
    dy: NDArray[Any],
    dbias: NDArray[Any],
    *,
    dtype: str,
    threads: int,
    isa: str,
    algorithm: str,
) -> None: ...
def build_info() -> dict[str, Any]: ...
def set_output_pool_limit(bytes: int) -> None: ...
def empty(shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]: ...
def bfloat16_words(capsule: object) -> NDArray[Any] | None: ...
