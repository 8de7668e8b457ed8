"""The gate at the edge: a source reads on only while the inboxes behind it are not full."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from perps_actors.kernel.inbox import Inbox


class Gate:
    """Open while every inbox holds fewer than `high` items and `high_bytes` bytes; a thread that feeds them waits here when it is shut.

    Bytes are those of the outside that messages hold (`held_bytes`). It closes well before the inboxes' own bounds, so that what is
    already on its way still fits.
    """

    def __init__(self, inboxes: Sequence[Inbox], high: int, high_bytes: int = 2**25) -> None:
        self._inboxes = tuple(inboxes)
        self._high = high
        self._high_bytes = high_bytes
        self._relieved = threading.Event()
        self._waiting = 0
        for inbox in self._inboxes:
            inbox.on_relief(self._relieve)

    def is_open(self) -> bool:
        """Return whether more may be put."""
        high, high_bytes = self._high, self._high_bytes
        return all(len(inbox) < high and inbox.held_bytes < high_bytes for inbox in self._inboxes)

    def wait(self, timeout_s: float) -> bool:
        """Wait, at most `timeout_s` seconds, until more may be put; return whether it may."""
        if self.is_open():
            return True
        self._waiting += 1
        try:
            self._relieved.clear()
            if not self.is_open():
                self._relieved.wait(timeout_s)
        finally:
            self._waiting -= 1
        return self.is_open()

    def _relieve(self) -> None:
        if self._waiting and self.is_open():
            self._relieved.set()
