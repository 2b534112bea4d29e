"""The memory of results that have died and of calls that have ended, kept for new ones."""

from __future__ import annotations

from typing import SupportsIndex

from tconv import _args, _core

__all__ = ["get_output_pool_limit", "set_output_pool_limit"]


def get_output_pool_limit() -> int:
    """How many bytes are kept for results to come at most; those kept now: build_info()["output_pool_bytes"].

    Example:
        >>> import tconv
        >>> tconv.get_output_pool_limit() // 2**20
        256
    """
    return int(_core.build_info()["output_pool_limit"])


def set_output_pool_limit(limit: SupportsIndex) -> None:
    """Sets how many bytes are kept for results to come at most, and frees what is beyond.

    The first touch of a fresh page costs more than most computations that fill it, so that the memory of a result that
    was garbage-collected serves the next one of its size. So does what a call took for itself, in pieces of 1 MiB and
    more: transformed weights of a gradient, say.

    Args:
        limit: bytes; 0 to keep nothing.

    Raises:
        TypeError: limit isn't an integer.
        ValueError: limit is negative.

    Example:
        >>> import tconv
        >>> tconv.set_output_pool_limit(0)
        >>> tconv.build_info()["output_pool_bytes"]
        0
        >>> tconv.set_output_pool_limit(256 * 2**20)
    """
    _core.set_output_pool_limit(_args.integer("set_output_pool_limit", "limit", limit, least=0))
