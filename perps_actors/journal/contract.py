"""The contract of journal stores, and the writer of a system without a journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from perps_actors.messages.records import Event


@attrs.frozen
class Repair:
    """Damage at the end of a journal, which a writer cut off and kept aside on opening."""

    what: str
    """The sequence numbers that were cut, the reason, and where the data is kept."""
    events: int | None
    """The number of events cut, whose sequence numbers are used again; None if unknown."""


class JournalWriter(Protocol):
    """The only writer of a journal.

    Sequence numbers start at 1 and have no gaps, also across restarts.
    """

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last durable event; 0 for none."""

    @property
    def next_sequence(self) -> int:
        """Sequence number of the next event."""

    @property
    def repaired(self) -> Repair | None:
        """The damage that was cut off on opening; None if there was none."""

    def write(self, events: Sequence[Event]) -> int:
        """Write all events or none, and return the last sequence number.

        When the call returns, the events survive `kill -9` and loss of power. An error means that
        no event was written.

        Raises:
            JournalFull: no space is left; the same call succeeds once there is space.
            JournalFenced: a newer writer has opened the journal; this one cannot write again.
            EventUnfit: an event holds a value that cannot be stored; write the others without it.
            JournalError: any other failure.
        """

    def close(self) -> None:
        """Close the store. Idempotent; never raises for a full disk."""


class CountingWriter:
    """A `JournalWriter` that only numbers events; numbering continues after `last_sequence`."""

    repaired = None

    def __init__(self, last_sequence: int = 0) -> None:
        self.last_sequence = last_sequence

    @property
    def next_sequence(self) -> int:
        """Sequence number of the next event."""
        return self.last_sequence + 1

    def write(self, events: Sequence[Event]) -> int:
        """Count these events."""
        self.last_sequence += len(events)
        return self.last_sequence

    def close(self) -> None:
        """Do nothing, because nothing is open."""
