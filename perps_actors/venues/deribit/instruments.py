"""Deribit's list of instruments (`public/get_instruments`): its perpetuals and dated futures; options and combos are left out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.market.plain import spelled
from perps_actors.venues.deribit.schema import InstrumentRow
from perps_actors.venues.toolkit.symbols import check_symbol


class _List(msgspec.Struct, gc=False):
    result: list[msgspec.Raw]


_LIST = msgspec.json.Decoder(_List)
_ROW = msgspec.json.Decoder(InstrumentRow)


def rows_of_listing(body: bytes) -> list[msgspec.Raw]:
    """Return the rows of a list of instruments; raises msgspec's errors on what is none."""
    return _LIST.decode(body).result


def instrument_of(venue: str, raw: msgspec.Raw) -> Instrument | None:
    """Return the future of `venue` in a row; None for what is no future.

    Raises:
        MarketError, VenueError, msgspec.MsgspecError, ValueError, OverflowError: the row cannot be read.
    """
    row = _ROW.decode(raw)
    if row.kind != "future":
        return None
    tick, lot, size = (
        Decimal(positive(spelled(n)))
        for n in (row.tick_size, row.min_trade_amount, row.contract_size)
    )
    symbol = check_symbol(row.symbol)
    perpetual, linear = row.settlement_period == "perpetual", row.instrument_type == "linear"
    term = (
        "PERP"
        if perpetual
        else f"{datetime.fromtimestamp(row.expiration_timestamp // 1000, UTC):%y%m%d}"
    )
    base, quote = row.base_currency, row.counter_currency or row.quote_currency
    return Instrument(
        id=InstrumentId(venue, symbol),
        canonical=f"{base}-{quote}-{term}",
        base=base,
        quote=quote,
        margin=row.settlement_currency or (quote if linear else base),
        tick=tick,
        lot=lot,
        contract_size=size,
        linear=linear,
        perpetual=perpetual,
        trading=row.is_active,
    )
