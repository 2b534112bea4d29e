"""Special functions that NumPy lacks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tconv._convert import Array

__all__ = ["erfc", "normal_cdf"]

# log(erfc(z) * exp(z*z) / t) for z >= 0 and t = 2 / (2 + z), as a Chebyshev series in 2*t - 1.
# fmt: off
_ERFC = (
    -0.6513268598908547, 0.6419697923564902, 0.019476473204185836, -0.009561514786808632,
    -0.0009465953444820369, 0.00036683949785276145, 4.252332480690777e-05, -2.0278578112534242e-05,
    -1.6242900046470256e-06, 1.3036558355805232e-06, 1.5626441722066142e-08, -8.523809591492654e-08,
    6.5290544390988515e-09, 5.059343495551469e-09, -9.91364156493033e-10, -2.273651222931836e-10,
    9.646791102015527e-11, 2.3940380830391146e-12, -6.886027526497553e-12, 8.944879273090725e-13,
    3.130921399342958e-13, -1.1270822361367252e-13, 3.810905255189232e-16, 7.106097613609237e-15,
    -1.5230282014571043e-15, -9.457494571291233e-17, 1.210237189224279e-16, -2.816663087747177e-17,
)
# fmt: on


def normal_cdf(x: Array) -> Array:
    """Phi(x), the normal distribution's, in float64: to 1e-8 relative to its value for float32, else to rounding error
    times max(1, x*x).
    """
    scaled = -math.sqrt(0.5) * x.astype(np.float64, copy=False)
    return 0.5 * erfc(scaled, 14 if x.dtype.itemsize <= 4 else len(_ERFC))


def erfc(x: Array, terms: int = len(_ERFC)) -> Array:
    """The complementary error function, to rounding error relative to max(1, x*x); with 14 terms to 1e-9."""
    z = np.abs(x)
    t = 2 / (2 + z)
    u = 2 * t - 1
    after: Any = 0.0
    next_after: Any = 0.0
    for coefficient in reversed(_ERFC[1:terms]):  # Clenshaw's recurrence
        after, next_after = coefficient + 2 * u * after - next_after, after
    series = _ERFC[0] + u * after - next_after
    tail = t * np.exp(series - z * z)
    return np.asarray(np.where(x >= 0, tail, 2 - tail))
