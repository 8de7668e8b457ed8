"""Deribit's list of instruments (`public/get_instruments`): its perpetuals and dated futures; options and combos are left out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.venues.deribit.messages import InstrumentRow
from perps_actors.venues.spelling import spelled
from perps_actors.venues.symbols import check_symbol


class _List(msgspec.Struct, gc=False):
    result: list[msgspec.Raw]


_LIST = msgspec.json.Decoder(_List)
_ROW = msgspec.json.Decoder(InstrumentRow)


def read_instruments(venue: str, body: bytes) -> tuple[Instrument, ...]:
    """Return the futures of `venue` in an answer; a row that cannot be read is left out.

    Raises:
        VenueError: the answer is no such list.
    """
    try:
        rows = _LIST.decode(body).result
    except Exception as error:
        msg = f"Expected a list of instruments, was {body[:60]!r}: {error}"
        raise VenueError(msg) from error
    found = (_instrument(venue, row) for row in rows)
    return tuple(instrument for instrument in found if instrument is not None)


def _instrument(venue: str, raw: msgspec.Raw) -> Instrument | None:
    try:
        row = _ROW.decode(raw)
        if row.kind != "future":
            return None
        tick, lot, size = (Decimal(positive(spelled(n))) for n in (row.tick_size, row.min_trade_amount, row.contract_size))
        symbol = check_symbol(row.symbol)
        perpetual, linear = row.settlement_period == "perpetual", row.instrument_type == "linear"
        term = "PERP" if perpetual else f"{datetime.fromtimestamp(row.expiration_timestamp // 1000, UTC):%y%m%d}"
    except (msgspec.MsgspecError, MarketError, VenueError, RecursionError, ValueError, OSError, OverflowError):
        return None
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
