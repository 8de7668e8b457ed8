"""What HTX sends of its swaps, as typed records of the fields we need; all others, old and new, are skipped.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (market data, WebSocket), read 2026-11, and captures of
2026-09. Numbers are JSON numbers or strings, by channel and year, so they are kept as spelled until a reading judges them. `symbol` is
`BTC-USDT`, which the venue calls contract code; its own `symbol` is the base asset.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import attrs
from msgspec import Meta, Raw, Struct, field

from perps_actors.transport.body import ACCEPTED, Body
from perps_actors.venues.contract import Endpoints
from perps_actors.venues.toolkit.fields import Millis, NumberLevel, SequenceId

# merged docstring:
# """HTX's two families of swaps, told from a symbol: they have addresses of their own.
#
# Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en, read 2026-11; that a symbol of one family is refused
# by the other's stream, and that these addresses still serve, was measured by others on 2026-09-23 (github.com/nemanull/
# arbitrage-observatory, docs/profiles/htx). `BTC-USD` is coin-margined, whatever else follows the first dash (`BTC-USDT`) is linear.
# """
# merged docstring:
# """HTX's frames: every one is a gzip file of its own, and recordings may hold them unpacked.
#
# Source: huobiapi.github.io/docs/usdt_swap/v1/en ("WebSocket Heartbeat and Connection"), read 2026-11.
# """

INTERVALS: Final = {
    60: "1min",
    300: "5min",
    900: "15min",
    1_800: "30min",
    3_600: "60min",
    14_400: "4hour",
    86_400: "1day",
}
"""Lengths of candles in seconds, and their names; weeks and months are left out."""

SECONDS: Final = {name: seconds for seconds, name in INTERVALS.items()}

Rows = Annotated[list[NumberLevel], Meta(max_length=5_000)]

Time = Millis | str | None
"""Milliseconds since 1970, which notifications spell as strings in their pings only."""


class Frame(Struct, gc=False):
    """Any frame: a push has `ch` and `tick`, a notification `op`, `topic` and `data`, answers to requests neither."""

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
    """`depth.step<k>`: a whole book each time. A delisted contract's has no sides."""

    bids: Rows | None = None
    asks: Rows | None = None


class ChangedBook(Struct, gc=False):
    """`depth.size_<n>.high_freq`: a whole book, or the levels that changed; `version` counts by one."""

    event: Literal["snapshot", "update"]
    version: SequenceId
    bids: Rows | None = None
    asks: Rows | None = None


class Best(Struct, gc=False):
    """`bbo`: price and size of the best order a side."""

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
    """`mark_price.<period>` and `index.<period>`: a candle, whose close is the price of the moment."""

    close: Raw


class CandleRow(Struct, gc=False):
    """`kline.<period>`, and a row of `GET /linear-swap-ex/market/history/kline`; `id` is when it began, in seconds."""

    id: Annotated[int, Meta(ge=0, le=9_000_000_000)]
    open: Raw
    high: Raw
    low: Raw
    close: Raw
    vol: Raw


class PaidRow(Struct, gc=False):
    """A row of `GET /linear-swap-api/v1/swap_historical_funding_rate`; `realized_rate` is what was settled, the other the forecast."""

    symbol: str = field(name="contract_code")
    time: str = field(name="funding_time")
    rate: Raw = field(name="funding_rate")
    realized: Raw = field(name="realized_rate", default=Raw())


class PaidPage(Struct, gc=False):
    """The data of `GET /linear-swap-api/v1/swap_historical_funding_rate`: a page, the newest row first."""

    rows: list[Raw] = field(name="data")


class FundingRow(Struct, gc=False):
    """A row of `funding_rate` by stream, and of `swap_batch_funding_rate`.

    By stream `funding_time` is when the rate was computed; over REST, which has no `settlement_time`, it is when it will be paid.
    """

    symbol: str = field(name="contract_code")
    rate: Raw = field(name="funding_rate", default=Raw())
    predicted: Raw = field(name="estimated_rate", default=Raw())
    funding_time: Raw = Raw()
    settlement_time: Raw = Raw()


