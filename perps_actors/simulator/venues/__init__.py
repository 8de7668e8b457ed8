"""The simulated venues. To add one, add a folder here with its `SIDE`, and its name to `SERVED`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from typing import Final

import attrs

from perps_actors.errors import SimulatorError
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.simulator.rest_side import RestSide
from perps_actors.simulator.venue_contract import StreamSide

USDT_CONTRACTS: Final = {
    "BTCUSDT": (675_000, "0.10", "0.001"),
    "ETHUSDT": (262_000, "0.01", "0.001"),
    "SOLUSDT": (152_000, "0.0010", "1"),
    "XRPUSDT": (5_200, "0.0001", "0.1"),
    "DOGEUSDT": (11_000, "0.000010", "1"),
    "ADAUSDT": (3_400, "0.0001", "1"),
    "XBTUSDT": (135_000, "0.5", "100"),
}
"""Price in ticks, tick and lot of well-known contracts against USDT."""

SERVED: Final = (
    "binance_futures",
    "binance_delivery",
    "bybit",
    "okx",
    "bitmex",
    "gateio_futures",
    "htx_swap",
    "kraken_futures",
    "deribit",
    "coinbase_international",
)
"""Names of the venues that can be simulated. A venue is imported when it is used."""


@attrs.frozen(kw_only=True)
class Terms:
    """Common properties of a venue's contracts."""

    symbols: tuple[str, ...]
    """Symbols that are listed by default."""
    like: str
    """Regular expression of a symbol. Its groups `base` and `quote` are the venue's currency names.
    An optional group `inverse` matches for inverse contracts of a venue with linear ones."""
    names: Mapping[str, str] = attrs.Factory(dict)
    """Common names of currencies for which the venue has other names."""
    usual_quote: str = "USDT"
    """Quote currency of a symbol without one."""
    linear: bool = True
    contract_size: Decimal = Decimal(1)
    inverse_contract_size: Decimal | None = None
    """Size of inverse contracts, if the venue also has linear ones."""
    counts_by_one: bool = False
    """Whether the number of a book's update is one more than the one before."""
    typical: Mapping[str, tuple[int, str, str]] = attrs.Factory(dict)
    """Price in ticks, tick and lot by symbol; the seed draws them for other symbols."""


def split_pair(symbol: str, terms: Terms) -> tuple[str, str]:
    """Return (base, quote) of a symbol; a symbol of unknown form is its own base."""
    found = re.fullmatch(terms.like, symbol, re.ASCII)
    base, quote = (
        (found["base"], found["quote"] or terms.usual_quote)
        if found is not None
        else (symbol, terms.usual_quote)
    )
    return terms.names.get(base, base), terms.names.get(quote, quote)


def is_linear(symbol: str, terms: Terms) -> bool:
    """Return whether a contract is linear: by its symbol, else as most at its venue."""
    found = re.fullmatch(terms.like, symbol, re.ASCII)
    return terms.linear and (found is None or found.groupdict().get("inverse") is None)


def contract(
    venue: str, symbol: str, terms: Terms, *, tick: Decimal, lot: Decimal, perpetual: bool = True
) -> Instrument:
    """Return a contract: linear ones are margined in the quote asset, inverse ones in the base."""
    (base, quote), linear = split_pair(symbol, terms), is_linear(symbol, terms)
    inverse_size = terms.inverse_contract_size or terms.contract_size
    return Instrument(
        id=InstrumentId(venue, symbol),
        canonical=f"{base}-{quote}-PERP" if perpetual else symbol,
        base=base,
        quote=quote,
        margin=quote if linear else base,
        tick=tick,
        lot=lot,
        contract_size=terms.contract_size if linear else inverse_size,
        linear=linear,
        perpetual=perpetual,
        trading=True,
    )


@attrs.frozen
class VenueSide:
    """The server side of a venue."""

    name: str
    terms: Terms
    streams: StreamSide
    rest: RestSide


def side_of(venue: str, place: str = "") -> VenueSide:
    """Return the server side of a venue.

    Args:
        venue: name of the venue.
        place: prefix of the error, such as the file that names the venue.

    Raises:
        SimulatorError: the venue cannot be simulated.
    """
    if venue not in SERVED:
        msg = f"{place}venue = {venue!r}: expected one of {', '.join(sorted(SERVED))}"
        raise SimulatorError(msg)
    side: VenueSide = import_module(f"{__name__}.{venue}").SIDE
    return side
