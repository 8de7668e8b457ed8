"""The gate at the edge: a source reads on only while the inboxes behind it are not full."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from perps_actors.kernel.inbox import Inbox


class Gate:
    """Open while every inbox holds fewer than `high` items; a thread that feeds them waits here when it is shut.

    It closes well before the inboxes' own bounds, so that what is already on its way still fits.
    """

    def __init__(self, inboxes: Sequence[Inbox], high: int) -> None:
        self._inboxes = tuple(inboxes)
        self._high = high
        self._relieved = threading.Event()
        self._waiting = 0
        for inbox in self._inboxes:
            inbox.on_relief(self._relieve)

    def is_open(self) -> bool:
        """Return whether more may be put."""
        high = self._high
        return all(len(inbox) < high for inbox in self._inboxes)

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
