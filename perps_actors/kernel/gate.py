"""Back-pressure: a source reads on only while the inboxes behind it have room."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perps_actors.kernel.inbox import Inbox


class Gate:
    """Open while every inbox holds fewer than `high` items and `high_bytes` bytes of input.

    It shuts well before the inboxes' own bounds, so that what is already on its way still fits.

    A source that finds the gate shut leaves a callback. Two threads meet here: the source, which
    first leaves its callback and then looks at the inboxes again, and an actor's thread, which
    first takes a message and then looks for callbacks. So at least one of them sees what the other
    did. If both do, the callback is called although the source goes on; it only has to look again.
    """

    def __init__(self, inboxes: Sequence[Inbox], high: int, high_bytes: int = 2**25) -> None:
        self._inboxes = tuple(inboxes)
        self._high = high
        self._high_bytes = high_bytes
        # By callback, so that a source that asks again and again is called once.
        self._waiting: dict[Callable[[], None], None] = {}
        for inbox in self._inboxes:
            inbox.on_relief(self._relieve)

    def is_open(self) -> bool:
        """Return whether sources may read."""
        for inbox in self._inboxes:  # noqa: SIM110 - twice as fast as all()
            if not inbox.has_room(self._high, self._high_bytes):
                return False
        return True

    def has_room(self, resume: Callable[[], None]) -> bool:
        """Return whether the caller may read; if not, `resume` is called once when it may.

        Args:
            resume: called on the thread of any actor; must not block or raise.
        """
        if self.is_open():
            return True
        self._waiting[resume] = None
        if not self.is_open():
            return False
        self._waiting.pop(resume, None)
        return True

    def _relieve(self) -> None:
        if self._waiting and self.is_open():
            while self._waiting:
                # Several actors may relieve at once; each callback is popped by one of them.
                try:
                    resume, _ = self._waiting.popitem()
                except KeyError:
                    return
                resume()
