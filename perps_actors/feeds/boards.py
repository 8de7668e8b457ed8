"""Boards: the latest marks and venue marks, published by one actor, read by any thread."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from perps_actors.market.events import VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.market.window import Window


class Board:
    """The windows of our marks, written by the mark store. Readers get immutable windows.

    Each incarnation of the store copies the last map and swaps the reference. A store that was
    replaced but still runs therefore writes into a map that no reader uses.
    """

    def __init__(self) -> None:
        self._windows: dict[InstrumentId, Window] = {}
        self._counts: dict[InstrumentId, int] = {}
        self.length: int | None = None
        """Length of windows that settings have changed to; None: as the store was made with."""

    def take_over(self) -> tuple[dict[InstrumentId, Window], dict[InstrumentId, int]]:
        """Return copies of the maps, for a new incarnation of the store to write."""
        # `copy` is one instruction, because the replaced incarnation may still be writing.
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
        """Return the window of an instrument, oldest mark first; empty without marks."""
        return self._windows.get(instrument, ())

    def mark(self, instrument: InstrumentId) -> Mark | None:
        """Return the latest mark of an instrument; None without one."""
        window = self._windows.get(instrument)
        return window[-1] if window else None


class VenueBoard:
    """The exchange's own mark prices with index, written by a market's stream consumer.

    They are never mixed into a window of our marks. Each incarnation takes over as with `Board`.
    """

    def __init__(self) -> None:
        self._venue_marks: dict[InstrumentId, VenueMark] = {}

    def take_over(self) -> dict[InstrumentId, VenueMark]:
        """Return a copy of the map, for a new incarnation of the consumer to write."""
        self._venue_marks = self._venue_marks.copy()
        return self._venue_marks

    def venue_mark(self, instrument: InstrumentId) -> VenueMark | None:
        """Return the exchange's latest mark price of an instrument; None without one."""
        return self._venue_marks.get(instrument)
