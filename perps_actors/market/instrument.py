"""Instruments: their identity, which keys all data, and their contract details."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import attrs


class InstrumentId(NamedTuple):
    """Identity of an instrument. A tuple, because it is hashed for every mark."""

    venue: str
    """Name of the venue, e.g. `binance_futures`."""
    symbol: str
    """The venue's own spelling, e.g. `BTCUSDT`."""

    def __str__(self) -> str:
        return f"{self.venue}:{self.symbol}"


@attrs.frozen(kw_only=True)
class Instrument:
    """An instrument as its venue lists it."""

    id: InstrumentId
    canonical: str
    """Name across venues, e.g. `BTC-USDT-PERP`."""
    base: str
    quote: str
    margin: str
    """Currency of margin and of profit and loss."""
    tick: Decimal
    """Smallest step of a price, in quote currency."""
    lot: Decimal
    """Smallest step of a quantity, in contracts or base asset as the venue counts."""
    contract_size: Decimal
    """Units of the base asset (linear) or of the quote currency (inverse) in one contract."""
    linear: bool
    perpetual: bool
    trading: bool
