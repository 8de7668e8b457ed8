"""HTX's messages of swaps as typed records of the fields we use; all other fields are skipped.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (market data,
WebSocket), read 2026-11, and captures of 2026-09. Numbers are JSON numbers or strings, depending on
channel and year, so they are kept as spelled until a parser checks them. Our `symbol` is
`BTC-USDT`, HTX's contract code; HTX's own `symbol` is the base asset.

Linear and coin-margined contracts have different paths, and the stream of one refuses symbols of
the other. Others measured that, and that these paths still serve, on 2026-09-23
(github.com/nemanull/arbitrage-observatory, docs/profiles/htx).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import attrs
from msgspec import Meta, Raw, Struct, field

from perps_actors.errors import VenueError
from perps_actors.venues.toolkit.fields import Millis, NumberLevel, SequenceId

INTERVALS: Final = {
    60: "1min",
    300: "5min",
    900: "15min",
    1_800: "30min",
    3_600: "60min",
    14_400: "4hour",
    86_400: "1day",
}
"""Lengths of candles in seconds, and HTX's names of them, from a minute to a day."""

SECONDS: Final = {name: seconds for seconds, name in INTERVALS.items()}

Rows = Annotated[list[NumberLevel], Meta(max_length=5_000)]

Time = Millis | str | None
"""Milliseconds since 1970; strings in the pings of notification streams only."""


class Frame(Struct, gc=False):
    """Any frame.

    A push has `ch` and `tick`, a notification `op`, `topic` and `data`, an answer neither.
    """

    channel: str | None = field(name="ch", default=None)
    time: Time = field(name="ts", default=None)
    tick: Raw = Raw()
    ping: Millis | None = None
    op: str | None = None
    topic: str | None = None
    data: Raw = Raw()
    status: str | None = None
    error: Raw = field(name="err-code", default=Raw())


class FullBook(Struct, gc=False):
    """`depth.step<k>`: a whole book; that of a delisted contract has no sides."""

    bids: Rows | None = None
    asks: Rows | None = None


class ChangedBook(FullBook, kw_only=True, gc=False):
    """`depth.size_<n>.high_freq`: a whole book or changed levels; `version` counts by one."""

    event: Literal["snapshot", "update"]
    version: SequenceId


class Best(Struct, gc=False):
    """`bbo`: price and size of the best order on each side."""

    bid: list[Raw] | None = None
    ask: list[Raw] | None = None


class TradeRow(Struct, gc=False):
    """A row of `trade.detail`."""

    time: Millis = field(name="ts")
    trade_id: int | Annotated[str, Meta(max_length=60)] = field(name="id")
    price: Raw
    amount: Raw
    side: Literal["buy", "sell"] = field(name="direction")


class Trades(Struct, gc=False):
    """`trade.detail`: trades since the message before."""

    data: Annotated[list[TradeRow], Meta(max_length=5_000)]


class Kline(Struct, gc=False):
    """`mark_price.<period>` and `index.<period>`: a candle whose close is the current price."""

    close: Raw


class CandleRow(Struct, gc=False):
    """`kline.<period>`, and a row of `GET /linear-swap-ex/market/history/kline`.

    `id` is its start in seconds.
    """

    id: Annotated[int, Meta(ge=0, le=9_000_000_000)]
    open: Raw
    high: Raw
    low: Raw
    close: Raw
    vol: Raw


class Row(Struct, kw_only=True, gc=False):
    """A record of a contract."""

    symbol: str = field(name="contract_code")


class PaidRow(Row, gc=False):
    """A row of `GET /linear-swap-api/v1/swap_historical_funding_rate`.

    `realized_rate` was settled, `funding_rate` is the forecast.
    """

    time: str = field(name="funding_time")
    rate: Raw = field(name="funding_rate")
    realized: Raw = field(name="realized_rate", default=Raw())


class PaidPage(Struct, gc=False):
    """A page of `GET /linear-swap-api/v1/swap_historical_funding_rate`, newest row first."""

    rows: list[Raw] = field(name="data")


class FundingRow(Row, gc=False):
    """A row of `funding_rate` of the stream, and of `swap_batch_funding_rate`.

    In the stream `funding_time` is when the rate was computed. In REST, which has no
    `settlement_time`, it is when the rate will be paid.
    """

    rate: Raw = field(name="funding_rate", default=Raw())
    predicted: Raw = field(name="estimated_rate", default=Raw())
    funding_time: Raw = Raw()
    settlement_time: Raw = Raw()


class LiquidationRow(Row, gc=False):
    """A row of `liquidation_orders`; `volume` counts contracts."""

    side: Literal["buy", "sell"] = field(name="direction")
    price: Raw
    volume: Raw


