"""What every store of the journal promises, whatever it keeps the events in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import attrs

from perps_actors.messages.records import Event


@attrs.frozen
class Repair:
    """What a writer found damaged at the end of the journal and set aside when it opened it."""

    what: str
    """Which sequence numbers were cut, why, and where they are kept."""
    events: int | None
    """How many events were cut, their sequence numbers are given again; None when too little was left to tell."""


class JournalWriter(Protocol):
    """The one writer of a journal. Sequence numbers start at 1 and have no holes, also across restarts."""

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last event that is safe; 0 for none."""

    @property
    def next_sequence(self) -> int:
        """Sequence number that the next event will get."""

    @property
    def repaired(self) -> Repair | None:
        """What was damaged and set aside at opening; None when all was sound."""

    def write(self, events: Sequence[Event]) -> int:
        """Keep these events, all or none, and return the last sequence number.

        When it returns, they survive `kill -9` and loss of power.

        Raises:
            JournalFull: no space left; nothing was written, the same call succeeds once there is some.
            JournalFenced: a newer writer has opened the journal; nothing was written, nor ever will be by this one.
            EventUnfit: an event holds what cannot be kept; nothing was written, the others may be given again without it.
            JournalError: anything else that kept it from writing; nothing was written.
        """

    def close(self) -> None:
        """Let go of the store; may be called again. Never raises for a full disk."""


class JournalReader(Protocol):
    """Reads a journal, also while it is written; changes nothing in it."""

    def events(
        self,
        kind: str | None = None,
        symbol: str | None = None,
        since_ns: int | None = None,
        after: int = 0,
    ) -> Iterator[tuple[int, Event]]:
        """Yield sequence number and event, in order, as far as they are written when the end is reached.

        Args:
            kind: only events of this kind.
            symbol: only events of this symbol, in the venue's spelling.
            since_ns: only events received at or after this wall time, nanoseconds since 1970.
            after: only events with a higher sequence number.

        Raises:
            JournalError: a block is damaged (names its sequence numbers), or the store cannot be read.
        """

    def last_sequence(self) -> int:
        """Return the sequence number of the last event; 0 for none.

        Raises:
            JournalError: the store cannot be read.
        """

    def count(self) -> int:
        """Return how many events there are, counted block by block.

        Raises:
            JournalError: the store cannot be read.
        """

    def close(self) -> None:
        """Let go of the store; may be called again."""
