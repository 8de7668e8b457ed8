"""Bybit v5's messages, with the fields that are needed, and its product categories.

Source: bybit-exchange.github.io/docs/v5 (websocket/public, market, enum, market/instrument), read
2026-11. Other fields are skipped. Levels are typed before the book checks them; nothing leaves this
folder unchecked. An absent field of a ticker did not change, as opposed to an empty one.

Each category has its own streams and answers; the symbol shows the category. Inverse contracts are
quoted in USD: BTCUSD is perpetual, BTCUSDH26 dated with the month's letter. Linear ones are quoted
in USDT (BTCUSDT, dated BTCUSDT-26DEC25) or USDC (BTCPERP, dated BTC-26DEC25).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from msgspec import Meta, Raw, Struct, field

from perps_actors.venues.toolkit.fields import Levels, Millis, Prices, SequenceId

INTERVALS: Final = {
    60: "1",
    180: "3",
    300: "5",
    900: "15",
    1_800: "30",
    3_600: "60",
    7_200: "120",
    14_400: "240",
    21_600: "360",
    43_200: "720",
    86_400: "D",
}
"""Candle intervals in seconds, and their names, without weeks and months."""

SECONDS: Final = {name: seconds for seconds, name in INTERVALS.items()}


class Frame(Struct, gc=False):
    """Any frame: a push has a topic and data, an answer to a request has `op` and `success`."""

    topic: str | None = None
    type: str | None = None
    time: Millis | None = field(name="ts", default=None)
    data: Raw = Raw()
    op: str | None = None
    success: bool | None = None


class BookData(Struct, gc=False):
    """`orderbook.<depth>.<symbol>`: the whole book, or its changes; `update_id` counts by one."""

    symbol: str = field(name="s")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")
    update_id: SequenceId = field(name="u")


class TickerData(Struct, gc=False):
    """`tickers.<symbol>` and a row of `GET /v5/market/tickers`; a delta has changed fields."""

    symbol: str
    bid: str | None = field(name="bid1Price", default=None)
    bid_size: str | None = field(name="bid1Size", default=None)
    ask: str | None = field(name="ask1Price", default=None)
    ask_size: str | None = field(name="ask1Size", default=None)
    last: str | None = field(name="lastPrice", default=None)
    mark: str | None = field(name="markPrice", default=None)
    index: str | None = field(name="indexPrice", default=None)
    rate: str | None = field(name="fundingRate", default=None)
    next_time: str | None = field(name="nextFundingTime", default=None)
    open_interest: str | None = field(name="openInterest", default=None)


class LiquidationRow(Struct, gc=False):
    """A row of `allLiquidation.<symbol>`: the position's side, and its bankruptcy price."""

    symbol: str = field(name="s")
    time: Millis = field(name="T")
    side: Literal["Buy", "Sell"] = field(name="S")
    price: str = field(name="p")
    amount: str = field(name="v")


class TradeRow(LiquidationRow, gc=False):
    """A row of `publicTrade.<symbol>`: a fill, `side` is the taker's."""

    trade_id: str = field(name="i")


Trades = Annotated[list[TradeRow], Meta(max_length=1_024)]
"""As many as one message may have."""

Liquidations = Annotated[list[LiquidationRow], Meta(max_length=1_024)]


class CandleRow(Prices[str, str], gc=False):
    """A row of `kline.<interval>.<symbol>`: a candle, also before its end."""

    start: Millis
    confirm: bool
    """Whether the interval is over."""


Candles = Annotated[list[CandleRow], Meta(max_length=1_024)]


class Listing(Struct, gc=False):
    """The result of an answer that is a list; the rows are read one by one."""

    rows: list[Raw] = field(name="list")


class ListAnswer(Struct, gc=False):
    """Any answer whose result is a list.

    A refusal has a `retCode` other than 0, an empty result and status 200.
    """

    code: int = field(name="retCode")
    message: str = field(name="retMsg", default="")
    result: Raw = Raw()
    time: Millis | None = None


class DepthData(Struct, gc=False):
    """The result of `GET /v5/market/orderbook`."""

    symbol: str = field(name="s")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")
    time: Millis = field(name="ts")
    update_id: SequenceId | None = field(name="u", default=None)


class KlineRow(Prices[str, str], gc=False, array_like=True):
    """A row of `GET /v5/market/kline`; the turnover follows the volume."""

    start: str


class PaidRow(Struct, gc=False, rename="camel"):
    """A row of `GET /v5/market/funding/history`."""

    symbol: str
    funding_rate: str
    funding_rate_timestamp: str


class PriceFilter(Struct, gc=False, rename="camel"):
    """Price rules of an instrument."""

    tick_size: str


class LotSizeFilter(Struct, gc=False, rename="camel"):
    """Quantity rules of an instrument."""

    qty_step: str


class InstrumentRow(Struct, gc=False, rename="camel"):
    """A row of `GET /v5/market/instruments-info`."""

    symbol: str
    contract_type: Literal["LinearPerpetual", "LinearFutures", "InversePerpetual", "InverseFutures"]
    status: str
    base_coin: str
    quote_coin: str
    settle_coin: str
    price_filter: PriceFilter
    lot_size_filter: LotSizeFilter
    delivery_time: str = "0"


Category = Literal["linear", "inverse"]
CATEGORIES: Final[tuple[Category, ...]] = ("linear", "inverse")

_INVERSE = re.compile(r".+USD(?:[FGHJKMNQUVXZ][0-9]{2})?", re.ASCII)


def category_of(symbol: str) -> Category:
    """Return the category of a symbol."""
    return "inverse" if _INVERSE.fullmatch(symbol) else "linear"


def by_category(symbols: Sequence[str]) -> dict[Category, list[str]]:
    """Return the symbols of each category, without empty categories."""
    found = {
        category: [symbol for symbol in symbols if category_of(symbol) == category]
        for category in CATEGORIES
    }
    return {category: members for category, members in found.items() if members}
