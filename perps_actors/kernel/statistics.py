"""What the kernel counts of every actor, and the question that asks for it."""

from __future__ import annotations

import attrs


@attrs.frozen
class GetStatistics:
    """Ask any actor for its `CellStatistics`. The kernel answers, ahead of data; counted nowhere, like an order.

    While a handler runs, or nobody lives there, the answer waits; `Cell.statistics` and what a system publishes of it do not.
    """

    order = True
    control = True


@attrs.frozen(kw_only=True)
class InboxStatistics:
    """Counters of one inbox, in items; orders, and timers that came too late, are not counted.

    What was told is taken, or dropped, or left, or still waiting.
    """

    length: int
    held_bytes: int
    """Bytes of the outside in the messages that wait, of those classes that declare them."""
    oldest_age_ns: int | None
    """For how long the oldest that waits has waited, at most; None when nothing waits.

    Exact while the inbox was empty not long ago. When it has not been empty since, it is the time since a moment of which all
    that waited then is gone: never less than the truth, and less than twice that while the load is steady.
    """
    taken: int
    refused: int
    """Lost to the bound on arrival."""
    merged: int
    """Merged into one that waited, so that nobody saw them."""
    overrun: int
    """Lost to the bound while they waited, being the oldest."""
    left: int
    """Found waiting when the inbox was closed, or told after it."""

    @property
    def dropped(self) -> int:
        """Everything that was lost, for whichever reason."""
        return self.refused + self.merged + self.overrun

    @property
    def told(self) -> int:
        """Everything that was ever put."""
        return self.length + self.taken + self.dropped + self.left


@attrs.frozen(kw_only=True)
class CellStatistics:
    """What a cell has done, over all its incarnations. What was taken was handled or is dead."""

    name: str
    generation: int
    """Incarnations so far."""
    handled: int
    """Items handled."""
    dead: int
    """Items that became dead letters."""
    busy_ns: int
    """Monotonic time spent in handlers, up to the last turn that ended."""
    inbox: InboxStatistics

    @property
    def restarts(self) -> int:
        """Incarnations after the first."""
        return max(0, self.generation - 1)
