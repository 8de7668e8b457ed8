"""Kraken Futures' list of instruments (`GET /derivatives/api/v3/instruments`); indices and what has no price steps are left out.

Source: docs.kraken.com (futures REST, get-instruments), read 2026-10. Inverse contracts (`futures_inverse`) are of 1 USD and settled in
the base asset; flexible ones are settled in the quote currency and counted in base asset, to the power of ten that
`contractValueTradePrecision` says. A contract without a last trading time is perpetual.
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.venues.kraken_futures.messages import InstrumentRow, InstrumentsAnswer
from perps_actors.venues.spelling import spelled
from perps_actors.venues.symbols import check_symbol

_LIST = msgspec.json.Decoder(InstrumentsAnswer)
_ROW = msgspec.json.Decoder(InstrumentRow)
_NAME = re.compile(r"[A-Z]+_([A-Z0-9]+)(USD|EUR|GBP|XBT)(?:_[0-9]+)?", re.ASCII)
_CURRENCIES = {"XBT": "BTC", "XDG": "DOGE"}


def read_instruments(venue: str, body: bytes) -> tuple[Instrument, ...]:
    """Return the instruments of `venue` in an answer; a row that cannot be read is left out.

    Raises:
        VenueError: the answer is no such list.
    """
    try:
        rows = _LIST.decode(body).instruments
    except Exception as error:
        msg = f"Expected a list of instruments, was {body[:60]!r}: {error}"
        raise VenueError(msg) from error
    found = (_instrument(venue, row) for row in rows)
    return tuple(instrument for instrument in found if instrument is not None)


def _instrument(venue: str, raw: msgspec.Raw) -> Instrument | None:
    try:
        row = _ROW.decode(raw)
        tick, size = (Decimal(positive(spelled(number))) for number in (row.tick_size, row.contract_size))
        symbol = check_symbol(row.symbol.upper())
        base, quote = _currencies(symbol, row)
    except (msgspec.MsgspecError, MarketError, VenueError, RecursionError, ValueError):
        return None
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