class LiquidationRow(Struct, gc=False):
    """A row of `liquidation_orders`; `volume` counts contracts."""

    symbol: str = field(name="contract_code")
    side: Literal["buy", "sell"] = field(name="direction")
    price: Raw
    volume: Raw


class Answer(Struct, gc=False):
    """Any answer over REST; refusals have status 200, too."""

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


class IndexRow(Struct, gc=False):
    """A row of `GET /linear-swap-api/v1/swap_index`; delisted contracts stay in it, with the time of their last price."""

    symbol: str = field(name="contract_code")
    price: Raw = field(name="index_price")
    time: Millis | None = field(name="index_ts", default=None)


class OpenInterestRow(Struct, gc=False):
    """A row of `GET /linear-swap-api/v1/swap_open_interest`; `volume` counts contracts, of both sides."""

    symbol: str = field(name="contract_code")
    volume: Raw


class ContractRow(Struct, gc=False):
    """A row of `GET /linear-swap-api/v1/swap_contract_info`."""

    symbol: str = field(name="contract_code")
    contract_size: Raw
    price_tick: Raw
    status: int = field(name="contract_status")
    margin: str | None = field(name="trade_partition", default=None)


NAME: Final = "htx_swap"
LIVE: Final = Endpoints(stream="wss://api.hbdm.com", rest="https://api.hbdm.com")


@attrs.frozen(kw_only=True)
class Family:
    """Where a family of contracts is served, as paths."""

    name: str
    market: str
    """Stream of books, touches and trades."""
    notification: str
    """Stream of funding rates and liquidations."""
    api: str
    """Prefix of what the venue calls non-market data."""
    quotes: str
    """Prefix of books and quotes."""
    mark_klines: str


LINEAR: Final = Family(
    name="linear",
    market="/linear-swap-ws",
    notification="/linear-swap-notification",
    api="/linear-swap-api/v1",
    quotes="/linear-swap-ex/market",
    mark_klines="/index/market/history/linear_swap_mark_price_kline",
)
INVERSE: Final = Family(
    name="inverse",
    market="/swap-ws",
    notification="/swap-notification",
    api="/swap-api/v1",
    quotes="/swap-ex/market",
    mark_klines="/index/market/history/swap_mark_price_kline",
)
FAMILIES: Final = (LINEAR, INVERSE)
INDEX: Final = "/ws_index"
"""Stream of mark and index prices of both families."""


def family_of(symbol: str) -> Family:
    """Return the family that a symbol belongs to."""
    return INVERSE if symbol.split("-")[1:2] == ["USD"] else LINEAR


def by_family(symbols: Sequence[str]) -> list[tuple[Family, list[str]]]:
    """Return each family that has some of the symbols, with those."""
    found = (
        (family, [symbol for symbol in symbols if family_of(symbol) is family])
        for family in FAMILIES
    )
    return [(family, members) for family, members in found if members]


MAX_FRAME_BYTES: Final = 4 * 2**20
"""Of an unpacked frame; a book of 150 levels a side has 8,000."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = zlib.MAX_WBITS | 16


def unpacked(data: bytes) -> bytes:
    """Return the text of a frame.

    Raises:
        TransportError: no gzip, cut short, or longer than `MAX_FRAME_BYTES`.
    """
    if not data.startswith(_GZIP_MAGIC):
        return data
    body = Body(ACCEPTED, MAX_FRAME_BYTES)
    body.add(data)
    return body.whole()


def packed(text: bytes) -> bytes:
    """Return the frame that holds a text; what is packed already stays as it is."""
    return text if text.startswith(_GZIP_MAGIC) else gzip.compress(text, compresslevel=1, mtime=0)


def beginning(data: bytes, most: int) -> bytes:
    """Return the first `most` bytes of a frame's text, which may be damaged behind them; nothing of a frame that begins damaged."""
    if not data.startswith(_GZIP_MAGIC):
        return data[:most]
    try:
        return zlib.decompressobj(_GZIP).decompress(data, most)
    except zlib.error:
        return b""
