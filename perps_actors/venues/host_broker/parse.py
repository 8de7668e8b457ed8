"""Times as brokers write them, to nanoseconds since 1970. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.events import Touch
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Source
from perps_actors.market.numbers import DecimalText, decimal_text, mid, positive

# merged docstring:
# """What a host's broker says, read loosely: the names that brokers in use give the same thing, numbers as numbers or as text.
#
# | meaning | fields, the first that is there |
# |---|---|
# | symbol | `product_id`, `symbol` |
# | bid, ask | `best_bid`, `bid`; `best_ask`, `ask` |
# | last price | `last`, `last_price`, `price` |
# | time | `time`, `timestamp`, `ts`: ISO 8601 with its zone, or seconds, milli-, micro- or nanoseconds since 1970 |
#
# Null is missing, zero is not. A time that cannot be understood is none.
# """

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


NAME: Final = "host_broker"


class Message(msgspec.Struct, gc=False):
    """A message or quote; what else it holds is not looked at."""

    product_id: Any = None
    symbol: Any = None
    best_bid: Any = None
    bid: Any = None
    best_ask: Any = None
    ask: Any = None
    last: Any = None
    last_price: Any = None
    price: Any = None
    time: Any = None
    timestamp: Any = None
    ts: Any = None


# Fractions as the text they were: a float between text and decimal would change the number.
read_message: Final = msgspec.json.Decoder(Message, float_hook=str).decode


def symbol_of(message: Message) -> str:
    """Return whom the message is about.

    Raises:
        VenueError: it does not say.
    """
    name, symbol = _first(message, "product_id", "symbol")
    if type(symbol) is str and symbol:
        return symbol
    msg = f"Expected a symbol as {name}, was {symbol!r}"
    raise VenueError(msg)


def touch_of(instrument: InstrumentId, message: Message, source: Source, received_ns: int) -> Touch:
    """Return bid and ask, and the last price where one of them is missing.

    Raises:
        MarketError: no price at all, one that is no number above zero, or a bid above the ask.
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


def _first(message: Message, *names: str) -> tuple[str, Any]:
    """Return name and value of the first field that is there; the first name and None where none is."""
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
