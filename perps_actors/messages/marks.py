"""The conversation about marks: candidates to the consumer, marks to the store, updates from it, windows on demand."""

from __future__ import annotations

import attrs

from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark, Provenance
from perps_actors.market.window import Window
from perps_actors.messages.batch import split_at

CONFLATE_ABOVE = 2_000
"""Marks that may wait at the store before only the newest of each instrument is kept (in live mode)."""


def _newest(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    return tuple({mark.instrument: mark for mark in marks}.values())


@attrs.frozen
class RecordMarks:
    """Put these marks into their windows, in this order."""

    marks: tuple[Mark, ...]
    provenance: Provenance

    def __len__(self) -> int:
        """Return how many marks there are: what it counts for in an inbox."""
        return len(self.marks)

    def split(self, index: int) -> tuple[RecordMarks, RecordMarks | None]:
        """Return the message with the one mark at `index`, and the one with all after it."""
        return split_at(self, "marks", index)

    def merged_with(self, newer: RecordMarks) -> RecordMarks:
        """Return both in one; beyond `CONFLATE_ABOVE` marks only the newest of each instrument."""
        marks = self.marks + newer.marks
        return attrs.evolve(newer, marks=marks if len(marks) <= CONFLATE_ABOVE else _newest(marks))


@attrs.frozen
class OfferMarks:
    """Marks from a source beside the streams: they count only while their rung speaks."""

    marks: tuple[Mark, ...]


@attrs.frozen
class MarksUpdated:
    """These marks are now in their windows and on the board."""

    marks: tuple[Mark, ...]
    provenance: Provenance

    sheddable = True

    def __len__(self) -> int:
        """Return how many marks there are: what it counts for in an inbox."""
        return len(self.marks)

    def split(self, index: int) -> tuple[MarksUpdated, MarksUpdated | None]:
        """Return the message with the one mark at `index`, and the one with all after it."""
        return split_at(self, "marks", index)


@attrs.frozen
class GetWindow:
    """Ask for the window of an instrument; the answer is a `WindowView`."""

    instrument: InstrumentId


@attrs.frozen
class WindowView:
    """The window of an instrument, oldest mark first. Empty and `known` False: nobody has marked it."""

    instrument: InstrumentId
    marks: Window
    known: bool


@attrs.frozen
class GetMarkStatistics:
    """Ask the store for its counters; the answer is a `MarkStatistics`."""


@attrs.frozen
class MarkStatistics:
    """Counters of the store."""

    accepted: tuple[tuple[InstrumentId, int], ...]
    rejected: int
    """Marks that were no usable price (not finite, not above zero, without symbol)."""


@attrs.frozen
class SetWindowLength:
    """Keep windows of this many marks from now on, at least one; longer ones are cut at once.

    Raises:
        ValueError: a length below one.
    """

    length: int = attrs.field(validator=attrs.validators.ge(1))
