"""Which activation functions the core applies as it stores a result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["core_form"]

# The function's name -> the argument that it takes besides x, with its default; None for no argument.
_FUSED: dict[str, tuple[str, float] | None] = {
    **dict.fromkeys(("linear", "relu", "relu6", "selu", "sigmoid", "hard_sigmoid", "tanh", "silu", "hard_silu")),
    "exponential": None,
    "leaky_relu": ("negative_slope", 0.2),
    "elu": ("alpha", 1.0),
}


def core_form(name: str, arguments: Mapping[str, Any]) -> tuple[str, float] | None:
    """The core's name and argument for a function of tconv.activations and what it is called with; None for none."""
    if name == "relu" and arguments:
        name, arguments = _plain_relu(**arguments)
    if name not in _FUSED:
        return None
    argument = _FUSED[name]
    if argument is None:
        return None if arguments else (name, 0.0)
    key, default = argument
    alpha = arguments.get(key, default)
    if set(arguments) - {key} or not _is_finite(alpha):
        return None
    return name, float(alpha)


def _plain_relu(
    negative_slope: Any = 0.0, max_value: Any = None, threshold: Any = 0.0, **others: Any
) -> tuple[str, dict[str, Any]]:
    """relu with arguments as the simpler function that it is; "" for none."""
    if others or not _is_finite(threshold) or threshold != 0 or not _is_finite(negative_slope):
        return "", {}
    if max_value is None:
        return ("leaky_relu", {"negative_slope": negative_slope}) if negative_slope else ("relu", {})
    return ("relu6", {}) if _is_finite(max_value) and max_value == 6 and negative_slope == 0 else ("", {})


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf
