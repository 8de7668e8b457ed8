"""Binance futures' messages, with the fields that are needed; and how its two venues differ.

Source: developers.binance.com/docs/derivatives/usds-margined-futures and .../coin-margined-futures
(market streams and market data), read 2026-10. Other fields are skipped. The fields `st` and `ps`,
and `ap` of the mark price, were added since 2021. Levels and touches are typed `DecimalText`
before the book and `check_touch` check them; nothing leaves this folder unchecked.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

import attrs
from msgspec import Meta, Raw, Struct, field

from perps_actors.market.mark import Source
from perps_actors.market.numbers import DecimalText
from perps_actors.venues.contract import Endpoints
from perps_actors.venues.toolkit.fields import Levels, Millis, Prices, SequenceId
from perps_actors.venues.toolkit.rest_snapshot_book import BookDelta

INTERVALS: Final = {
    60: "1m",
    180: "3m",
    300: "5m",
    900: "15m",
    1_800: "30m",
    3_600: "1h",
    7_200: "2h",
    14_400: "4h",
    21_600: "6h",
    28_800: "8h",
    43_200: "12h",
    86_400: "1d",
}
"""Candle intervals in seconds, and their names, without those of several days."""

SECONDS: Final = {name: seconds for seconds, name in INTERVALS.items()}


class Timed(Struct, gc=False):
    """What most events begin with."""

    symbol: str = field(name="s")
    time: Millis = field(name="E")


class BookTicker(Timed, tag_field="e", tag="bookTicker", gc=False):
    """`<symbol>@bookTicker`: best bid and ask in real time."""

    bid: DecimalText = field(name="b")
    bid_size: DecimalText = field(name="B")
    ask: DecimalText = field(name="a")
    ask_size: DecimalText = field(name="A")


class DepthUpdate(BookDelta, tag_field="e", tag="depthUpdate", gc=False):
    """`<symbol>@depth@100ms`: the changed levels of a book."""

    symbol: str = field(name="s")


class AggTrade(Struct, tag_field="e", tag="aggTrade", gc=False):
    """`<symbol>@aggTrade`: fills of one taker order at one price."""

    symbol: str = field(name="s")
    trade_time: Millis = field(name="T")
    trade_id: int = field(name="a")
    price: str = field(name="p")
    quantity: str = field(name="q")
    buyer_is_maker: bool = field(name="m")


class MarkPrice(Timed, tag_field="e", tag="markPriceUpdate", gc=False):
    """`<symbol>@markPrice@1s`: mark, index and funding; empty strings if a contract has none."""

    mark: str = field(name="p")
    index: str | None = field(name="i", default=None)
    rate: str | None = field(name="r", default=None)
    next_time: Millis | None = field(name="T", default=None)


class ForcedOrder(Struct, gc=False):
    """The liquidating order of a `forceOrder` event."""

    symbol: str = field(name="s")
    side: Literal["BUY", "SELL"] = field(name="S")
    quantity: str = field(name="q")
    price: str = field(name="p")
    average_price: str | None = field(name="ap", default=None)


class ForceOrder(Struct, tag_field="e", tag="forceOrder", gc=False):
    """`<symbol>@forceOrder`: a liquidation."""

    time: Millis = field(name="E")
    order: ForcedOrder = field(name="o")

    @property
    def symbol(self) -> str:
        """Symbol of the order."""
        return self.order.symbol


class KlineData(Struct, gc=False):
    """The candle of a `kline` event, which changes until it is closed."""

    open_time: Millis = field(name="t")
    interval: str = field(name="i")
    open: str = field(name="o")
    high: str = field(name="h")
    low: str = field(name="l")
    close: str = field(name="c")
    volume: str = field(name="v")
    closed: bool = field(name="x")


class Kline(Timed, tag_field="e", tag="kline", gc=False):
    """`<symbol>@kline_<interval>`: a candle, also while it lasts."""

    candle: KlineData = field(name="k")


Event = BookTicker | DepthUpdate | AggTrade | MarkPrice | ForceOrder | Kline
EVENT_NAMES = frozenset(
    {"bookTicker", "depthUpdate", "aggTrade", "markPriceUpdate", "forceOrder", "kline"}
)


class Combined(Struct, gc=False):
    """The envelope of a combined stream."""

    data: Event


class Unused(Struct, gc=False):
    """A frame that is not one of the events above."""

    data: Unused | None = None
    e: str | None = None
    result: Raw = Raw()
    id: Raw = Raw()
    error: Raw = Raw()
    code: Raw = Raw()
    msg: Raw = Raw()


class DepthAnswer(Struct, gc=False):
    """`GET /fapi/v1/depth`."""

    last_id: SequenceId = field(name="lastUpdateId")
    bids: Levels
    asks: Levels
    time: Millis | None = field(name="E", default=None)


class QuoteRow(Struct, gc=False):
    """A row of `GET /fapi/v1/ticker/bookTicker`."""

    symbol: str
    bid: DecimalText = field(name="bidPrice")
    bid_size: DecimalText = field(name="bidQty")
    ask: DecimalText = field(name="askPrice")
    ask_size: DecimalText = field(name="askQty")
    time: Millis | None = None


class PremiumRow(Struct, gc=False):
    """A row of `GET /fapi/v1/premiumIndex`."""

    symbol: str
    mark: str = field(name="markPrice")
    index: str | None = field(name="indexPrice", default=None)
    rate: str | None = field(name="lastFundingRate", default=None)
    next_time: Millis | None = field(name="nextFundingTime", default=None)
    time: Millis | None = None


class OpenInterestAnswer(Struct, gc=False, rename="camel"):
    """`GET /fapi/v1/openInterest`."""

    symbol: str
    open_interest: str
    time: Millis | None = None


class KlineRow(Prices[str, str], gc=False, array_like=True):
    """A row of `GET /fapi/v1/klines`; more fields follow the volume."""

    open_time: Millis


class PaidRow(Struct, gc=False, rename="camel"):
    """A row of `GET /fapi/v1/fundingRate`; the oldest have no mark price."""

    symbol: str
    funding_rate: str
    funding_time: Millis
    mark_price: str = ""


class Filter(Struct, gc=False, rename="camel"):
    """A trading rule of a symbol; its type decides which fields it has."""

    filter_type: str
    tick_size: str | None = None
    step_size: str | None = None


class SymbolRow(Struct, gc=False, rename="camel"):
    """A symbol of `exchangeInfo`; COIN-M has `contractStatus` and `contractSize` in USD."""

    symbol: str
    contract_type: str
    delivery_date: Millis
    base_asset: str
    quote_asset: str
    margin_asset: str
    filters: list[Filter]
    status: str | None = None
    contract_status: str | None = None
    contract_size: Annotated[int, Meta(gt=0)] = 1


class ExchangeInfo(Struct, gc=False):
    """`GET /fapi/v1/exchangeInfo`; the rows are read one by one."""

    symbols: list[Raw]


class RestPath(NamedTuple):
    """A REST path and the weights of its requests."""

    name: str
    """Below the prefix."""
    weight_one: int
    """With a symbol."""
    weight_all: int


@attrs.frozen(kw_only=True)
class Route:
    """A kind of connection: its path, and the streams that it carries, by channel."""

    path: str
    """Between host and `/stream`."""
    streams: Mapping[str, str]
    sources: tuple[Source, ...]
    also: frozenset[str] = frozenset()
    """Streams that it carries too, but that are never subscribed."""


@attrs.frozen(kw_only=True)
class Dialect:
    """One of Binance's futures venues."""

    venue: str
    live: Endpoints
    routes: Mapping[str, Route]
    """By the name of the connection."""
    prefix: str
    """Of all REST paths."""
    rest: Mapping[str, RestPath]
    """By purpose."""
    linear: bool
    longest_candles_s: int = sys.maxsize
    """The longest span of time of one request for candles, in seconds."""


