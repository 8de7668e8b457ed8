"""The source ladder: exactly one source makes an instrument's marks at a time."""

from __future__ import annotations

import attrs

from perps_actors.market.mark import RUNGS, Source


@attrs.frozen(kw_only=True)
class LadderPolicy:
    """When to step down and when to climb back."""

    top: Source = "book"
    """Where to start; rungs above it are never used."""
    patience_ns: int = 5_000_000_000
    """How long the speaking source may be silent while a lower one has newer news, before it is declared failed."""
    climb_after: int = 5
    """Good updates of a failed source before it speaks again."""
    rungs: tuple[Source, ...] = RUNGS
    """The sources that there are, best first; on others the ladder never stands."""


@attrs.frozen
class RungChange:
    """The ladder moved."""

    before: Source
    after: Source
    cause: str


class SourceLadder:
    """Decides, update by update, which source may make the mark. Pure: times are given, nanoseconds.

    A lower source speaks only once every source above it is declared failed: by `fail` (its connection broke), or because a lower
    one brought news that is newer, by the receiver's clock and by the venue's, than all the speaking source has said for
    `patience_ns`. Silence in a silent market is no failure. A failed source speaks again after `climb_after` good updates.
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
        """Hear of a good update of `source`; return whether it makes the mark. A move is left in `change` for the caller to take."""
        if source == self.current and source not in self._failed:
            self._heard[source] = (monotonic_ns, venue_time_ns)
            return True
        if source not in self._rungs:
            return False
        if source in self._failed:
            self._climb(source)
        elif self._outdated(monotonic_ns, venue_time_ns):
            self.fail(self.current, f"silent while {source} has news")
        self._heard[source] = (monotonic_ns, venue_time_ns)
        return source == self.current and source not in self._failed

    def fail(self, source: Source, cause: str) -> None:
        """Declare a source failed: if it was the one that spoke, the best one below that has not failed takes over."""
        self._failed[source] = 0
        self._settle(cause)

    def _climb(self, source: Source) -> None:
        self._failed[source] += 1
        if self._failed[source] >= self._policy.climb_after:
            del self._failed[source]
            self._settle(f"{source} is good again")

    def _outdated(self, monotonic_ns: int, venue_time_ns: int | None) -> bool:
        """Return whether the speaking source has been silent for too long, and not because nothing happened."""
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
        """Return the move since the last call, if any."""
        change, self.change = self.change, None
        return change
