"""Bybit's list of instruments (`GET /v5/market/instruments-info`).

Source: bybit-exchange.github.io/docs/v5/market/instrument, read 2026-11. A linear contract is one unit of its base coin; an inverse
one is worth 1 USD. A perpetual may have a delivery time too: the day on which it is delisted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.venues.bybit.schema import InstrumentRow
from perps_actors.venues.toolkit.fields import NS_PER_S, ns_if_any

_ROW = msgspec.json.Decoder(InstrumentRow)


def instrument_of(venue: str, raw: msgspec.Raw) -> Instrument:
    """Return the instrument of `venue` in a row.

    Raises:
        MarketError, VenueError, msgspec.MsgspecError, OverflowError: the row cannot be read.
    """
    row = _ROW.decode(raw)
    tick, lot = positive(row.price_filter.tick_size), positive(row.lot_size_filter.qty_step)
    perpetual = row.contract_type.endswith("Perpetual")
    term = (
        "PERP"
        if perpetual
        else f"{datetime.fromtimestamp((ns_if_any(row.delivery_time) or 0) // NS_PER_S, UTC):%y%m%d}"
    )
    return Instrument(
        id=InstrumentId(venue, row.symbol),
        canonical=f"{row.base_coin}-{row.quote_coin}-{term}",
        base=row.base_coin,
        quote=row.quote_coin,
        margin=row.settle_coin,
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=Decimal(1),
        linear=row.contract_type.startswith("Linear"),
        perpetual=perpetual,
        trading=row.status == "Trading",
    )
