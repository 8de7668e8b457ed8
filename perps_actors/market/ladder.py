"""The ladder of sources: exactly one source of an instrument is active, and makes its marks."""

from __future__ import annotations

import attrs

from perps_actors.market.mark import RUNGS, Source


@attrs.frozen(kw_only=True)
class LadderPolicy:
    """When to step down to a lower source and when to step back up."""

    top: Source = "book"
    """The source to start with; better sources are never used."""
    patience_ns: int = 5_000_000_000
    """Time without data from the active source before a lower source that has data takes over."""
    climb_after: int = 5
    """Good updates of a failed source before it is active again."""
    rungs: tuple[Source, ...] = RUNGS
    """The available sources, best first."""


@attrs.frozen
class RungChange:
    """Another source became active."""

    before: Source
    after: Source
    cause: str


class SourceLadder:
    """Decide for each update whether its source is active. Pure: the caller gives the time.

    A lower source becomes active only after every better source was declared failed. `fail`
    declares that when a connection broke. `offer` declares it when a lower source has data that is
    newer than the last data of the active source by more than `patience_ns`, both by our clock and
    by the venue's: silence in a quiet market is not a failure. A failed source becomes active
    again after `climb_after` good updates.
    """

    def __init__(self, policy: LadderPolicy, armed_ns: int) -> None:
        self._policy = policy
        self._rungs = tuple(
            rung for rung in RUNGS[RUNGS.index(policy.top) :] if rung in policy.rungs
        )
        self._failed: dict[Source, int] = {}
        self._armed_ns = armed_ns
        self._heard: dict[Source, tuple[int, int | None]] = {}
        self.current: Source = self._rungs[0]
        self.change: RungChange | None = None

    def offer(self, source: Source, monotonic_ns: int, venue_time_ns: int | None) -> bool:
        """Note a good update of `source` and return whether `source` is active.

        A change of the active source is left in `change`, for `take_change`.
        """
        if source == self.current and source not in self._failed:
            self._heard[source] = (monotonic_ns, venue_time_ns)
            return True
        if source not in self._rungs:
            return False
        if source in self._failed:
            self._climb(source)
        elif self._outdated(monotonic_ns, venue_time_ns):
            self.fail(self.current, f"silent while {source} has data")
        self._heard[source] = (monotonic_ns, venue_time_ns)
        return source == self.current and source not in self._failed

    def fail(self, source: Source, cause: str) -> None:
        """Declare a source failed; the best source that has not failed becomes active."""
        self._failed[source] = 0
        self._settle(cause)

    def _climb(self, source: Source) -> None:
        self._failed[source] += 1
        if self._failed[source] >= self._policy.climb_after:
            del self._failed[source]
            self._settle(f"{source} is healthy again")

    def _outdated(self, monotonic_ns: int, venue_time_ns: int | None) -> bool:
        """Return whether the active source was silent for too long although the market moved."""
        heard_ns, heard_venue_ns = self._heard.get(self.current, (self._armed_ns, None))
        if monotonic_ns - heard_ns <= self._policy.patience_ns:
            return False
        return (
            venue_time_ns is None
            or heard_venue_ns is None
            or venue_time_ns - heard_venue_ns > self._policy.patience_ns
        )

    def _settle(self, cause: str) -> None:
        best = next((s for s in self._rungs if s not in self._failed), self._rungs[-1])
        if best != self.current:
            before = self.change.before if self.change is not None else self.current
            self.current = best
            self.change = RungChange(before, best, cause)

    def take_change(self) -> RungChange | None:
        """Return the change of the active source since the last call, if any."""
        change, self.change = self.change, None
        return change
