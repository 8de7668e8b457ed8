"""BitMEX's list of instruments (`GET /api/v1/instrument/active`).

Source: bitmex.com API explorer and app/wsAPI, read 2026-10. `typ` FFWCSX and FFWCSF are perpetuals, FFCCSX futures with an expiry;
spot, options and indices are left out. A contract's size in the underlying is `multiplier` over `quoteToSettleMultiplier`; of a
quanto contract that holds at the present rate between quote and settlement currency only. Inverse contracts are sized in quote
currency: `multiplier` over `underlyingToSettleMultiplier`.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Final

import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import decimal_text, positive
from perps_actors.venues.bitmex.schema import ContractRow
from perps_actors.venues.toolkit.fields import text_of

_PERPETUAL: Final = frozenset({"FFWCSX", "FFWCSF"})
_DATED: Final = "FFCCSX"
_COMMON_NAMES: Final = {"XBT": "BTC", "XBt": "BTC", "USDt": "USDT", "Gwei": "ETH"}
"""Currencies that the venue calls by other names than others do, or by a fraction of theirs."""
_ROW: Final = msgspec.json.Decoder(ContractRow)
_DIVISION: Final = Context(prec=20)


def instrument_of(venue: str, raw: msgspec.Raw) -> Instrument | None:
    """Return the perpetual or future of `venue` in a row; None for what is neither.

    Raises:
        MarketError, msgspec.MsgspecError, ArithmeticError: the row cannot be read.
    """
    row = _ROW.decode(raw)
    tick, lot, multiplier = (
        positive(text_of(row.tick_size)),
        positive(text_of(row.lot_size)),
        decimal_text(text_of(row.multiplier)),
    )
    to_settle = decimal_text(
        text_of(
            row.underlying_to_settle_multiplier
            if row.is_inverse
            else row.quote_to_settle_multiplier
        )
    )
    perpetual = row.typ in _PERPETUAL
    if not perpetual and (row.typ != _DATED or row.expiry is None):
        return None
    base, quote = (_COMMON_NAMES.get(name, name) for name in (row.underlying, row.quote_currency))
    # The day of expiry in UTC, as dated contracts are named everywhere.
    term = "PERP" if perpetual or row.expiry is None else f"{row.expiry:%y%m%d}"
    return Instrument(
        id=InstrumentId(venue, row.symbol),
        canonical=f"{base}-{quote}-{term}",
        base=base,
        quote=quote,
        margin=_COMMON_NAMES.get(row.settl_currency, row.settl_currency.upper()),
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=_DIVISION.divide(Decimal(multiplier), Decimal(to_settle)),
        linear=not row.is_inverse,
        perpetual=perpetual,
        trading=row.state == "Open",
    )
