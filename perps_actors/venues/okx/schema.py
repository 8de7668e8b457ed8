"""OKX v5's messages, with the fields that are needed, and its channels. Other fields are skipped.

Source: www.okx.com/docs-v5/en (order book trading and public data, WebSocket and REST), read
2026-11. Streams and REST answers have the same rows. Numbers and times are text, except `seqId` and
`prevSeqId`; a missing value is an empty text. `checksum` is not read: it is always 0 since
2026-06-23 (okx.com/help/okx-order-book-channels-checksum-field-deprecation).

Perpetuals are named BTC-USDT-SWAP, dated futures BTC-USD-260327. Their indices are BTC-USDT and
BTC-USD; BTC-USD_UM-SWAP has the index BTC-USD too. Only perpetuals have funding. Liquidations are
subscribed for all perpetuals at once. A request may have 64 KB, and a connection takes 480 an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from perps_actors.market.book import Level
from perps_actors.market.mark import Source
from perps_actors.venues.toolkit.fields import SequenceId
from perps_actors.venues.toolkit.symbol_stream import Op

INTERVALS: Final = {
    60: "1m",
    180: "3m",
    300: "5m",
    900: "15m",
    1_800: "30m",
    3_600: "1H",
    7_200: "2H",
    14_400: "4H",
    21_600: "6Hutc",
    43_200: "12Hutc",
    86_400: "1Dutc",
}
"""Candle intervals in seconds, and their names; long ones begin by Hong Kong time without `utc`."""

SECONDS: Final = {name: seconds for seconds, name in INTERVALS.items()} | {
    "6H": 21_600,
    "12H": 43_200,
    "1D": 86_400,
}
"""Intervals that begin by Hong Kong time are read too, but never requested."""


class Arg(Struct, gc=False):
    """The channel that a push belongs to."""

    channel: str
    symbol: str = field(name="instId", default="")


class Frame(Struct, gc=False):
    """Any frame: a push has `arg` and `data`, an answer to a request or a notice has `event`."""

    arg: Arg | None = None
    action: str | None = None
    data: list[Raw] | None = None
    event: str | None = None


class CountedLevel(Level, frozen=True, forbid_unknown_fields=False):
    """A level; numbers of orders follow its size."""


CountedLevels = Annotated[list[CountedLevel], Meta(max_length=5_000)]


class BookRecord(Struct, gc=False):
    """`books`, and `GET /api/v5/market/books`: the whole book or its changes.

    Before 2022-09 there were no sequence numbers.
    """

    bids: CountedLevels
    asks: CountedLevels
    time: str = field(name="ts")
    sequence: SequenceId | None = field(name="seqId", default=None)
    previous: SequenceId | None = field(name="prevSeqId", default=None)


class Row(Struct, gc=False):
    """A record of an instrument."""

    symbol: str = field(name="instId")


class Timed(Row, gc=False):
    """A record of an instrument at a time."""

    time: str = field(name="ts")


class TickerRow(Timed, gc=False):
    """`tickers`, and `GET /api/v5/market/tickers`."""

    bid: str | None = field(name="bidPx", default=None)
    bid_size: str | None = field(name="bidSz", default=None)
    ask: str | None = field(name="askPx", default=None)
    ask_size: str | None = field(name="askSz", default=None)
    last: str | None = None


class TradeRow(Timed, gc=False):
    """`trades`: fills of one taker order at one price; `side` is the taker's."""

    side: Literal["buy", "sell"]
    price: str = field(name="px")
    amount: str = field(name="sz")
    trade_id: str = field(name="tradeId")


class MarkRow(Timed, gc=False):
    """`mark-price`, and `GET /api/v5/public/mark-price`."""

    mark: str = field(name="markPx")


class IndexRow(Timed, gc=False):
    """`index-tickers`: the symbol is that of an index, which several instruments share."""

    index: str = field(name="idxPx")


class FundingRow(Row, gc=False):
    """`funding-rate`, and `GET /api/v5/public/funding-rate`.

    The next settlement is at `fundingTime`, the one after it at `nextFundingTime`.
    """

    rate: str = field(name="fundingRate")
    predicted: str | None = field(name="nextFundingRate", default=None)
    next_time: str | None = field(name="fundingTime", default=None)
    time: str | None = field(name="ts", default=None)


