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
    """What is known of one instrument's feed. Armed when it is made: a feed that never speaks goes stale too."""

    def __init__(self, limit_ns: int, armed_ns: int) -> None:
        self.limit_ns = limit_ns
        """After how long without a mark it is no longer live."""
        self._armed_ns = armed_ns
        self._mark_ns: int | None = None
        self._gap: str | None = None
        self._ended_ns: int | None = None
        self.last = Judgement(Health.WAITING, "no mark yet", None)

    def marked(self, monotonic_ns: int) -> None:
        """A mark was made."""
        self._mark_ns = monotonic_ns
        self._gap = None
        # The last marks of a recording may be reported after its end; only a later one contradicts it.
        if self._ended_ns is not None and monotonic_ns > self._ended_ns:
            self._ended_ns = None

    def withdrawn(self, cause: str) -> None:
        """The book became suspect; the next mark heals it."""
        self._gap = cause

    def ended(self, monotonic_ns: int) -> None:
        """Note that the source has sent everything it had."""
        self._ended_ns = monotonic_ns

    def judge(self, now_ns: int, *, heard_ns: int | None, down: str | None) -> Judgement:
        """Return the health.

        Args:
            now_ns: monotonic time.
            heard_ns: when the venue's streams were last heard at all.
            down: why there is no connection; None while there is one.
        """
        age_ns = None if self._mark_ns is None else now_ns - self._mark_ns
        fresh = age_ns is not None and age_ns <= self.limit_ns
        if self._ended_ns is not None:
            self.last = Judgement(Health.ENDED, END_OF_RECORDING, age_ns)
        elif fresh and self._gap is None:
            self.last = Judgement(Health.LIVE, "marks arrive", age_ns)
        elif down is not None:
            self.last = Judgement(Health.DOWN, down, age_ns)
        elif self._gap is not None:
            self.last = Judgement(Health.GAPPED, self._gap, age_ns)
        elif self._mark_ns is None and now_ns - self._armed_ns <= self.limit_ns:
            self.last = Judgement(Health.WAITING, "no mark yet", None)
        elif (
            heard_ns is not None
            and now_ns - heard_ns <= self.limit_ns
            and self._mark_ns is not None
        ):
            self.last = Judgement(Health.QUIET, "no mark, but the venue is heard", age_ns)
        else:
            self.last = Judgement(
                Health.STALE, f"no mark for more than {self.limit_ns / 1e9:g} s", age_ns
            )
        return self.last
