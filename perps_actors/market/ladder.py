"""The ladder of sources: exactly one source of an instrument is active, and makes its marks."""

from __future__ import annotations

import attrs
import msgspec

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


class _Update(msgspec.Struct, frozen=True, gc=False):
    """The last good update of a source."""

    received_ns: int
    as_of_ns: int
    venue_time_ns: int | None


class SourceLadder:
    """Decide for each update whether its source is active. Pure: the caller gives the time.

    A lower source becomes active only after every better source was declared failed. `fail`
    declares that when a connection broke. `offer` declares it when a lower source has data that is
    newer than the last data of the active source by more than `patience_ns`. What counts is the
    time to which the data belongs, so a source that lags fails like one that is silent, and a
    quote that is repeated unchanged in a quiet market is not newer. A failed source becomes active
    again after `climb_after` updates that are fresh.
    """

    def __init__(self, policy: LadderPolicy, armed_ns: int) -> None:
        self._policy = policy
        self._rungs = tuple(
            rung for rung in RUNGS[RUNGS.index(policy.top) :] if rung in policy.rungs
        )
        self._failed: dict[Source, int] = {}
        self._armed = _Update(armed_ns, armed_ns, None)
        self._last: dict[Source, _Update] = {}
        # When the last data of the sources that were active before the present one was received.
        self._predecessor_ns = armed_ns
        self.current: Source = self._rungs[0]
        self.change: RungChange | None = None

    def offer(
        self, source: Source, monotonic_ns: int, venue_time_ns: int | None, lag_ns: int = 0
    ) -> bool:
        """Note a good update of `source` and return whether `source` is active.

        A touch, trade or quote is not an update if its venue time is before that of the last one.
        Books are ordered by their sequence numbers instead. After a pause an older time is taken,
        because a venue whose clock was set back must not be silenced for ever. A change of the
        active source is left in `change`, for `take_change`. An update that was received before the
        last update of the previous active source makes no mark. A polled quote can be that late,
        because it comes through another actor and may be overtaken by frames.
        """
        last = self._last.get(source)
        if last is None:
            if source not in self._rungs:
                return False
        elif (
            venue_time_ns is not None
            and venue_time_ns < (last.venue_time_ns or 0)
            and source != "book"
            and monotonic_ns - last.received_ns <= self._policy.patience_ns
        ):
            return False
        update = self._last[source] = _Update(monotonic_ns, monotonic_ns - lag_ns, venue_time_ns)
        if not self._failed and source == self.current:
            return True
        if source in self._failed:
            self._climb(source, fresh=lag_ns <= self._policy.patience_ns)
        elif source != self.current and (cause := self._why_outdated(update, source)) is not None:
            self.fail(self.current, cause)
        return (
            source == self.current
            and source not in self._failed
            and monotonic_ns >= self._predecessor_ns
        )

    def fail(self, source: Source, cause: str) -> None:
        """Declare a source failed; the best source that has not failed becomes active."""
        self._failed[source] = 0
        self._settle(cause)

    def _climb(self, source: Source, *, fresh: bool) -> None:
        self._failed[source] = self._failed[source] + 1 if fresh else 0
        if self._failed[source] >= self._policy.climb_after:
            del self._failed[source]
            self._settle(f"{source} is healthy again")

    def _why_outdated(self, update: _Update, source: Source) -> str | None:
        """Return why the active source is outdated by an update of a lower one; None if not."""
        last, patience_ns = self._last.get(self.current, self._armed), self._policy.patience_ns
        newer_ns = update.as_of_ns - last.as_of_ns
        # A recording has no lag, but its venue times still show that nothing happened.
        before_ns, venue_time_ns = last.venue_time_ns, update.venue_time_ns
        if before_ns is not None and venue_time_ns is not None:
            newer_ns = min(newer_ns, venue_time_ns - before_ns)
        if newer_ns <= patience_ns:
            return None
        if update.received_ns - last.received_ns > patience_ns:
            return f"silent while {source} has data"
        return f"{newer_ns / 1e9:.1f} s behind {source}"

    def _settle(self, cause: str) -> None:
        best = next((s for s in self._rungs if s not in self._failed), self._rungs[-1])
        if best != self.current:
            last = self._last.get(self.current, self._armed)
            self._predecessor_ns = max(self._predecessor_ns, last.received_ns)
            before = self.change.before if self.change is not None else self.current
            self.current = best
            self.change = RungChange(before, best, cause)

    def take_change(self) -> RungChange | None:
        """Return the change of the active source since the last call, if any."""
        change, self.change = self.change, None
        return change
