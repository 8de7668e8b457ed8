"""Gate.io's list of contracts (`GET /futures/usdt/contracts`).

Source: gate.com/docs/developers/apiv4, read 2026-11: `quanto_multiplier` is what one contract is of the base currency,
`order_price_round` the smallest step of a price, `order_size_min` the smallest order in contracts, which is its step too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.venues.gateio_futures.schema import ContractRow
from perps_actors.venues.toolkit.fields import text_of

_ROW: Final = msgspec.json.Decoder(ContractRow)


def instrument_of(venue: str, raw: msgspec.Raw) -> Instrument:
    """Return the contract of `venue` in a row.

    Raises:
        MarketError, msgspec.MsgspecError: the row cannot be read.
    """
    row = _ROW.decode(raw)
    tick, lot, size = (
        positive(row.order_price_round),
        positive(text_of(row.order_size_min)),
        positive(row.quanto_multiplier),
    )
    base, _, quote = row.symbol.rpartition("_")
    return Instrument(
        id=InstrumentId(venue, row.symbol),
        canonical=f"{base}-{quote}-PERP",
        base=base,
        quote=quote,
        margin="USDT",
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=Decimal(size),
        linear=row.type == "direct",
        perpetual=True,
        trading=row.status == "trading" and not row.in_delisting,
    )
