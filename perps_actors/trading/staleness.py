"""Staleness of marks: the age at which a mark is reported, and at which no position is opened."""

from __future__ import annotations

from enum import IntEnum

import attrs

from perps_actors.kernel.clock import NS_PER_S


class Freshness(IntEnum):
    """The age class of a mark, in order of severity."""

    FRESH = 0
    AGEING = 1
    """Beyond the soft limit: reported, nothing is halted."""
    STALE = 2
    """Beyond the hard limit: no position may be opened or enlarged."""


@attrs.frozen(kw_only=True)
class StalenessLimits:
    """Limits on a mark's age, in seconds. The hard limit defaults to twice the soft one."""

    soft_s: float = 180.0
    hard_s: float = 360.0

    def judge(self, age_ns: int) -> Freshness:
        """Return the class of an age; an age exactly at a limit is within it."""
        if age_ns > self.hard_s * NS_PER_S:
            return Freshness.STALE
        return Freshness.AGEING if age_ns > self.soft_s * NS_PER_S else Freshness.FRESH
