"""Bybit's product categories, told from a symbol: they have separate streams and separate answers.

Source: bybit-exchange.github.io/docs/v5/enum and docs/v5/market/instrument, read 2026-11. Inverse contracts are quoted in USD: BTCUSD
is perpetual, BTCUSDH26 dated with the month's letter. Linear ones are quoted in USDT (BTCUSDT, dated BTCUSDT-26DEC25) or USDC
(BTCPERP, dated BTC-26DEC25).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

Category = Literal["linear", "inverse"]
CATEGORIES: Final[tuple[Category, ...]] = ("linear", "inverse")

_INVERSE = re.compile(r".+USD(?:[FGHJKMNQUVXZ][0-9]{2})?", re.ASCII)


def category_of(symbol: str) -> Category:
    """Return the category that a symbol belongs to."""
    return "inverse" if _INVERSE.fullmatch(symbol) else "linear"


def by_category(symbols: Sequence[str]) -> dict[Category, list[str]]:
    """Return the symbols of each category that has some."""
    found = {
        category: [symbol for symbol in symbols if category_of(symbol) == category]
        for category in CATEGORIES
    }
    return {category: members for category, members in found.items() if members}
