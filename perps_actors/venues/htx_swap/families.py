"""HTX's two families of swaps, told from a symbol: they have addresses of their own.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en, read 2026-11; that a symbol of one family is refused
by the other's stream, and that these addresses still serve, was measured by others on 2026-09-23 (github.com/nemanull/
arbitrage-observatory, docs/profiles/htx). `BTC-USD` is coin-margined, whatever else follows the first dash (`BTC-USDT`) is linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from perps_actors.venues.contract import Endpoints

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
