"""Kraken Futures' list of instruments (`GET /derivatives/api/v3/instruments`); indices and what has no price steps are left out.

Source: docs.kraken.com (futures REST, get-instruments), read 2026-10. Inverse contracts (`futures_inverse`) are of 1 USD and settled in
the base asset; flexible ones are settled in the quote currency and counted in base asset, to the power of ten that
`contractValueTradePrecision` says. A contract without a last trading time is perpetual.
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.market.plain import spelled
from perps_actors.venues.kraken_futures.schema import InstrumentRow, InstrumentsAnswer
from perps_actors.venues.toolkit.symbols import check_symbol

_LIST = msgspec.json.Decoder(InstrumentsAnswer)
_ROW = msgspec.json.Decoder(InstrumentRow)
_NAME = re.compile(r"[A-Z]+_([A-Z0-9]+)(USD|EUR|GBP|XBT)(?:_[0-9]+)?", re.ASCII)
_CURRENCIES = {"XBT": "BTC", "XDG": "DOGE"}


def rows_of_listing(body: bytes) -> list[msgspec.Raw]:
    """Return the rows of a list of instruments; raises msgspec's errors on what is none."""
    return _LIST.decode(body).instruments


def instrument_of(venue: str, raw: msgspec.Raw) -> Instrument:
    """Return the instrument of `venue` in a row.

    Raises:
        MarketError, VenueError, msgspec.MsgspecError: the row cannot be read, as that of an index.
    """
    row = _ROW.decode(raw)
    tick, size = (
        Decimal(positive(spelled(number))) for number in (row.tick_size, row.contract_size)
    )
    symbol = check_symbol(row.symbol.upper())
    base, quote = _currencies(symbol, row)
    linear, last = row.type != "futures_inverse", row.last_trading_time
    return Instrument(
        id=InstrumentId(venue, symbol),
        canonical=f"{base}-{quote}-{'PERP' if last is None else f'{last:%y%m%d}'}",
        base=base,
        quote=quote,
        margin=quote if linear else base,
        tick=tick,
        lot=Decimal(1).scaleb(-row.contract_value_trade_precision),
        contract_size=size,
        linear=linear,
        perpetual=last is None,
        trading=row.tradeable,
    )


def _currencies(symbol: str, row: InstrumentRow) -> tuple[str, str]:
    base, quote = row.base, row.quote
    if base is None or quote is None:
        found = _NAME.fullmatch(symbol)
        if found is None:
            msg = f"Expected a symbol such as PI_XBTUSD, was {symbol}"
            raise VenueError(msg)
        base, quote = found.groups()
    return _CURRENCIES.get(base, base), _CURRENCIES.get(quote, quote)
