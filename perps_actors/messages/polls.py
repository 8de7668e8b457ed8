"""The conversation with the quote poller."""

from __future__ import annotations

import attrs


@attrs.frozen
class PollNow:
    """Make all requests now that are not under way."""


@attrs.frozen
class GetPollStatistics:
    """Ask the poller for its counters; the answer is a `PollStatistics`."""


@attrs.frozen
class PollStatistics:
    """Counters of one venue's polls."""

    polls: int
    """Requests made."""
    failures: int
    """Requests without a usable answer."""
    rejected: int
    """Rows that could not be used."""
    last_failure: str | None
