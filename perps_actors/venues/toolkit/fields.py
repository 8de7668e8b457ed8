"""Types and checks of fields that messages of several venues share.

Numbers stay text as the venue spelled them, because a float in between would change them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Generic, TypeVar

from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from perps_actors.errors import MarketError, VenueError
from perps_actors.market import numbers as market_numbers
from perps_actors.market.book import MAX_LEVELS, Level, is_touch
from perps_actors.market.events import Earlier, Funding, Touch, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import (
    DecimalText,
    decimal_text,
    is_above_zero,
    is_zero,
    positive,
    spelled,
)
from perps_actors.venues.contract import InvalidInput


def check_symbol(symbol: str) -> str:
    """Return `symbol` unchanged if it can be one. Some are not ASCII: Binance has Chinese names.

    Raises:
        VenueError: empty, longer than 40 characters or not printable.
    """
    if 0 < len(symbol) <= 40 and symbol.isprintable():
        return symbol
    msg = f"Expected a symbol, was {symbol[:50]!r}"
    raise VenueError(msg)


Millis = Annotated[int, Meta(ge=0, le=9_223_372_036_854)]
"""Milliseconds since 1970 that fit 64 bits as nanoseconds."""


class NumberLevel(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """A level with price and size as JSON numbers."""

    price: Raw
    size: Raw


NumberLevels = Annotated[list[NumberLevel], Meta(max_length=MAX_LEVELS)]
"""Levels of one side as JSON numbers."""

Price = TypeVar("Price")
Volume = TypeVar("Volume")


class Prices(Struct, Generic[Price, Volume], kw_only=True, gc=False):
    """The prices and the volume of a candle.

    A field of a subclass comes before these, as the time does in rows that are arrays.
    """

    open: Price
    high: Price
    low: Price
    close: Price
    volume: Volume


SequenceId = Annotated[int, Meta(ge=-1, le=2**63 - 1)]
"""A venue's number of an update."""

Levels = Annotated[list[Level], Meta(max_length=5_000)]
"""Levels of one side, unchecked."""

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000

_LAST_MS: Final = 9_223_372_036_854


def price_if_any(text: str | None) -> DecimalText | None:
    """Return a price or size above zero; None if the field is absent, empty or zero.

    Raises:
        MarketError: any other text that is not a number above zero.
    """
    return positive(text) if text and text.strip("0.") else None


def rate_if_any(text: str | None) -> DecimalText | None:
    """Return a number; None if the field is absent or empty.

    Raises:
        MarketError: any other text that is not a number.
    """
    return decimal_text(text) if text else None


def amount(text: str) -> DecimalText:
    """Return a number of zero or more.

    Raises:
        MarketError: not a number, or below zero.
    """
    return positive(text) if text.startswith("-") else decimal_text(text)


def ns_if_any(millis: str | None) -> int | None:
    """Return milliseconds in text as nanoseconds; None if the field is absent, empty or zero.

    Raises:
        VenueError: any other text that is not a time.
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
        VenueError: not a time after 1970.
    """
    time_ns = ns_if_any(millis)
    if time_ns is None:
        msg = f"Expected milliseconds since 1970, was {millis[:40]!r}"
        raise VenueError(msg)
    return time_ns


JsonNumber = Any
"""A JSON number in a record whose decoder has the `float_hook` str.

It is a text, or an integer, which has one spelling only.
"""

_NULL: Final = "null"
_MAX_LENGTH: Final = 60


def text_of(raw: Raw) -> DecimalText | None:
    """Return the text of a JSON number or string, unchecked; None if it is absent or null.

    Raises:
        MarketError: longer than any valid number.
    """
    text = str(raw, "utf-8", "replace")
    if not text or text == _NULL:
        return None
    if len(text) > _MAX_LENGTH:
        msg = f"Expected a number, was {text[:_MAX_LENGTH]!r}"
        raise MarketError(msg)
    return DecimalText(text[1:-1] if text[0] == '"' else text)


def spelled_if_any(number: Raw) -> DecimalText | None:
    """Return the text of a JSON number, unchecked; None if it is absent or null."""
    text = spelled(number)
    return text if text and text != _NULL else None


def numbers_of(*numbers: Raw) -> list[DecimalText | None]:
    """Return numbers; None for a field that is absent or null.

    Raises:
        MarketError: another value that is not a number within the limits.
    """
    texts = market_numbers.numbers_of(*numbers)
    return texts if texts is not None else [number_of(number) for number in numbers]