class Answer(Struct, gc=False):
    """Any REST answer; a refusal has HTTP status 200 too."""

    status: str
    channel: str | None = field(name="ch", default=None)
    time: Millis | None = field(name="ts", default=None)
    data: Raw = Raw()
    tick: Raw = Raw()
    ticks: Raw = Raw()


class QuoteRow(Best, kw_only=True, gc=False):
    """A row of `GET /linear-swap-ex/market/bbo`."""

    symbol: str = field(name="contract_code")
    time: Millis | None = field(name="ts", default=None)


class IndexRow(Row, gc=False):
    """A row of `GET /linear-swap-api/v1/swap_index`.

    Delisted contracts stay in it, with the time of their last price.
    """

    price: Raw = field(name="index_price")
    time: Millis | None = field(name="index_ts", default=None)


class OpenInterestRow(Row, gc=False):
    """A row of `GET /linear-swap-api/v1/swap_open_interest`.

    `volume` counts contracts of both sides.
    """

    volume: Raw


class ContractRow(Row, gc=False):
    """A row of `GET /linear-swap-api/v1/swap_contract_info`."""

    contract_size: Raw
    price_tick: Raw
    status: int = field(name="contract_status")
    margin: str | None = field(name="trade_partition", default=None)


@attrs.frozen(kw_only=True)
class MarginType:
    """The paths of contracts of one margin type."""

    name: str
    market: str
    """Stream of books, touches and trades."""
    notification: str
    """Stream of funding rates and liquidations."""
    api: str
    """Prefix of reference data."""
    quotes: str
    """Prefix of books and quotes."""
    mark_klines: str


LINEAR: Final = MarginType(
    name="linear",
    market="/linear-swap-ws",
    notification="/linear-swap-notification",
    api="/linear-swap-api/v1",
    quotes="/linear-swap-ex/market",
    mark_klines="/index/market/history/linear_swap_mark_price_kline",
)
INVERSE: Final = MarginType(
    name="inverse",
    market="/swap-ws",
    notification="/swap-notification",
    api="/swap-api/v1",
    quotes="/swap-ex/market",
    mark_klines="/index/market/history/swap_mark_price_kline",
)
MARGIN_TYPES: Final = (LINEAR, INVERSE)
INDEX: Final = "/ws_index"
"""Stream of mark and index prices of both margin types."""


def margin_type_of(symbol: str) -> MarginType:
    """Return the margin type of a symbol.

    Only coin-margined contracts have USD after the first dash, as `BTC-USD`.
    """
    return INVERSE if symbol.split("-")[1:2] == ["USD"] else LINEAR


def by_margin_type(symbols: Sequence[str]) -> list[tuple[MarginType, list[str]]]:
    """Return each margin type that some of the symbols have, with its symbols."""
    found = (
        (margin_type, [symbol for symbol in symbols if margin_type_of(symbol) is margin_type])
        for margin_type in MARGIN_TYPES
    )
    return [(margin_type, members) for margin_type, members in found if members]


MAX_FRAME_BYTES: Final = 4 * 2**20
"""Limit of an unpacked frame; a book of 150 levels on each side has 8,000 bytes."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = zlib.MAX_WBITS | 16


def unpacked(data: bytes) -> bytes:
    """Return the text of a frame. Every frame is a gzip file, but recordings may have its text.

    Raises:
        VenueError: the frame is no gzip file, not whole, or longer than `MAX_FRAME_BYTES`.
    """
    if not data.startswith(_GZIP_MAGIC):
        return data
    gzip_file = zlib.decompressobj(_GZIP)
    try:
        text = gzip_file.decompress(data, MAX_FRAME_BYTES + 1)
    except zlib.error as error:
        msg = f"Expected a gzip file, was not gzip: {error}"
        raise VenueError(msg) from error
    if len(text) > MAX_FRAME_BYTES:
        msg = f"Expected a frame of {MAX_FRAME_BYTES} bytes, was longer than that"
        raise VenueError(msg)
    if not gzip_file.eof:
        msg = "Expected a whole frame, was cut in the middle of its compression"
        raise VenueError(msg)
    if gzip_file.unused_data:
        msg = "Expected one gzip file, was data after the end of it"
        raise VenueError(msg)
    return text


def packed(text: bytes) -> bytes:
    """Return the frame of a text; a packed frame stays as it is."""
    return text if text.startswith(_GZIP_MAGIC) else gzip.compress(text, compresslevel=1, mtime=0)


def beginning(data: bytes, most: int) -> bytes:
    """Return the first `most` bytes of a frame's text; nothing if it is damaged before them."""
    if not data.startswith(_GZIP_MAGIC):
        return data[:most]
    try:
        return zlib.decompressobj(_GZIP).decompress(data, most)
    except zlib.error:
        return b""
