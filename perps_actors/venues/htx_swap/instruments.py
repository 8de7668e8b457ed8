"""HTX's lists of swaps (`GET /linear-swap-api/v1/swap_contract_info`, `GET /swap-api/v1/swap_contract_info`).

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en, read 2026-11. Orders and books count whole contracts:
of so many units of the base asset (linear), or of so many US dollars (coin-margined). `contract_status` of 1 is open for trade.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.venues.htx_swap.families import LINEAR, NAME, family_of
from perps_actors.venues.htx_swap.schema import ContractRow
from perps_actors.venues.toolkit.fields import text_of

_ROW = msgspec.json.Decoder(ContractRow)
_LISTED = 1


def instrument_of(raw: msgspec.Raw) -> Instrument:
    """Return the instrument in a row.

    Raises:
        MarketError, msgspec.MsgspecError, ValueError: the row cannot be read.
    """
    row = _ROW.decode(raw)
    tick, size = positive(text_of(row.price_tick)), positive(text_of(row.contract_size))
    # BTC-USDT, or BTC-USDT-211231 with the day of delivery.
    base, quote, *delivery = row.symbol.split("-")
    linear = family_of(row.symbol) is LINEAR
    return Instrument(
        id=InstrumentId(NAME, row.symbol),
        canonical="-".join((base, quote, *(delivery or ("PERP",)))),
        base=base,
        quote=quote,
        margin=(row.margin or quote) if linear else base,
        tick=Decimal(tick),
        lot=Decimal(1),
        contract_size=Decimal(size),
        linear=linear,
        perpetual=not delivery,
        trading=row.status == _LISTED,
    )
