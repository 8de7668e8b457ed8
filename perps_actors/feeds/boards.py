"""The board: the latest windows and marks, published by the mark store and read by anyone without asking."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from perps_actors.market.events import VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.market.window import Window


class Board:
    """Holds the map that the living mark store writes. A reader gets immutable windows; one look-up is one moment.

    Each incarnation of the store starts from a copy of the last map and then swaps the reference, so that a store that was
    replaced but still runs writes into a map nobody reads.
    """

    def __init__(self) -> None:
        self._windows: dict[InstrumentId, Window] = {}
        self._counts: dict[InstrumentId, int] = {}
        self.length: int | None = None
        """Length of windows that the store was told to keep since it was made; None: none but the first."""

    def take_over(self) -> tuple[dict[InstrumentId, Window], dict[InstrumentId, int]]:
        """Return the maps, windows and counts, that the caller, a new incarnation of the store, writes from now on."""
        # Each a copy in one instruction: the one that was replaced may still be writing.
        self._windows, self._counts = self._windows.copy(), self._counts.copy()
        return self._windows, self._counts

    def count(self, instrument: InstrumentId) -> int:
        """Return how many marks of an instrument were ever recorded."""
        return self._counts.get(instrument, 0)

    @property
    def windows(self) -> Mapping[InstrumentId, Window]:
        """All windows, oldest mark first; a live, read-only view."""
        return MappingProxyType(self._windows)

    def snapshot(self) -> dict[InstrumentId, Window]:
        """Return all windows of this moment."""
        return self._windows.copy()

    def window(self, instrument: InstrumentId) -> Window:
        """Return the window of an instrument, oldest mark first; empty when nobody has marked it."""
        return self._windows.get(instrument, ())

    def mark(self, instrument: InstrumentId) -> Mark | None:
        """Return the latest mark of an instrument; None when nobody has marked it."""
        window = self._windows.get(instrument)
        return window[-1] if window else None


class VenueBoard:
    """The venue's own marks with index, as the stream consumer publishes them; beside our marks, never mixed into a window.

    Taken over by each incarnation of the consumer as the board is by the store's.
    """

    def __init__(self) -> None:
        self._venue_marks: dict[InstrumentId, VenueMark] = {}

    def take_over(self) -> dict[InstrumentId, VenueMark]:
        """Return the map that the caller, a new incarnation of the consumer, writes from now on."""
        self._venue_marks = self._venue_marks.copy()
        return self._venue_marks

    def venue_mark(self, instrument: InstrumentId) -> VenueMark | None:
        """Return the venue's latest own mark of an instrument; None when it has sent none."""
        return self._venue_marks.get(instrument)
