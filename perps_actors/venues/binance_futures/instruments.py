"""Binance's list of instruments (`GET /fapi/v1/exchangeInfo`, `GET /dapi/v1/exchangeInfo`)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.venues.binance_futures.dialect import Dialect
from perps_actors.venues.binance_futures.messages import ExchangeInfo, SymbolRow

_PERPETUAL = frozenset({"PERPETUAL", "TRADIFI_PERPETUAL"})
_LIST = msgspec.json.Decoder(ExchangeInfo)
_ROW = msgspec.json.Decoder(SymbolRow)


def read_instruments(dialect: Dialect, body: bytes) -> tuple[Instrument, ...]:
    """Return the instruments in an answer; a row that cannot be read is left out.

    Raises:
        VenueError: the answer is no such list.
    """
    try:
        rows = _LIST.decode(body).symbols
    except Exception as error:
        msg = f"Expected a list of instruments, was {body[:60]!r}: {error}"
        raise VenueError(msg) from error
    found = (_instrument(dialect, row) for row in rows)
    return tuple(instrument for instrument in found if instrument is not None)


def _instrument(dialect: Dialect, raw: msgspec.Raw) -> Instrument | None:
    try:
        row = _ROW.decode(raw)
        steps = {rule.filter_type: rule.tick_size or rule.step_size for rule in row.filters}
        size = Decimal(row.contract_size)
        tick, lot = positive(steps.get("PRICE_FILTER")), positive(steps.get("LOT_SIZE"))
    except (msgspec.MsgspecError, MarketError, RecursionError):
        return None
    perpetual = row.contract_type in _PERPETUAL
    # The last part of a dated contract's name is its day of delivery in UTC, as in the venue's own BTCUSDT_210924.
    term = "PERP" if perpetual else f"{datetime.fromtimestamp(row.delivery_date // 1000, UTC):%y%m%d}"
    return Instrument(
        id=InstrumentId(dialect.venue, row.symbol),
        canonical=f"{row.base_asset}-{row.quote_asset}-{term}",
        base=row.base_asset,
        quote=row.quote_asset,
        margin=row.margin_asset,
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=size,
        linear=dialect.linear,
        perpetual=perpetual,
        trading="TRADING" in (row.status, row.contract_status),
    )
