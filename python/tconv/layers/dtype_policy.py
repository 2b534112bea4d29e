"""Which dtype a layer computes in, and which its weights have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tconv import _args, _convert
from tconv import config as _config
from tconv._registry import Configurable

_MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
_PLAIN = ("float32", "float64", "float16", "bfloat16")


class DTypePolicy(Configurable):
    """A dtype for computing and a dtype for weights, under one name.

    Args:
        name: "float32", "float64", "float16" or "bfloat16" for both; "mixed_float16" or "mixed_bfloat16" to compute in
            16 bits with float32 weights; None for `tconv.config.floatx()`.

    Attributes:
        name, compute_dtype, variable_dtype: strings.

    Raises:
        ValueError: the name is none of these.

    Example:
        >>> policy = DTypePolicy("mixed_float16")
        >>> policy.compute_dtype, policy.variable_dtype
        ('float16', 'float32')
    """

    def __init__(self, name: str | None = None) -> None:
        name = _config.floatx() if name is None else name
        if name not in _PLAIN and name not in _MIXED:
            raise ValueError(f"dtype={_args.show(name)} is not one of {', '.join((*_PLAIN, *_MIXED))}.")
        self.name = name
        self.compute_dtype = _MIXED.get(name, name)
        self.variable_dtype = "float32" if name in _MIXED else name
        self.compute = _convert.compute_dtype("DTypePolicy", self.compute_dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def get(identifier: Any) -> DTypePolicy:
    """The policy that a layer's `dtype` names: None, a name, a dtype, a policy, or Keras' config of one.

    Raises:
        ValueError: it is none of these, or a policy that only Keras has (a quantized one).
    """
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, Mapping):
        name, inner = identifier.get("class_name"), identifier.get("config")
        if name not in ("DTypePolicy", "FloatDTypePolicy", "Policy") or not isinstance(inner, Mapping):
            raise ValueError(f"dtype={_args.show(identifier)} is not a dtype policy that tconv has.")
        return DTypePolicy(inner.get("name"))
    if identifier is None or (isinstance(identifier, str) and identifier in (*_PLAIN, *_MIXED)):
        return DTypePolicy(identifier)
    try:
        return DTypePolicy(np.dtype(identifier).name)
    except MemoryError:
        raise
    except Exception as error:  # whatever it is asked for its dtype
        raise ValueError(f"dtype={_args.show(identifier)} is not one of {', '.join((*_PLAIN, *_MIXED))}.") from error


def serialize(policy: DTypePolicy) -> dict[str, Any]:
    """Keras 3's config of a policy."""
    return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": policy.name}, "registered_name": None}
