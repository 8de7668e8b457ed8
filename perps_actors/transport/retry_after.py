"""What a venue asks for in Retry-After (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from perps_actors.kernel.clock import NS_PER_S

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


def retry_after_s(header: str | None, now_ns: int) -> float | None:
    """Return how many seconds to wait, or None if the header is missing or says nothing that can be understood.

    Args:
        header: seconds, or an HTTP date.
        now_ns: wall time in nanoseconds since 1970, from which a date counts.
    """
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        at_s = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, at_s - now_ns / NS_PER_S)
