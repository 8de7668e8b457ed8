"""Messages about our marks: offers to the consumer, marks to the store, updates, windows."""

from __future__ import annotations

from typing import ClassVar

import attrs

from perps_actors.kernel.messages import Batch
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark, Provenance
from perps_actors.market.window import Window

CONFLATE_ABOVE = 2_000
"""Marks that may wait at the store; beyond, only the newest of each instrument does (live)."""


def _newest(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    return tuple({mark.instrument: mark for mark in marks}.values())


class RecordMarks(Batch, frozen=True, gc=False):
    """Put these marks into their windows, in this order."""

    items_field: ClassVar[str] = "marks"
    marks: tuple[Mark, ...]
    provenance: Provenance

    def merged_with(self, newer: RecordMarks) -> RecordMarks:
        """Return both in one; beyond `CONFLATE_ABOVE` marks only the newest of each instrument."""
        marks = self.marks + newer.marks
        return newer.with_items(marks if len(marks) <= CONFLATE_ABOVE else _newest(marks))


class OfferMarks(Batch, frozen=True, gc=False):
    """Polled marks, which count only while their source is active."""

    items_field: ClassVar[str] = "marks"
    marks: tuple[Mark, ...]
    newest_venue_time_ns: int | None = None
    """The newest venue time in the answer, rows of other instruments included."""


class MarksUpdated(Batch, frozen=True, gc=False):
    """These marks are now in their windows and on the board."""

    items_field: ClassVar[str] = "marks"
    sheddable: ClassVar[bool] = True
    marks: tuple[Mark, ...]
    provenance: Provenance


@attrs.frozen
class GetWindow:
    """Ask for the window of an instrument; the answer is a `WindowView`."""

    instrument: InstrumentId


@attrs.frozen
class WindowView:
    """The window of an instrument, oldest mark first. `known` is False if it never had a mark."""

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
class SetWindows:
    """Keep windows of this many marks from now on, at least one; longer windows are cut at once.

    Raises:
        ValueError: a length below one.
    """

    length: int = attrs.field(validator=attrs.validators.ge(1))
    instruments: frozenset[InstrumentId] | None = None
    """Forget the marks of all other instruments; None: keep all."""
