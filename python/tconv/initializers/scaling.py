"""Initializers whose variance depends on how many inputs or outputs a weight has: its fans."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tconv._convert import Array
from tconv._registry import real
from tconv.initializers.base import Shape
from tconv.initializers.distributions import RandomInitializer, truncated_normal
from tconv.initializers.seeds import Seed

__all__ = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "VarianceScaling",
    "compute_fans",
]

_TRUNCATED_STDDEV = 0.87962566103423978  # the standard deviation of a normal distribution cut off at +-2
_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")
_NOT_IN_EVERY_KERAS = {"input_axes": None, "output_axes": None, "transposed_fans": False}


class VarianceScaling(RandomInitializer):
    """Zero mean, variance `scale / n` with n the fan that the mode names.

    Args:
        scale: positive.
        mode: "fan_in", "fan_out" or "fan_avg", their mean.
        distribution: "truncated_normal" ("normal" is the same), "untruncated_normal" or "uniform".
        seed: a non-negative integer, a `SeedGenerator`, or None for an integer that is drawn now.
        input_axes: the axes whose extents make the fan-in; None for Keras' rule, see `compute_fans`.
        output_axes: the axes whose extents make the fan-out, if there are input_axes.
        transposed_fans: whether the weight is the kernel of a transposed convolution and its fans shall be counted so.
            Keras takes its filters for its inputs: from 512 channels to 8 filters, HeNormal is then 8 times too large.

    Raises:
        ValueError: an argument is none of these.

    Source: Glorot and Bengio (2010); He et al. (2015), arXiv:1502.01852.

    Example:
        >>> def deviation(**arguments):
        ...     return round(float(VarianceScaling(2.0, seed=0, **arguments)((3, 3, 8, 512)).std()), 3)
        >>> deviation(), deviation(transposed_fans=True)  # sqrt(2 / (9 * 8)), sqrt(2 / (9 * 512))
        (0.166, 0.021)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Seed = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
        *,
        transposed_fans: bool = False,
    ) -> None:
        super().__init__(seed)
        name = type(self).__name__
        if not 0 < real(self, "scale", scale) < math.inf:
            raise ValueError(f"{name}: Argument `scale` must be positive float. Received: scale={scale!r}.")
        if mode not in _MODES:
            raise ValueError(f"{name}: Invalid `mode` argument: {mode}. Please use one of {', '.join(_MODES)}.")
        lowered = "truncated_normal" if str(distribution).lower() == "normal" else str(distribution).lower()
        if lowered not in _DISTRIBUTIONS:
            legal = ", ".join(_DISTRIBUTIONS)
            raise ValueError(f"{name}: Invalid `distribution` argument: {distribution}. Please use one of {legal}.")
        if (input_axes is None) != (output_axes is None):
            raise ValueError(f"{name}: input_axes and output_axes are given together or not at all.")
        if not isinstance(transposed_fans, (bool, np.bool_)):
            raise ValueError(f"{name}: transposed_fans={transposed_fans!r} must be a bool.")
        if transposed_fans and input_axes is not None:
            raise ValueError(f"{name}: transposed_fans says what input_axes and output_axes would say again.")
        self.scale = real(self, "scale", scale)
        self.mode = mode
        self.distribution = lowered
        self.input_axes = _axes(name, "input_axes", input_axes)
        self.output_axes = _axes(name, "output_axes", output_axes)
        self.transposed_fans = bool(transposed_fans)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        if self.transposed_fans:
            fan_out, fan_in = compute_fans(shape)
        else:
            fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": float(fan_in), "fan_out": float(fan_out), "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return rng.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return rng.normal(0.0, math.sqrt(variance), shape)
        return math.sqrt(variance) / _TRUNCATED_STDDEV * truncated_normal(rng, shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments; what only Keras 3.15 knows, or no Keras, where it is used: so the widest range reads it."""
        config = super().get_config()
        return {key: value for key, value in config.items() if _NOT_IN_EVERY_KERAS.get(key, ...) != value}


class _Named(VarianceScaling):
    """A variance scaling whose three first arguments are fixed."""

    _fixed: tuple[float, str, str]

    def __init__(
        self,
        seed: Seed = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
        *,
        transposed_fans: bool = False,
    ) -> None:
        super().__init__(*self._fixed, seed, input_axes, output_axes, transposed_fans=transposed_fans)


class GlorotNormal(_Named):
    """Truncated normal of variance 2 / (fan_in + fan_out). Arguments as for `VarianceScaling`.

    Source: Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural networks.
    """

    _fixed = (1.0, "fan_avg", "truncated_normal")


class GlorotUniform(_Named):
    """Uniform over +-sqrt(6 / (fan_in + fan_out)). Arguments as for `VarianceScaling`.

    Source: Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural networks.

    Example:
        >>> w = GlorotUniform(seed=1)((3, 3, 8, 16), "float32")
        >>> w.shape, bool(abs(w).max() <= (6 / (9 * 24)) ** 0.5)
        ((3, 3, 8, 16), True)
    """

    _fixed = (1.0, "fan_avg", "uniform")


class HeNormal(_Named):
    """Truncated normal of variance 2 / fan_in. Arguments as for `VarianceScaling`.

    Source: He et al. (2015), arXiv:1502.01852.
    """

    _fixed = (2.0, "fan_in", "truncated_normal")


class HeUniform(_Named):
    """Uniform over +-sqrt(6 / fan_in). Arguments as for `VarianceScaling`.

    Source: He et al. (2015), arXiv:1502.01852.
    """

    _fixed = (2.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Truncated normal of variance 1 / fan_in. Arguments as for `VarianceScaling`.

    Source: LeCun et al. (1998), Efficient BackProp; Klambauer et al. (2017), arXiv:1706.02515.
    """

    _fixed = (1.0, "fan_in", "truncated_normal")


class LecunUniform(_Named):
    """Uniform over +-sqrt(3 / fan_in). Arguments as for `VarianceScaling`.

    Source: LeCun et al. (1998), Efficient BackProp.
    """

    _fixed = (1.0, "fan_in", "uniform")


def compute_fans(
    shape: Shape, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """Keras' (fan_in, fan_out) of a weight's shape.

    Without axes the last two are taken as (inputs, outputs) of every tap. The kernel of a transposed convolution is
    (*kernel_size, filters, channels), so that Keras' fan_in counts its filters; give the axes for the fans as computed.

    Args:
        shape: extents.
        input_axes: the axes whose extents make the fan-in; None for all but the last.
        output_axes: the axes whose extents make the fan-out; None for all but the last but one.

    Raises:
        ValueError: an axis that the shape has not.

    Example:
        >>> compute_fans((3, 3, 8, 512))
        (72, 4608)
        >>> compute_fans((3, 3, 8, 512), input_axes=(0, 1, 3), output_axes=(0, 1, 2))
        (4608, 72)
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        for axis in (*input_axes, *output_axes):
            if not -len(shape) <= axis < len(shape):
                raise ValueError(f"compute_fans: axis {axis} is none of a weight of shape {shape}.")
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    taps = math.prod(shape[:-2])
    return taps * shape[-2], taps * shape[-1]


def _axes(owner: str, name: str, axes: Any) -> tuple[int, ...] | None:
    if axes is None:
        return None
    entries = tuple(axes) if isinstance(axes, (list, tuple, np.ndarray)) else None
    if entries is None or not all(isinstance(e, (int, np.integer)) and not isinstance(e, bool) for e in entries):
        raise ValueError(f"{owner}: {name}={axes!r} must be a sequence of integers or None.")
    return tuple(int(entry) for entry in entries)
