"""What may go wrong at the outside of a simulated venue, and when. The randomness is the venue's own."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal

import attrs

FaultKind = Literal[
    "lose",
    "duplicate",
    "reorder",
    "garble",
    "cross",
    "delay",
    "silence",
    "mute",
    "cut",
    "close",
    "refuse",
    "rest_fail",
    "rest_late",
    "rest_refuse",
    "rest_garble",
]
"""
Of the frames: `lose`, `duplicate`, `reorder` (two of a stream change places), `garble` (noise, or a torn frame), `cross` (a change that
makes a book impossible), `delay` (they come together at its end), `silence` (none but pongs), `mute` (nothing at all, as when half of
a connection is gone). Of the connections: `cut` (without a close frame) and `close` at its start, `refuse` (none can be opened).
Of the answers: `rest_fail` (none), `rest_late`, `rest_refuse` (429, 418 or 503, as the seed has it), `rest_garble`.
"""


@attrs.frozen
class WireFault:
    """One fault: `do` from `at_s` on, for `for_s` seconds, counted from the start of the venue."""

    at_s: float
    do: FaultKind
    for_s: float = 0.0
    share: float = 1.0
    """How many of the frames or requests it strikes, from 0 to 1."""

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.for_s


class Weather:
    """All faults of a venue, held against its time."""

    def __init__(self, faults: Sequence[WireFault], random: Random) -> None:
        self._faults = tuple(faults)
        self._random = random

    def strikes(self, kind: FaultKind, now_s: float) -> WireFault | None:
        """Return the fault that strikes this one frame or request; None when it is spared."""
        for fault in self._faults:
            if (
                fault.do == kind
                and fault.at_s <= now_s < fault.end_s
                and (fault.share >= 1.0 or self._random.random() < fault.share)
            ):
                return fault
        return None

    def holding(self, now_s: float) -> frozenset[FaultKind]:
        """Return the kinds of faults that hold now."""
        return frozenset(fault.do for fault in self._faults if fault.at_s <= now_s < fault.end_s)

    def starts(self, *kinds: FaultKind) -> list[WireFault]:
        """Return the faults of these kinds."""
        return [fault for fault in self._faults if fault.do in kinds]
