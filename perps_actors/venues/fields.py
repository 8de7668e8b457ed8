"""Types and readings of fields that messages of several venues share."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Raw, Struct

from perps_actors.errors import VenueError
from perps_actors.market.book import MAX_LEVELS
from perps_actors.market.numbers import DecimalText, decimal_text, positive
from perps_actors.market.texts import Level

Millis = Annotated[int, Meta(ge=0, le=9_223_372_036_854)]
"""Milliseconds since 1970 that fit 64 bits as nanoseconds."""


class NumberLevel(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """Price and size of a level as JSON numbers."""

    price: Raw
    size: Raw


NumberLevels = Annotated[list[NumberLevel], Meta(max_length=MAX_LEVELS)]
"""Levels of one side as JSON numbers."""

SequenceId = Annotated[int, Meta(ge=-1, le=2**63 - 1)]
"""A venue's number of an update."""

Levels = Annotated[list[Level], Meta(max_length=5_000)]
"""Levels of one side, ahead of their check."""

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000

_LAST_MS: Final = 9_223_372_036_854


def price_if_any(text: str | None) -> DecimalText | None:
    """Return a price or size above zero; None where there is none: the field is absent, empty or zero.

    Raises:
        MarketError: anything else that is no number above zero.
    """
    return positive(text) if text and text.strip("0.") else None


def rate_if_any(text: str | None) -> DecimalText | None:
    """Return a number; None where the field is absent or empty.

    Raises:
        MarketError: anything else that is no number.
    """
    return decimal_text(text) if text else None


def amount(text: str) -> DecimalText:
    """Return a number of zero or more.

    Raises:
        MarketError: no number, or below zero.
    """
    return positive(text) if text.startswith("-") else decimal_text(text)


def ns_if_any(millis: str | None) -> int | None:
    """Return milliseconds in text as nanoseconds; None where the field is absent, empty or zero.

    Raises:
        VenueError: anything else that is no time.
    """
    if not millis:
        return None
    if millis.isascii() and millis.isdigit() and len(millis) <= 19 and int(millis) <= _LAST_MS:
        return int(millis) * NS_PER_MS or None
    msg = f"Expected milliseconds since 1970, was {millis[:40]!r}"
    raise VenueError(msg)


def ns_of(millis: str) -> int:
    """Return milliseconds in text as nanoseconds.

    Raises:
        VenueError: no time, or none after 1970.
    """
    time_ns = ns_if_any(millis)
    if time_ns is None:
        msg = f"Expected milliseconds since 1970, was {millis[:40]!r}"
        raise VenueError(msg)
    return time_ns
