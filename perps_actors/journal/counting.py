"""The writer of a system without a journal: events are numbered and not kept."""

from __future__ import annotations

from collections.abc import Sequence

from perps_actors.messages.records import Event


class CountingWriter:
    """A `JournalWriter` that keeps nothing; its counts go on from `last_sequence`."""

    repaired = None

    def __init__(self, last_sequence: int = 0) -> None:
        self.last_sequence = last_sequence

    @property
    def next_sequence(self) -> int:
        """Sequence number that the next event will get."""
        return self.last_sequence + 1

    def write(self, events: Sequence[Event]) -> int:
        """Count these events."""
        self.last_sequence += len(events)
        return self.last_sequence

    def close(self) -> None:
        """There is nothing to let go of."""
