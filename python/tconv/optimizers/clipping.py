"""Gradients kept short."""

from __future__ import annotations

import math

import numpy as np

from tconv._convert import Array


def clipped(
    gradients: list[Array], clipnorm: float | None, clipvalue: float | None, global_clipnorm: float | None
) -> list[Array]:
    """The gradients under a limit, as Keras has it; a limit of None or 0 is none. Those within are as they were."""
    if clipnorm:
        return [_scaled(gradient, _norm([gradient]), clipnorm) for gradient in gradients]
    if global_clipnorm:
        norm = _norm(gradients)
        return [_scaled(gradient, norm, global_clipnorm) for gradient in gradients]
    if clipvalue:
        return [
            np.clip(gradient, gradient.dtype.type(-clipvalue), gradient.dtype.type(clipvalue)) for gradient in gradients
        ]
    return gradients


def _norm(gradients: list[Array]) -> float:
    """The Euclidean norm; of float32 in float64, which their squares cannot leave."""
    return math.sqrt(sum(float(np.sum(np.square(gradient, dtype=np.float64))) for gradient in gradients))


def _scaled(gradient: Array, norm: float, most: float) -> Array:
    return gradient * gradient.dtype.type(most / norm) if norm > most else gradient
