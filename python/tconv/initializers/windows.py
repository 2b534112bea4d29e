"""Windows by the names that SciPy gives them: those that need no further argument."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from tconv._convert import Array

__all__ = ["check_window", "window"]


def window(name: str, length: int, periodic: bool) -> Array:
    """A window of `length` float64 values, largest in its middle.

    Args:
        name: see `check_window`.
        length: at least 0.
        periodic: whether the value that would follow is the first one again; else the window is symmetric.

    Source: Harris (1978), On the use of windows for harmonic analysis; Nuttall (1981); D'Antona and Ferrero (2006) for
    the flat top; Carrara and Goodman (1995) for Taylor's.
    """
    formula = _WINDOWS[check_window(name)]
    if length <= 1:
        return np.ones(length)
    total = length + 1 if periodic else length
    return formula(np.arange(total) - (total - 1) / 2, total)[:length]


def check_window(name: str) -> str:
    """The first of a window's names.

    Raises:
        ValueError: no window has that name.
    """
    if name in _ALIASES:
        return _ALIASES[name]
    near = difflib.get_close_matches(name[:80], _ALIASES, n=1, cutoff=0.7)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(_WINDOWS)}."
    raise ValueError(f"STFT: no window is called {name[:80]!r}. {hint}")


def _cosines(*weights: float) -> Callable[[Array, int], Array]:
    """The sum of weights[k] * cos(k * pi * u), u from -1 to 1."""

    def formula(t: Array, length: int) -> Array:
        angles = 2 * math.pi * t / (length - 1)
        return np.asarray(sum(weight * np.cos(k * angles) for k, weight in enumerate(weights)))

    return formula


def _bartlett_hann(t: Array, length: int) -> Array:
    far = np.abs(t) / (length - 1)
    return np.asarray(0.62 - 0.48 * far + 0.38 * np.cos(2 * math.pi * far))


def _bohman(t: Array, length: int) -> Array:
    far = np.abs(2 * t / (length - 1))
    inside = (1 - far) * np.cos(math.pi * far) + np.sin(math.pi * far) / math.pi
    return np.where(far < 1, inside, 0)


def _parzen(t: Array, length: int) -> Array:
    far = 2 * np.abs(t) / length
    return np.where(np.abs(t) <= (length - 1) / 4, 1 - 6 * far**2 + 6 * far**3, 2 * (1 - far) ** 3)


def _tukey(t: Array, length: int) -> Array:
    far = np.abs(2 * t / (length - 1))
    return np.where(far <= 0.5, 1, 0.5 * (1 + np.cos(2 * math.pi * (far - 0.5))))


def _taylor(t: Array, length: int) -> Array:
    """Four lobes of nearly equal height, 30 dB below the main one; 1 in the middle."""
    lobes = 4
    a = math.acosh(10 ** (30 / 20)) / math.pi
    spread = lobes**2 / (a**2 + (lobes - 0.5) ** 2)
    total, middle = np.ones(length), 1.0
    for m in range(1, lobes):
        numerator = math.prod(1 - m**2 / spread / (a**2 + (other - 0.5) ** 2) for other in range(1, lobes))
        denominator = math.prod(1 - m**2 / other**2 for other in range(1, lobes) if other != m)
        weight = (-1) ** (m + 1) * numerator / denominator
        total += weight * np.cos(2 * math.pi * m * t / length)
        middle += weight
    return total / middle


# t, the distance from the middle in samples, and the length -> the values.
_WINDOWS: MappingProxyType[str, Callable[[Array, int], Array]] = MappingProxyType(
    {
        "barthann": _bartlett_hann,
        "bartlett": lambda t, length: np.asarray(1 - np.abs(2 * t / (length - 1))),
        "blackman": _cosines(0.42, 0.50, 0.08),
        "blackmanharris": _cosines(0.35875, 0.48829, 0.14128, 0.01168),
        "bohman": _bohman,
        "boxcar": _cosines(1),
        "cosine": lambda t, length: np.asarray(np.cos(math.pi * t / length)),
        "exponential": lambda t, length: np.asarray(np.exp(-np.abs(t))),
        "flattop": _cosines(0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
        "hamming": _cosines(0.54, 0.46),
        "hann": _cosines(0.5, 0.5),
        "lanczos": lambda t, length: np.asarray(np.sinc(2 * t / (length - 1))),
        "nuttall": _cosines(0.3635819, 0.4891775, 0.1365995, 0.0106411),
        "parzen": _parzen,
        "taylor": _taylor,
        "triangle": lambda t, length: np.asarray(1 - 2 * np.abs(t) / (length + length % 2)),
        "tukey": _tukey,
    }
)

_ALIASES = MappingProxyType(
    {
        alias: name
        for name, aliases in {
            **dict.fromkeys(_WINDOWS, ""),
            "barthann": "brthan bth",
            "bartlett": "bart brt",
            "blackman": "black blk",
            "blackmanharris": "blackharr bkh",
            "bohman": "bman bmn",
            "boxcar": "box ones rect rectangular",
            "cosine": "halfcosine",
            "exponential": "poisson",
            "flattop": "flat flt",
            "hamming": "hamm ham",
            "hann": "han",
            "lanczos": "sinc",
            "nuttall": "nutl nut",
            "parzen": "parz par",
            "taylor": "taylorwin",
            "triangle": "triang tri",
            "tukey": "tuk",
        }.items()
        for alias in (name, *aliases.split())
    }
)
