"""Calls of a host's broker, and their results as JSON.

Plans and requests name a call by an address such as `broker:stream_orderbook?level=2`. Results that
cannot be encoded are reported as invalid input and never raised into the host's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from perps_actors.errors import TransportError
from perps_actors.transport.wire import ConnectionPlan

BASE: Final = "broker:"
TRADES: Final = f"{BASE}stream_trades"
GET_QUOTE: Final = "get_quote"


class HostBroker(Protocol):
    """An object that a host gives in place of a venue. Each method may block and raise anything."""

    def get_quote(self, symbol: str, /) -> Any:
        """Return a quote: a dict or object with the fields of `venues.host_broker.schema`."""

    def stream_orderbook(self, symbols: Any, /, *, level: int) -> Iterable[Any]:
        """Return a blocking iterable of a dict per change of the best bid or ask of `symbols`."""

    def stream_trades(self, symbols: Any, /) -> Iterable[Any]:
        """Return a blocking iterable of a dict per trade of `symbols`."""


def orderbook(level: int) -> str:
    """Return the address of `stream_orderbook` at a level."""
    return f"{BASE}stream_orderbook?level={level}"


def quotes_of(symbol: str) -> str:
    """Return the address of `get_quote` for a symbol."""
    return f"{BASE}{GET_QUOTE}?symbol={quote(symbol, safe='')}"


def method_of(url: str) -> str:
    """Return the name of the method in an address."""
    return urlsplit(url).path


def iterator_of(broker: HostBroker, plan: ConnectionPlan) -> Iterator[Any]:
    """Call the method that a plan names and return its iterator.

    Raises:
        TransportError: the address names no stream of a broker.
        BaseException: an error of the host's code.
    """
    parts = urlsplit(plan.url)
    match f"{parts.scheme}:{parts.path}", parse_qs(parts.query):
        case "broker:stream_orderbook", {"level": [level]} if level.isdecimal():
            return iter(broker.stream_orderbook(list(plan.symbols), level=int(level)))
        case "broker:stream_trades", _:
            return iter(broker.stream_trades(list(plan.symbols)))
    msg = f"Expected {orderbook(1)} or {TRADES}, was {plan.url[:100]!r}"
    raise TransportError(msg)


QUOTE_FIELDS: Final = (
    "best_bid",
    "bid",
    "best_ask",
    "ask",
    "last",
    "last_price",
    "price",
    "time",
    "timestamp",
    "ts",
)
"""Attributes that are read from a quote that is not a dict."""

# Types of other libraries (numbers of numpy, times of pandas) are encoded as text.
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


def frame_of(item: Any, max_bytes: int) -> bytes:
    """Return an item of a stream as a frame; an unusable item as a text that no adapter takes."""
    try:
        return _object(item, max_bytes)
    except TransportError as error:
        return _encode(str(error).encode("ascii", "backslashreplace").decode())


def quote_body(quote: Any, max_bytes: int) -> bytes:
    """Return a quote (a dict, or an object with some of `QUOTE_FIELDS`) as the body of an answer.

    Raises:
        TransportError: neither of these, not encodable, or too large.
    """
    if isinstance(quote, Mapping):
        return _object(quote, max_bytes)
    fields = {
        name: value for name in QUOTE_FIELDS if (value := getattr(quote, name, None)) is not None
    }
    if not fields:
        msg = f"Expected a quote, was {_kind(quote)}"
        raise TransportError(msg)
    return _object(fields, max_bytes)


def described(error: BaseException) -> str:
    """Return type and text of an error of the host's code."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an error whose `__str__` raises
        return type(error).__name__


def _object(item: Any, max_bytes: int) -> bytes:
    if not isinstance(item, Mapping):
        msg = f"Expected a dict, was {_kind(item)}"
        raise TransportError(msg)
    try:
        data = _encode(item if isinstance(item, dict) else dict(item))
        # JSON has no NaN. It would become null, like a missing value.
        if b"null" in data and any(map(_is_no_number, item.values())):
            data = _encode(
                {
                    name: str(value) if _is_no_number(value) else value
                    for name, value in item.items()
                }
            )
    except Exception as error:
        msg = f"Expected a dict that can be encoded: {described(error)}"
        raise TransportError(msg) from error
    if len(data) > max_bytes:
        msg = f"Expected a dict of at most {max_bytes} bytes, was {len(data)}"
        raise TransportError(msg)
    return data


def _is_no_number(value: object) -> bool:
    return isinstance(value, float) and not isfinite(value)


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
