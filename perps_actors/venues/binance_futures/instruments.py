"""Binance's list of instruments (`GET /fapi/v1/exchangeInfo`, `GET /dapi/v1/exchangeInfo`)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.venues.binance_futures.dialect import Dialect
from perps_actors.venues.binance_futures.schema import ExchangeInfo, SymbolRow

_PERPETUAL = frozenset({"PERPETUAL", "TRADIFI_PERPETUAL"})
_LIST = msgspec.json.Decoder(ExchangeInfo)
_ROW = msgspec.json.Decoder(SymbolRow)


def rows_of_listing(body: bytes) -> list[msgspec.Raw]:
    """Return the rows of a list of instruments; raises msgspec's errors on what is none."""
    return _LIST.decode(body).symbols


def instrument_of(dialect: Dialect, raw: msgspec.Raw) -> Instrument:
    """Return the instrument in a row.

    Raises:
        MarketError, msgspec.MsgspecError, ValueError, OverflowError: the row cannot be read.
    """
    row = _ROW.decode(raw)
    steps = {rule.filter_type: rule.tick_size or rule.step_size for rule in row.filters}
    tick, lot = positive(steps.get("PRICE_FILTER")), positive(steps.get("LOT_SIZE"))
    perpetual = row.contract_type in _PERPETUAL
    # The last part of a dated contract's name is its day of delivery in UTC, as in the venue's own BTCUSDT_210924.
    term = (
        "PERP" if perpetual else f"{datetime.fromtimestamp(row.delivery_date // 1000, UTC):%y%m%d}"
    )
    return Instrument(
        id=InstrumentId(dialect.venue, row.symbol),
        canonical=f"{row.base_asset}-{row.quote_asset}-{term}",
        base=row.base_asset,
        quote=row.quote_asset,
        margin=row.margin_asset,
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=Decimal(row.contract_size),
        linear=dialect.linear,
        perpetual=perpetual,
        trading="TRADING" in (row.status, row.contract_status),
    )
