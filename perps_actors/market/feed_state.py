"""Health of an instrument's feed: a pure state, judged on the monotonic clock."""

from __future__ import annotations

from enum import Enum
from typing import Final

import attrs

END_OF_RECORDING: Final = "end of recording"
"""Close reason of a recorded venue that has sent everything."""


class Health(Enum):
    """How an instrument's marks arrive."""

    WAITING = "waiting"
    """No mark yet, and not for long."""
    LIVE = "live"
    QUIET = "quiet"
    """No mark for a while, but its venue is heard: nothing happens there."""
    STALE = "stale"
    """No mark for a while, and its venue is not heard either."""
    GAPPED = "gapped"
    """The book is suspect and withdrawn until it is resynchronised."""
    DOWN = "down"
    """No connection."""
    ENDED = "ended"
    """The recording was played to its end: no mark will follow."""


@attrs.frozen
class Judgement:
    """Health with its cause and the age of the last mark (None: there was none)."""

    health: Health
    cause: str
    age_ns: int | None


class FeedState:
    """The state of one instrument's feed. It is armed when made: a feed without data goes stale."""

    def __init__(self, limit_ns: int, armed_ns: int) -> None:
        self.limit_ns = limit_ns
        """After how long without a mark it is no longer live."""
        self._armed_ns = armed_ns
        self._received_ns: int | None = None
        self._as_of_ns = 0
        self._gap: str | None = None
        self._ended_ns: int | None = None
        self.last = Judgement(Health.WAITING, "no mark yet", None)

    def marked(self, received_ns: int, as_of_ns: int) -> None:
        """Note a mark: when it was received, and the time to which its data belongs."""
        self._received_ns, self._as_of_ns = received_ns, as_of_ns
        self._gap = None
        # The last marks of a recording may arrive after the report of its end. Only a mark that was
        # received later shows that the feed goes on.
        if self._ended_ns is not None and received_ns > self._ended_ns:
            self._ended_ns = None

    def withdrawn(self, cause: str) -> None:
        """Note that the book was withdrawn, until the next mark."""
        self._gap = cause

    def ended(self, monotonic_ns: int) -> None:
        """Note that the source has sent everything it had."""
        self._ended_ns = monotonic_ns

    def judge(self, now_ns: int, *, heard_ns: int | None, down: str | None) -> Judgement:
        """Return the health and keep it as `last`.

        Args:
            now_ns: monotonic time.
            heard_ns: when any connection of the venue last brought data.
            down: why the connection is missing; None while it is open.
        """
        limit_ns, received_ns = self.limit_ns, self._received_ns
        age_ns = None if received_ns is None else now_ns - self._as_of_ns
        if self._ended_ns is not None:
            health, cause = Health.ENDED, END_OF_RECORDING
        elif age_ns is not None and age_ns <= limit_ns and self._gap is None:
            health, cause = Health.LIVE, "marks arrive"
        elif down is not None:
            health, cause = Health.DOWN, down
        elif self._gap is not None:
            health, cause = Health.GAPPED, self._gap
        elif received_ns is None and now_ns - self._armed_ns <= limit_ns:
            health, cause = Health.WAITING, "no mark yet"
        elif received_ns is not None and now_ns - received_ns <= limit_ns:
            health, cause = Health.STALE, f"data is {(now_ns - self._as_of_ns) / 1e9:.1f} s old"
        elif heard_ns is not None and now_ns - heard_ns <= limit_ns and received_ns is not None:
            health, cause = Health.QUIET, "no mark, but the venue is heard"
        else:
            health, cause = Health.STALE, f"no mark for more than {limit_ns / 1e9:g} s"
        self.last = Judgement(health, cause, age_ns)
        return self.last
