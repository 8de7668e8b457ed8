"""Symbols in a venue's own spelling, checked where they enter."""

from __future__ import annotations

from collections.abc import Sequence

from perps_actors.errors import SettingsError, VenueError


def check_symbol(symbol: str) -> str:
    """Return `symbol` unchanged if it can be one (some are not ASCII: Binance lists contracts with Chinese names).

    Raises:
        VenueError: empty, longer than 40 characters or not printable.
    """
    if 0 < len(symbol) <= 40 and symbol.isprintable():
        return symbol
    msg = f"Expected a symbol, was {symbol[:50]!r}"
    raise VenueError(msg)


def wanted_symbols(symbols: Sequence[str], venue: str) -> tuple[str, ...]:
    """Return each of the symbols that a plan names once, in their order.

    Raises:
        SettingsError: one that no venue can have.
    """
    wanted = tuple(dict.fromkeys(symbols))
    for symbol in wanted:
        try:
            check_symbol(symbol)
        except VenueError as error:
            raise SettingsError(field="symbols", value=symbol, why=str(error), place=venue) from error
    return wanted
