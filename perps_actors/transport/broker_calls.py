"""What is called on a host's broker, and how a plan or request spells the call: an address such as `broker:stream_orderbook?level=2`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, quote, urlsplit

from perps_actors.errors import TransportError
from perps_actors.transport.wire import ConnectionPlan

BASE: Final = "broker:"
TRADES: Final = f"{BASE}stream_trades"
GET_QUOTE: Final = "get_quote"


class HostBroker(Protocol):
    """What a host may put in place of a venue. Every method may block, each is called on threads of its own, and may raise anything."""

    def get_quote(self, symbol: str, /) -> Any:
        """Return a quote: a dict, or an object with attributes; fields as in `perps_actors.venues.host_broker.schema`."""

    def stream_orderbook(self, symbols: Any, /, *, level: int) -> Iterable[Any]:
        """Return a blocking iterable of dicts, one for every change of best bid and ask of `symbols`, a list."""

    def stream_trades(self, symbols: Any, /) -> Iterable[Any]:
        """Return a blocking iterable of dicts, one for every trade of `symbols`, a list."""


def orderbook(level: int) -> str:
    """Return the address of `stream_orderbook` with that level."""
    return f"{BASE}stream_orderbook?level={level}"


def quotes_of(symbol: str) -> str:
    """Return the address of `get_quote` of that symbol."""
    return f"{BASE}{GET_QUOTE}?symbol={quote(symbol, safe='')}"


def method_of(url: str) -> str:
    """Return the name of the method in an address."""
    return urlsplit(url).path


def iterator_of(broker: HostBroker, plan: ConnectionPlan) -> Iterator[Any]:
    """Call the method that a plan names and return its iterator.

    Raises:
        TransportError: the address names no stream of a broker.
        BaseException: whatever the host's code raises.
    """
    parts = urlsplit(plan.url)
    match f"{parts.scheme}:{parts.path}", parse_qs(parts.query):
        case "broker:stream_orderbook", {"level": [level]} if level.isdecimal():
            return iter(broker.stream_orderbook(list(plan.symbols), level=int(level)))
        case "broker:stream_trades", _:
            return iter(broker.stream_trades(list(plan.symbols)))
    msg = f"Expected {orderbook(1)} or {TRADES}, was {plan.url[:100]!r}"
    raise TransportError(msg)
