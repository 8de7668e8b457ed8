"""Gate.io's list of contracts (`GET /futures/usdt/contracts`).

Source: gate.com/docs/developers/apiv4, read 2026-11: `quanto_multiplier` is what one contract is of the base currency,
`order_price_round` the smallest step of a price, `order_size_min` the smallest order in contracts, which is its step too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.venues.gateio_futures.messages import ContractRow
from perps_actors.venues.spelling import text_of

_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ROW: Final = msgspec.json.Decoder(ContractRow)


def read_instruments(venue: str, body: bytes) -> tuple[Instrument, ...]:
    """Return the contracts of `venue` in an answer; a row that cannot be read is left out.

    Raises:
        VenueError: the answer is no such list.
    """
    try:
        rows = _LIST.decode(body)
    except Exception as error:
        msg = f"Expected a list of contracts, was {body[:60]!r}: {error}"
        raise VenueError(msg) from error
    found = (_instrument(venue, row) for row in rows)
    return tuple(instrument for instrument in found if instrument is not None)


def _instrument(venue: str, raw: msgspec.Raw) -> Instrument | None:
    try:
        row = _ROW.decode(raw)
        tick, lot, size = positive(row.order_price_round), positive(text_of(row.order_size_min)), positive(row.quanto_multiplier)
    except (msgspec.MsgspecError, MarketError, RecursionError):
        return None
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