def number_of(number: Raw) -> DecimalText | None:
    """Return a number; None if the field is absent or null.

    Raises:
        MarketError: another value that is not a number within the limits.
    """
    text = spelled_if_any(number)
    return decimal_text(text) if text is not None else None


def positive_of(number: Raw) -> DecimalText | None:
    """Return a number above zero; None if the field is absent or null.

    Raises:
        MarketError: another value that is not a number above zero.
    """
    text = spelled_if_any(number)
    return positive(text) if text is not None else None


def amount_of(number: Raw) -> DecimalText | None:
    """Return a number of zero or more; None if the field is absent or null.

    Raises:
        MarketError: another value that is not a number, or a number below zero.
    """
    text = number_of(number)
    return positive(text) if text is not None and text.startswith("-") else text


Moment = Annotated[datetime, Meta(tz=True)]
"""A date in ISO 8601 with its offset from UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST = 2**63 - 1


def nanoseconds(moment: datetime) -> int:
    """Return a moment as nanoseconds since 1970.

    Raises:
        VenueError: before 1970, or beyond what 64 bits hold (the year 2262).
    """
    time_ns = (moment - _EPOCH) // _MICROSECOND * 1_000
    if 0 <= time_ns <= _LAST:
        return time_ns
    msg = f"Expected a moment between 1970 and 2262, was {moment}"
    raise VenueError(msg)


EMPTY: Final = DecimalText("0")
"""Size of a side without orders."""

Quote = tuple[DecimalText | None, DecimalText | None]
"""Price and size of a side, unchecked; None if not sent. A price of zero means an empty side."""


def touch_of(
    instrument: InstrumentId,
    bid: Quote,
    ask: Quote,
    last: DecimalText | None,
    *,
    venue_time_ns: int | None,
    received_ns: int,
) -> Touch:
    """Return the touch of both sides of a ticker; an empty side has no price and size zero.

    Raises:
        MarketError: a price or size that is not a number, or a bid at or above the ask (an
            exchange matches such orders).
    """
    (bid_price, bid_size), (ask_price, ask_size) = bid, ask
    if not is_touch(bid_price, bid_size, ask_price, ask_size):
        (bid_price, bid_size), (ask_price, ask_size) = _side(bid), _side(ask)
        if (
            bid_price is not None
            and ask_price is not None
            and Decimal(bid_price) >= Decimal(ask_price)
        ):
            msg = f"Expected a bid below the ask, was bid {bid_price} and ask {ask_price}"
            raise MarketError(msg)
    if last is not None and not is_above_zero(last):
        last = None if is_zero(last) else positive(last)
    return Touch(
        instrument, bid_price, bid_size, ask_price, ask_size, last, venue_time_ns, received_ns
    )


def uncrossed(touch: Touch) -> Touch | InvalidInput:
    """Return the touch, or an invalid input if its bid is at or above its ask.

    A side may be that of an earlier message.
    """
    bid, ask = touch.bid, touch.ask
    if (
        bid is None
        or ask is None
        or is_touch(bid, touch.bid_size, ask, touch.ask_size)
        or Decimal(bid) < Decimal(ask)
    ):
        return touch
    return InvalidInput(
        f"Expected a bid below the ask, was bid {bid} and ask {ask}", touch.instrument.symbol
    )


def _side(quote: Quote) -> Quote:
    price, size = quote
    if price is None:
        return None, None
    if is_zero(price):
        return None, EMPTY
    return positive(price), None if size is None else positive(size)


Event = TypeVar("Event", Touch, VenueMark, Funding)


def completed(event: Event, before: Event | None, absent: Collection[str]) -> Event:
    """Return `event` with its absent fields as they were `before`, each marked with its time.

    For messages that carry changed fields only.

    Args:
        event: the fields of the message; None in the absent ones.
        before: the event completed last; None at first.
        absent: names of the fields that the message did not carry, as opposed to empty fields.
    """
    if before is None or not absent:
        return event
    earlier_fields = {field.field: field for field in before.earlier}
    values = {name: value for name in absent if (value := getattr(before, name)) is not None}
    earlier = tuple(
        earlier_fields.get(name) or Earlier(name, before.venue_time_ns, before.received_ns)
        for name in values
    )
    return replace(event, earlier=earlier, **values)
