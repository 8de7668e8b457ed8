"""From a host broker's messages to touches. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.events import Touch
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Source
from perps_actors.market.numbers import DecimalText, decimal_text, mid, positive
from perps_actors.venues.host_broker.schema import Message

NAME: Final = "host_broker"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (2**63, 1))
"""Pairs (limit, nanoseconds): a count below the limit is in units of so many nanoseconds.

Seconds reach to the year 5138 and each smaller unit begins in 1973, so the units do not overlap.
"""
_FRACTION: Final = re.compile(r"(.*:\d\d)[.,](\d{1,9})\d*(.*)", re.ASCII)


def symbol_of(message: Message) -> str:
    """Return the symbol of a message.

    Raises:
        VenueError: it has none.
    """
    name, symbol = _first(message, "product_id", "symbol")
    if type(symbol) is str and symbol:
        return symbol
    msg = f"Expected a symbol as {name}, was {symbol!r}"
    raise VenueError(msg)


def touch_of(instrument: InstrumentId, message: Message, source: Source, received_ns: int) -> Touch:
    """Return bid and ask, and the last price if one of them is missing.

    Raises:
        MarketError: no price at all, a price that is not above zero, or a bid above the ask.
    """
    bid, ask = _price(message, "best_bid", "bid"), _price(message, "best_ask", "ask")
    last = _price(message, "last", "last_price", "price") if bid is None or ask is None else None
    if bid is None and ask is None and last is None:
        msg = "Expected best_bid and best_ask, last or price, was none of them"
        raise MarketError(msg)
    if bid is not None and ask is not None and mid(bid, bid) > mid(ask, ask):
        msg = f"Expected a bid not above the ask, was bid {bid} and ask {ask}"
        raise MarketError(msg)
    _, time = _first(message, "time", "timestamp", "ts")
    return Touch(instrument, bid, None, ask, None, last, nanoseconds(time), received_ns, source)


def nanoseconds(time: Any) -> int | None:
    """Return a time, as text or number, as nanoseconds since 1970.

    None if it is no time after 1970, or a date without a zone.
    """
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
    return int(count * next((unit for limit, unit in _UNITS if count < limit), 0))


def _iso(text: str) -> int:
    found = _FRACTION.fullmatch(text)
    whole, fraction = (found[1] + found[3], found[2]) if found else (text, "0")
    # The difference of a date without a zone and one with a zone is a TypeError.
    seconds = (datetime.fromisoformat(whole) - _EPOCH) // timedelta(seconds=1)
    return seconds * 10**9 + int(fraction.ljust(9, "0"))


def _first(message: Message, *names: str) -> tuple[str, Any]:
    """Return name and value of the first field that is not null; else the first name and None."""
    return next(
        ((name, value) for name in names if (value := getattr(message, name)) is not None),
        (names[0], None),
    )


def _price(message: Message, *names: str) -> DecimalText | None:
    name, value = _first(message, *names)
    if value is None:
        return None
    try:
        return positive(str(value) if type(value) is int else value)
    except MarketError as error:
        msg = f"{name}: {error}"
        raise MarketError(msg) from error
