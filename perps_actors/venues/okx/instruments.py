"""OKX's list of instruments (`GET /api/v5/public/instruments`).

Source: www.okx.com/docs-v5/en, get instruments, read 2026-11. A contract is worth `ctVal` times `ctMult`: units of the base asset where
it is linear, US dollars where it is inverse. Quantities are in contracts, of which `lotSz` is the smallest step.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.venues.okx.schema import InstrumentRow
from perps_actors.venues.toolkit.fields import NS_PER_S, ns_if_any

_ROW = msgspec.json.Decoder(InstrumentRow)


def instrument_of(venue: str, raw: msgspec.Raw) -> Instrument:
    """Return the perpetual or dated future of `venue` in a row.

    Raises:
        MarketError, VenueError, msgspec.MsgspecError, OverflowError: the row cannot be read, or is of something else.
    """
    row = _ROW.decode(raw)
    tick, lot, value, multiplier = map(
        positive, (row.tick, row.lot, row.contract_value, row.multiplier or "1")
    )
    perpetual = row.inst_type == "SWAP"
    term = (
        "PERP"
        if perpetual
        else f"{datetime.fromtimestamp((ns_if_any(row.expiry) or 0) // NS_PER_S, UTC):%y%m%d}"
    )
    base, _, quote = row.underlying.partition("-")
    pair = "-".join(
        row.symbol.split("-")[:2]
    )  # BTC-USD_UM beside BTC-USD: the same underlying, another margin
    return Instrument(
        id=InstrumentId(venue, row.symbol),
        canonical=f"{pair}-{term}",
        base=base,
        quote=quote,
        margin=row.margin,
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=Decimal(value) * Decimal(multiplier),
        linear=row.contract_type == "linear",
        perpetual=perpetual,
        trading=row.state == "live",
    )
