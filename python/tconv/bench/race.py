"""Contestants taking turns, on a machine that is not quiet.

What slows a stretch of time slows neighbouring turns alike, so a comparison is the median over turns of the ratio of
two neighbours. Every contestant's turns are spread over the whole race.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tconv.bench.contestants import RefusedError, Turn

__all__ = ["Racer", "Timing", "alone", "race", "turns_for"]

REPEATS = 10  # turns, at least
BLOCK = 0.025  # seconds of timed calls in a turn, at least
FAR, FEW = 2.0, 3  # who is so many times slower decides nothing, and gets so many turns
ENDLESS = 2.0  # seconds; a far slower call that takes longer is timed once


class Racer(Protocol):
    """Who can be timed; `Contestant` is one."""

    name: str

    def turn(self, count: int) -> Turn:
        """Times `count` calls."""


@dataclass
class Timing:
    """The turns of one pair: seconds of one call, busy cores, and their ratio to the base's turn just before."""

    seconds: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    reason: str = ""


def turns_for(call: float, base: float, seconds: float) -> int:
    """How many turns a contestant gets, from the seconds of its call and the base's."""
    if call > FAR * base:
        return 1 if call > ENDLESS else FEW
    return max(REPEATS, math.ceil(seconds / max(BLOCK, call)))


def race(
    pairs: Sequence[tuple[Racer, Racer]], expected: Mapping[str, float], seconds: float
) -> tuple[dict[str, Timing], dict[str, Timing]]:
    """Times every pair of (base, other) in turns.

    Args:
        pairs: contestants with distinct names; a base may have many others.
        expected: seconds of one call, by name.
        seconds: of timed calls for each that is compared, at least.

    Returns:
        The others' timings and the bases', by name. A timing with a `reason` broke off.

    Raises:
        RefusedError: a base broke off.
    """
    counts = {name: max(1, math.ceil(BLOCK / max(call, 1e-9))) for name, call in expected.items()}
    turns = {other.name: turns_for(expected[other.name], expected[base.name], seconds) for base, other in pairs}
    others = {other.name: Timing() for _, other in pairs}
    bases = {base.name: Timing() for base, _ in pairs}
    for number in range(max(turns.values(), default=0)):
        for base, other in pairs:
            timing = others[other.name]
            if timing.reason or number >= turns[other.name]:
                continue
            first = base.turn(counts[base.name])
            try:
                second = other.turn(counts[other.name])
            except RefusedError as refusal:
                timing.reason = str(refusal)
                continue
            bases[base.name].seconds.append(first.seconds)
            bases[base.name].cores.append(first.cores)
            timing.seconds.append(second.seconds)
            timing.cores.append(second.cores)
            timing.ratios.append(second.seconds / first.seconds)
    return others, bases


def alone(racer: Racer, expected: float, seconds: float) -> Timing:
    """Times one contestant that has nobody to be compared with."""
    timing, count = Timing(), max(1, math.ceil(BLOCK / max(expected, 1e-9)))
    for _ in range(turns_for(expected, expected, seconds)):
        turn = racer.turn(count)
        timing.seconds.append(turn.seconds)
        timing.cores.append(turn.cores)
    return timing
