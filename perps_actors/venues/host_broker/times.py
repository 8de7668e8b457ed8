"""Times as brokers write them, to nanoseconds since 1970. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from perps_actors.errors import MarketError
from perps_actors.market.numbers import decimal_text

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (2**63, 1))
"""A count below the first of a pair is in units of so many nanoseconds. Seconds reach to the year 5138, and the smaller units begin
in 1973, so none is taken for another."""
_FRACTION: Final = re.compile(r"(.*:\d\d)[.,](\d{1,9})\d*(.*)", re.ASCII)


def nanoseconds(time: Any) -> int | None:
    """Return nanoseconds since 1970 of a time as text or number; None for what is no time after 1970 or has no zone."""
    try:
        since = _since_epoch(str(time) if type(time) is int else time)
    except (ValueError, TypeError, OverflowError):
        return None
    return since if 0 < since < 2**63 else None


def _since_epoch(text: str) -> int:
    try:
        count = Fraction(decimal_text(text))
    except MarketError:
        return _iso(text)
    return int(count * next((unit for below, unit in _UNITS if count < below), 0))


def _iso(text: str) -> int:
    found = _FRACTION.fullmatch(text)
    whole, fraction = (found[1] + found[3], found[2]) if found else (text, "0")
    # Of a text without a zone the difference cannot be taken: a TypeError.
    return (datetime.fromisoformat(whole) - _EPOCH) // timedelta(seconds=1) * 10**9 + int(
        fraction.ljust(9, "0")
    )