_PUBLIC: Final = {"book": "depth@100ms", "touch": "bookTicker"}
_MARKET: Final = {
    "trades": "aggTrade",
    "marks": "markPrice@1s",
    "liquidations": "forceOrder",
    "candles": "kline_1m",
}

USD_M: Final = Dialect(
    venue="binance_futures",
    live=Endpoints(stream="wss://fstream.binance.com", rest="https://fapi.binance.com"),
    routes={
        "public": Route(
            path="/public",
            streams=_PUBLIC,
            sources=("book", "touch"),
            also=frozenset({"trade"}),
        ),
        "market": Route(path="/market", streams=_MARKET, sources=("trades",)),
    },
    prefix="/fapi/v1",
    rest={
        "quotes": RestPath("/ticker/bookTicker", 2, 5),
        "venue_marks": RestPath("/premiumIndex", 1, 10),
        "open_interest": RestPath("/openInterest", 1, 1),
        "depth": RestPath("/depth", 20, 20),
        "candles": RestPath("/klines", 5, 5),
        "funding_history": RestPath("/fundingRate", 1, 1),
        "instruments": RestPath("/exchangeInfo", 1, 1),
    },
    linear=True,
)
"""Margined in a stablecoin; amounts in the base asset.

It has two paths since 2026-04-23. A stream that is subscribed on the wrong one sends nothing.
"""

COIN_M: Final = Dialect(
    venue="binance_delivery",
    live=Endpoints(stream="wss://dstream.binance.com", rest="https://dapi.binance.com"),
    routes={
        "stream": Route(path="", streams=_PUBLIC | _MARKET, sources=("book", "touch", "trades"))
    },
    prefix="/dapi/v1",
    rest={**USD_M.rest, "venue_marks": RestPath("/premiumIndex", 10, 10)},
    linear=False,
    longest_candles_s=200 * 86_400,
)
"""Margined in the base coin; amounts in contracts of a fixed number of USD.

One path carries all streams. The stream of marks has no index.
"""
