"""OKX's channels: which of them an instrument has, told from its symbol, and the requests that subscribe them.

Source: www.okx.com/docs-v5/en (overview, WebSocket; order book trading and public data), read 2026-11. Perpetuals are named
BTC-USDT-SWAP, dated futures BTC-USD-260327; their index is BTC-USDT and BTC-USD (BTC-USD_UM-SWAP has the index BTC-USD too). Funding
has a perpetual alone. Liquidations are subscribed for all perpetuals at once. Requests may have 64 KB; an hour may see 480 of them on a
connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from perps_actors.market.mark import Source
from perps_actors.venues.toolkit.subscriptions import Op

CHANNELS: Final = {
    "book": ("books",),
    "touch": ("tickers",),
    "trades": ("trades",),
    "marks": ("mark-price", "index-tickers", "funding-rate", "open-interest"),
    "liquidations": ("liquidation-orders",),
    "candles": ("candle1m",),
}
"""What can be subscribed, and the channels of it."""
BUSINESS: Final = frozenset({"candle1m"})
"""Channels that live at an address of their own."""
SOURCES: Final[dict[str, Source]] = {"book": "book", "touch": "touch", "trades": "trades"}
TOPICS_PER_REQUEST: Final = 100

Topic = tuple[str, str, str]
"""A channel, and by which name its instruments are chosen."""
LIQUIDATIONS: Final[Topic] = ("liquidation-orders", "instType", "SWAP")


def index_name(symbol: str) -> str | None:
    """Return the name of an instrument's index; None where the symbol is not that of a contract."""
    parts = symbol.split("-")
    return f"{parts[0]}-{parts[1].partition('_')[0]}" if len(parts) > 2 else None


def topics_of(symbol: str, channels: Sequence[str]) -> list[Topic]:
    """Return what subscribes these channels of an instrument, as far as it has them; liquidations are none of one instrument."""
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
    """Return the frame that subscribes or unsubscribes these."""
    args = [{"channel": channel, key: value} for channel, key, value in topics]
    return msgspec.json.encode({"op": op, "args": args}).decode()
