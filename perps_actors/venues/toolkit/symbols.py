"""Symbols in a venue's own spelling, checked where they enter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, TypeVar

from perps_actors.errors import SettingsError, VenueError
from perps_actors.market.instrument import InstrumentId

# merged docstring:
# """What a stream adapter keeps for each instrument, and which instruments it speaks of."""


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
            raise SettingsError(
                field="symbols", value=symbol, why=str(error), place=venue
            ) from error
    return wanted


MAX_SYMBOLS: Final = 5_000
"""Symbols tracked where nothing was planned."""

Kept = TypeVar("Kept")


class SymbolStates(Generic[Kept]):
    """One thing kept for each symbol. Until `plan` was called every symbol is taken, up to `MAX_SYMBOLS`; afterwards the planned ones.

    Args:
        venue: name of the venue.
        make: makes what is kept for an instrument.
    """

    def __init__(self, venue: str, make: Callable[[InstrumentId], Kept]) -> None:
        self._venue = venue
        self._make = make
        self._planned = False
        self._kept: dict[str, Kept] = {}
        self._former: frozenset[str] = frozenset()

    def plan(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """Track these symbols and no other, keeping what there is; return each of them once.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        wanted = wanted_symbols(symbols, self._venue)
        kept = self._kept
        self._planned = True
        self._kept = {
            symbol: kept[symbol] if symbol in kept else self._new(symbol) for symbol in wanted
        }
        self._former = self._former.union(kept).difference(self._kept)
        return wanted

    def former(self, symbol: str) -> bool:
        """Return whether a symbol was tracked before and is no more: what still comes of it was on its way."""
        return symbol in self._former

    def get(self, symbol: str) -> Kept | None:
        """Return what is kept for a symbol, None where there is nothing."""
        return self._kept.get(symbol)

    def of(self, symbol: str) -> Kept:
        """Return what is kept for a symbol.

        Raises:
            VenueError: it was not planned, is no symbol, or is one too many.
        """
        kept = self._kept.get(symbol)
        if kept is not None:
            return kept
        if self._planned or len(self._kept) >= MAX_SYMBOLS:
            why = "not subscribed" if self._planned else f"more than {MAX_SYMBOLS} symbols"
            msg = f"Expected a subscribed symbol, was {symbol[:50]!r}: {why}"
            raise VenueError(msg)
        made = self._kept[symbol] = self._new(check_symbol(symbol))
        return made

    def current(self, symbol: str) -> Kept | None:
        """Return what is kept for a symbol; None where it was tracked before and is no more: this was on its way.

        Raises:
            VenueError: it was not planned, is no symbol, or is one too many.
        """
        kept = self._kept.get(symbol)
        return kept if kept is not None or symbol in self._former else self.of(symbol)

    def all(self) -> Iterable[Kept]:
        """Return what is kept for every symbol."""
        return self._kept.values()

    def _new(self, symbol: str) -> Kept:
        return self._make(InstrumentId(self._venue, symbol))