class OpenInterestRow(Timed, gc=False):
    """`open-interest`, and `GET /api/v5/public/open-interest`: in contracts."""

    open_interest: str = field(name="oi")


class CandleRow(Struct, gc=False, array_like=True):
    """`candle<interval>`, and a row of `history-candles`: the volume is in contracts."""

    time: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    volume_base: str
    volume_quote: str
    confirm: Literal["0", "1"]
    """1: the interval is over."""


class PaidRow(Row, gc=False):
    """A row of `GET /api/v5/public/funding-rate-history`: the forecast rate and the settled one."""

    time: str = field(name="fundingTime")
    rate: str = field(name="fundingRate")
    realized: str = field(name="realizedRate", default="")


class LiquidationDetail(Struct, gc=False):
    """One liquidation: the liquidating order's side, and the price at which it was taken over."""

    time: str = field(name="ts")
    side: Literal["buy", "sell"]
    price: str = field(name="bkPx")
    amount: str = field(name="sz")


class LiquidationRow(Row, gc=False):
    """`liquidation-orders`: some liquidations of an instrument."""

    details: Annotated[list[LiquidationDetail], Meta(max_length=1_000)]


class Answer(Struct, gc=False):
    """Any REST answer; a refusal has a `code` other than 0, no data and status 200."""

    code: str
    message: str = field(name="msg", default="")
    data: list[Raw] = field(default_factory=list)


class InstrumentRow(Row, gc=False, rename="camel"):
    """A row of `GET /api/v5/public/instruments`."""

    inst_type: Literal["SWAP", "FUTURES"]
    contract_type: Literal["linear", "inverse"] = field(name="ctType")
    contract_value: str = field(name="ctVal")
    underlying: str = field(name="uly")
    tick: str = field(name="tickSz")
    lot: str = field(name="lotSz")
    margin: str = field(name="settleCcy")
    state: str
    multiplier: str = field(name="ctMult", default="1")
    expiry: str = field(name="expTime", default="")


CHANNELS: Final = {
    "book": ("books",),
    "touch": ("tickers",),
    "trades": ("trades",),
    "marks": ("mark-price", "index-tickers", "funding-rate", "open-interest"),
    "liquidations": ("liquidation-orders",),
    "candles": ("candle1m",),
}
"""What can be subscribed, and the venue's channels for it."""
BUSINESS: Final = frozenset({"candle1m"})
"""Channels that have an address of their own."""
SOURCES: Final[dict[str, Source]] = {"book": "book", "touch": "touch", "trades": "trades"}
TOPICS_PER_REQUEST: Final = 100

Topic = tuple[str, str, str]
"""A channel, and key and value of the argument that selects its instruments."""
LIQUIDATIONS: Final[Topic] = ("liquidation-orders", "instType", "SWAP")


def index_name(symbol: str) -> str | None:
    """Return the name of an instrument's index; None if the symbol is not that of a contract."""
    parts = symbol.split("-")
    return f"{parts[0]}-{parts[1].partition('_')[0]}" if len(parts) > 2 else None


def topics_of(symbol: str, channels: Sequence[str]) -> list[Topic]:
    """Return the topics of these channels that an instrument has, without liquidations."""
    names = (
        (channel, _name_in(channel, symbol)) for channel in channels if channel != LIQUIDATIONS[0]
    )
    return [(channel, "instId", name) for channel, name in names if name is not None]


def _name_in(channel: str, symbol: str) -> str | None:
    index = index_name(symbol)
    if channel == "index-tickers":
        return index
    if channel == "funding-rate":
        return symbol if symbol.endswith("-SWAP") else None
    if channel in ("mark-price", "open-interest"):
        return symbol if index is not None else None
    return symbol


def request(op: Op, topics: Sequence[Topic]) -> str:
    """Return the frame that subscribes or unsubscribes these topics."""
    args = [{"channel": channel, key: value} for channel, key, value in topics]
    return msgspec.json.encode({"op": op, "args": args}).decode()
