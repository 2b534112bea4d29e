"""Initial values of weights, with Keras' names, config keys, defaults and fan rule.

An initializer is called with a shape and a dtype and returns a new array. Randomness comes from
`numpy.random.default_rng(seed)` alone, drawn in float64 and rounded to the dtype, so that one seed gives one result in
every precision. As in Keras, `seed=None` draws a seed when the initializer is made: the same object gives the same
values for the same shape, two objects give different ones.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tconv import _args, _convert
from tconv import config as _config
from tconv._registry import Configurable, Family, Objects, real

Array = np.ndarray[Any, np.dtype[Any]]
Shape = Sequence[int]
Seed = int | Mapping[str, Any] | None


class Initializer(Configurable):
    """Base class: override `__call__(shape, dtype=None)`."""

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        """A new array of `shape`; `dtype=None` means `tconv.config.floatx()`."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype=None).")


class Zeros(Initializer):
    """All zeros.

    Example:
        >>> Zeros()((2,), "float32")
        array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        return np.zeros(_shape(shape), _dtype(dtype))


class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        return np.ones(_shape(shape), _dtype(dtype))


class Constant(Initializer):
    """One number everywhere, or the values of an array of exactly the shape asked for.

    Args:
        value: a number, or an array (copied).

    Raises:
        ValueError: on call, if `value` is an array of another shape.

    Example:
        >>> Constant(0.5)((3,), "float64")
        array([0.5, 0.5, 0.5])
    """

    def __init__(self, value: Any = 0.0) -> None:
        if isinstance(value, Mapping):
            value = _from_keras(value)
        given = np.array(value)
        if given.dtype.kind not in "biuf" and given.dtype.name != "bfloat16":
            raise ValueError(f"Constant: value={value!r} must be a real number or an array of real numbers.")
        given.flags.writeable = False
        self.value: Any = given.item() if given.ndim == 0 else given

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        shape = _shape(shape)
        if isinstance(self.value, np.ndarray) and self.value.shape != shape:
            raise ValueError(f"Expected `shape` to be {self.value.shape}, the shape of the given values, not {shape}.")
        return np.full(shape, self.value, _dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        if not isinstance(self.value, np.ndarray):
            return {"value": self.value}
        written = {"value": self.value.tolist(), "dtype": self.value.dtype.name}
        return {"value": {"class_name": "__numpy__", "config": written}}


class Identity(Initializer):
    """`gain` times the identity matrix, for shapes of two axes.

    Raises:
        ValueError: on call, if the shape has not two axes.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = real(self, "gain", gain)

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        shape = _shape(shape)
        if len(shape) != 2:
            raise ValueError(f"Identity: only a shape of two axes has an identity matrix, not {shape}.")
        return np.asarray(self.gain * np.eye(shape[0], shape[1])).astype(_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {} if self.gain == 1.0 else {"gain": self.gain}  # Keras writes no gain, and reads one


class RandomInitializer(Initializer):
    """Base class of those that draw numbers.

    Args:
        seed: a non-negative integer, or None for a seed of its own.

    Raises:
        ValueError: the seed is neither, or on call the dtype is not a floating one.
    """

    def __init__(self, seed: Seed = None) -> None:
        if isinstance(seed, Mapping):  # Keras writes its SeedGenerator so
            inner = seed.get("config")
            seed = inner.get("seed") if isinstance(inner, Mapping) else seed
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
            raise ValueError(f"{type(self).__name__}: seed={seed!r} must be a non-negative integer or None.")
        self.seed = None if seed is None else int(seed)
        self._drawn_seed = secrets.randbits(64) if self.seed is None else self.seed

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        to = _dtype(dtype)
        if to.kind != "f" and to.name != "bfloat16":
            raise ValueError(f"{type(self).__name__}: dtype={to.name} must be a floating one.")
        return self._draw(np.random.default_rng(self._drawn_seed), _shape(shape)).astype(to, copy=False)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """The values, in float64."""
        raise NotImplementedError(f"{type(self).__name__} must define _draw(rng, shape).")


class RandomNormal(RandomInitializer):
    """Normal distribution.

    Example:
        >>> a = RandomNormal(stddev=1.0, seed=3)
        >>> bool((a((2, 2)) == a((2, 2))).all())
        True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Seed = None) -> None:
        super().__init__(seed)
        self.mean = real(self, "mean", mean)
        self.stddev = real(self, "stddev", stddev)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomInitializer):
    """Normal distribution, drawn again where it is farther than two `stddev` from `mean`."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Seed = None) -> None:
        super().__init__(seed)
        self.mean = real(self, "mean", mean)
        self.stddev = real(self, "stddev", stddev)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return self.mean + self.stddev * _truncated(rng, shape)


class RandomUniform(RandomInitializer):
    """Uniform distribution over [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Seed = None) -> None:
        super().__init__(seed)
        self.minval = real(self, "minval", minval)
        self.maxval = real(self, "maxval", maxval)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.uniform(self.minval, self.maxval, shape)


class VarianceScaling(RandomInitializer):
    """Zero mean, variance `scale / n` with n the fan the mode names.

    Args:
        scale: positive.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" ("normal" is the same), "untruncated_normal" or "uniform".
        seed: a non-negative integer, or None for a seed of its own.
        input_axes: the axes whose extents make the fan-in; None for Keras' rule, see `compute_fans`.
        output_axes: the axes whose extents make the fan-out, if there are input_axes.

    Raises:
        ValueError: an argument is none of these.

    Source: Glorot and Bengio (2010); He et al. (2015), arXiv:1502.01852.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Seed = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        name = type(self).__name__
        if not real(self, "scale", scale) > 0:
            raise ValueError(f"{name}: argument `scale` must be a positive float, not {scale!r}.")
        modes = ("fan_in", "fan_out", "fan_avg")
        if mode not in modes:
            raise ValueError(f"{name}: invalid `mode` argument: {mode}. Please use one of {', '.join(modes)}.")
        distributions = ("truncated_normal", "untruncated_normal", "uniform")
        lowered = "truncated_normal" if str(distribution).lower() == "normal" else str(distribution).lower()
        if lowered not in distributions:
            legal = ", ".join(distributions)
            raise ValueError(f"{name}: invalid `distribution` argument: {distribution}. Please use one of {legal}.")
        if (input_axes is None) != (output_axes is None):
            raise ValueError(f"{name}: input_axes and output_axes are given together or not at all.")
        self.scale = real(self, "scale", scale)
        self.mode = mode
        self.distribution = lowered
        self.input_axes = None if input_axes is None else tuple(input_axes)
        self.output_axes = None if output_axes is None else tuple(output_axes)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": float(fan_in), "fan_out": float(fan_out), "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return rng.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return rng.normal(0.0, math.sqrt(variance), shape)
        return math.sqrt(variance) / _TRUNCATED_STDDEV * _truncated(rng, shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments; the axes only where they are given, so that every Keras 3 reads the config."""
        config = super().get_config()
        return {k: v for k, v in config.items() if v is not None or k not in ("input_axes", "output_axes")}


class _Named(VarianceScaling):
    """A variance scaling whose three first arguments are fixed."""

    _fixed: tuple[float, str, str]

    def __init__(
        self,
        seed: Seed = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._fixed, seed, input_axes, output_axes)


class GlorotNormal(_Named):
    """Truncated normal of variance 2 / (fan_in + fan_out)."""

    _fixed = (1.0, "fan_avg", "truncated_normal")


class GlorotUniform(_Named):
    """Uniform over +-sqrt(6 / (fan_in + fan_out)).

    Example:
        >>> w = GlorotUniform(seed=1)((3, 3, 8, 16), "float32")
        >>> w.shape, bool(abs(w).max() <= (6 / (9 * 24)) ** 0.5)
        ((3, 3, 8, 16), True)
    """

    _fixed = (1.0, "fan_avg", "uniform")


class HeNormal(_Named):
    """Truncated normal of variance 2 / fan_in."""

    _fixed = (2.0, "fan_in", "truncated_normal")


class HeUniform(_Named):
    """Uniform over +-sqrt(6 / fan_in)."""

    _fixed = (2.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Truncated normal of variance 1 / fan_in."""

    _fixed = (1.0, "fan_in", "truncated_normal")


class LecunUniform(_Named):
    """Uniform over +-sqrt(3 / fan_in)."""

    _fixed = (1.0, "fan_in", "uniform")


class Orthogonal(RandomInitializer):
    """`gain` times a matrix with orthonormal rows or columns, whichever are fewer; all axes but the last count as one.

    Raises:
        ValueError: on call, if the shape has fewer than two axes.

    Source: Saxe et al. (2014), arXiv:1312.6120.
    """

    def __init__(self, gain: float = 1.0, seed: Seed = None) -> None:
        super().__init__(seed)
        self.gain = real(self, "gain", gain)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: the shape {shape} must have at least two axes.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)  # makes the distribution uniform
        return self.gain * (q.T if rows < columns else q).reshape(shape)


def compute_fans(
    shape: Shape, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """Keras' (fan_in, fan_out) of a weight's shape.

    Without axes the last two are taken as (inputs, outputs) of every tap. The kernel of a transposed convolution is
    (*kernel_size, filters, channels), so that Keras' fan_in counts its filters; give the axes for the fans as computed.

    Example:
        >>> compute_fans((3, 3, 8, 512))
        (72, 4608)
        >>> compute_fans((3, 3, 8, 512), input_axes=(0, 1, 3), output_axes=(0, 1, 2))
        (4608, 72)
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    taps = math.prod(shape[:-2])
    return taps * shape[-2], taps * shape[-1]


_TRUNCATED_STDDEV = 0.87962566103423978  # the standard deviation of a normal distribution cut off at +-2


def _truncated(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    values = rng.standard_normal(math.prod(shape))
    outside = np.flatnonzero(np.abs(values) > 2)
    while outside.size:
        values[outside] = rng.standard_normal(outside.size)
        outside = outside[np.abs(values[outside]) > 2]
    return values.reshape(shape)


def _shape(shape: Any) -> tuple[int, ...]:
    """A shape, exact. Beyond 2**63 bytes NumPy says ValueError for the MemoryError that it is."""
    extents = _args.extents("initializers", "shape", shape, ())
    if math.prod(extents) >= 2**60:
        raise MemoryError(f"initializers: an array of shape {extents} cannot be allocated.")
    return extents


def _dtype(name: Any) -> np.dtype[Any]:
    name = _config.floatx() if name is None else name
    return (
        _convert.compute_dtype("initializers", name) if isinstance(name, str) and name == "bfloat16" else np.dtype(name)
    )


def _from_keras(value: Mapping[str, Any]) -> Any:
    """The array in Keras' {"class_name": "__numpy__" or "__tensor__", "config": {"value", "dtype"}}."""
    inner = value.get("config")
    if value.get("class_name") not in ("__numpy__", "__tensor__") or not isinstance(inner, Mapping):
        raise ValueError(f"Constant: value={value!r} must be a real number or an array of real numbers.")
    return np.array(inner.get("value"), dtype=inner.get("dtype"))


_FAMILY: Family[Callable[..., Any]] = Family(
    "initializer",
    "keras.initializers",
    (
        Constant,
        GlorotNormal,
        GlorotUniform,
        HeNormal,
        HeUniform,
        Identity,
        LecunNormal,
        LecunUniform,
        Ones,
        Orthogonal,
        RandomNormal,
        RandomUniform,
        TruncatedNormal,
        VarianceScaling,
        Zeros,
    ),
    aliases={
        "zero": Zeros,
        "one": Ones,
        "normal": RandomNormal,
        "uniform": RandomUniform,
        "IdentityInitializer": Identity,
        "OrthogonalInitializer": Orthogonal,
    },
)


def get(identifier: Any) -> Callable[..., Any] | None:
    """The initializer named: a name in either case, a config, a class, an instance, a callable or an array of values.

    Raises:
        ValueError: it is none of these, or the name is unknown.

    Example:
        >>> get("he_normal"), get(None)
        (HeNormal(), None)
    """
    return Constant(identifier) if isinstance(identifier, (np.ndarray, np.generic)) else _FAMILY.get(identifier)


def serialize(initializer: Any) -> Any:
    """Keras' config of an initializer.

    Example:
        >>> from tconv import initializers
        >>> initializers.serialize(initializers.Constant(2.0))["config"]
        {'value': 2.0}
    """
    return _FAMILY.serialize(initializer)


def deserialize(config: Any, custom_objects: Objects | None = None) -> Callable[..., Any] | None:
    """The initializer of a config or name.

    Raises:
        ValueError: the config is not one, or names nothing known.

    Example:
        >>> from tconv import initializers
        >>> initializers.deserialize({"class_name": "Constant", "config": {"value": 2.0}}).value
        2.0
    """
    return _FAMILY.deserialize(config, custom_objects)
