"""Initial values of weights, with Keras' names, config keys, defaults and fan rule.

An initializer is called with a shape and a dtype and returns a new array. Randomness comes from
`numpy.random.default_rng(seed)` alone, drawn in float64 and rounded to the dtype, so that one seed gives one result in
every precision. As in Keras, `seed=None` draws a seed when the initializer is made: the same object gives the same
values for the same shape, two objects give different ones; a `SeedGenerator` gives different ones each time.

Beyond Keras: `transposed_fans=True`, `Bilinear`, `ICNR`, and arrays for `Constant`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tconv._registry import Family, Objects
from tconv.initializers.base import Initializer
from tconv.initializers.constant import Constant, Identity, Ones, Zeros, given
from tconv.initializers.distributions import (
    Orthogonal,
    RandomInitializer,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
)
from tconv.initializers.scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
    compute_fans,
)
from tconv.initializers.seeds import SeedGenerator
from tconv.initializers.stft import STFT
from tconv.initializers.upsampling import ICNR, Bilinear

__all__ = [
    "ICNR",
    "STFT",
    "Bilinear",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "SeedGenerator",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "bilinear",
    "compute_fans",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "icnr",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

IdentityInitializer = identity = Identity
OrthogonalInitializer = orthogonal = Orthogonal
STFTInitializer = stft = STFT
bilinear = Bilinear
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
icnr = ICNR
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

_FAMILY: Family[Callable[..., Any]] = Family(
    "initializer",
    "keras.initializers",
    (
        Bilinear,
        Constant,
        GlorotNormal,
        GlorotUniform,
        HeNormal,
        HeUniform,
        ICNR,
        Identity,
        Initializer,
        LecunNormal,
        LecunUniform,
        Ones,
        Orthogonal,
        RandomNormal,
        RandomUniform,
        STFT,
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
        "STFTInitializer": STFT,
    },
    modules={"Bilinear": "tconv.initializers", "ICNR": "tconv.initializers"},
)


def get(identifier: Any) -> Callable[..., Any] | None:
    """The initializer named: a name in either case, a config, a class, an instance, a callable or an array of values.

    None is None: a layer takes its argument's default then.

    Raises:
        ValueError: it is none of these, or the name is unknown.

    Example:
        >>> get("he_normal"), get(None)
        (HeNormal(), None)
    """
    is_array = isinstance(identifier, (np.ndarray, np.generic)) or hasattr(type(identifier), "__array__")
    return given(identifier) if is_array and not callable(identifier) else _FAMILY.get(identifier)


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
