"""The age of data at its receipt, independent of the difference between two clocks. Pure.

The *offset* of a venue is the smallest difference between receive time and venue time seen in the
last ten minutes. Data that arrives with a larger difference was late by the rest, its *lag*. A
clock that is wrong by a constant changes offset and difference alike and cancels out. Receive time
is the monotonic clock here, so setting our wall clock changes nothing either.
"""

from __future__ import annotations

from typing import Final

_BUCKET_NS: Final = 30_000_000_000
_BUCKETS: Final = 20
_PER_HOUR: Final = 120
_LONG_AGO_NS: Final = -(2**63)
RISE_NS: Final = 1_000_000_000
"""A rise of the offset by more than this within an hour is reported."""


class VenueOffset:
    """The offset of one venue, over all its connections and answers.

    A minimum over a sliding window needs the minimum of each of its parts only, so ten minutes are
    twenty buckets, and a message costs two comparisons.
    """

    def __init__(self) -> None:
        self._buckets: list[int | None] = [None]
        self._ends_ns = _LONG_AGO_NS
        self._offset_ns: int | None = None
        self._hour: list[int] = []
        self._reported = False

    def note(self, monotonic_ns: int, venue_time_ns: int) -> int:
        """Note a message, by its monotonic time of receipt and its venue time; return its lag."""
        if monotonic_ns >= self._ends_ns:
            self._begin_bucket(monotonic_ns)
        difference_ns = monotonic_ns - venue_time_ns
        newest = self._buckets[-1]
        if newest is None or difference_ns < newest:
            self._buckets[-1] = difference_ns
            if self._offset_ns is None or difference_ns < self._offset_ns:
                self._offset_ns = difference_ns
        # Never below zero: the offset is at most this difference.
        return difference_ns - (self._offset_ns or 0)

    def take_rise_ns(self) -> int | None:
        """Return by how much the offset exceeds its minimum of the last hour, once per rise.

        A rise above `RISE_NS` means that a clock was set or that all sources of the venue lag.
        """
        if self._offset_ns is None or not self._hour:
            return None
        rise_ns = self._offset_ns - min(self._hour)
        if rise_ns <= RISE_NS:
            self._reported = False
            return None
        if self._reported:
            return None
        self._reported = True
        return rise_ns

    def _begin_bucket(self, monotonic_ns: int) -> None:
        passed = (monotonic_ns - self._ends_ns) // _BUCKET_NS + 1
        self._ends_ns += passed * _BUCKET_NS
        if self._offset_ns is not None:
            self._hour = [*self._hour, self._offset_ns][-_PER_HOUR:]
        self._buckets = [*self._buckets, *[None] * min(passed, _BUCKETS)][-_BUCKETS:]
        if all(bucket is None for bucket in self._buckets):
            # Nothing was received for ten minutes, e.g. because the machine slept. The offset stays
            # for another ten, because the first messages may have waited in a buffer all the time.
            self._buckets[0] = self._offset_ns
        known = [bucket for bucket in self._buckets if bucket is not None]
        self._offset_ns = min(known, default=None)
