"""A synthetic market: seeded, pure, on the tick grid. Equal seeds and equal times give equal happenings."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

import attrs

from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.venues.serving import Depth

LEVELS: Final = 25
"""Levels a side of every book."""

_NS_PER_S: Final = 1_000_000_000
_FUNDING_NS: Final = 8 * 3600 * _NS_PER_S
_QUOTES: Final = ("USDT", "USDC", "BUSD", "FDUSD", "USD", "BTC")
# Price in ticks, tick and lot of well-known contracts; others get plausible ones out of the seed.
_KNOWN: Final = {
    "BTCUSDT": (675_000, "0.10", "0.001"),
    "ETHUSDT": (262_000, "0.01", "0.001"),
    "SOLUSDT": (1_520_00, "0.0010", "1"),
    "XRPUSDT": (5_200, "0.0001", "0.1"),
    "DOGEUSDT": (11_000, "0.000010", "1"),
}


@attrs.frozen
class Happening:
    """What one step did to one instrument, in the order in which a venue tells it."""

    trades: tuple[Trade, ...]
    depth: Depth
    touch: Touch
    mark: tuple[VenueMark, Funding] | None
    """Once a second."""


def split_pair(symbol: str) -> tuple[str, str]:
    """Return (base, quote) of a symbol spelled without a separator; a dated contract's date is left out."""
    pair = symbol.partition("_")[0]
    for quote in _QUOTES:
        if pair.endswith(quote) and len(pair) > len(quote):
            return pair.removesuffix(quote), quote
    return pair, "USDT"


def linear_perpetual(venue: str, symbol: str, *, tick: Decimal, lot: Decimal, perpetual: bool = True) -> Instrument:
    """Return a linear contract on one unit of the base asset, margined in the quote asset."""
    base, quote = split_pair(symbol)
    return Instrument(
        id=InstrumentId(venue, symbol),
        canonical=f"{base}-{quote}-PERP" if perpetual else symbol,
        base=base,
        quote=quote,
        margin=quote,
        tick=tick,
        lot=lot,
        contract_size=Decimal(1),
        linear=True,
        perpetual=perpetual,
        trading=True,
    )


class _Grid:
    """Spells whole numbers of a step as decimal text, always with the step's decimals."""

    def __init__(self, step: Decimal) -> None:
        exponent = step.as_tuple().exponent
        self._decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
        self._unit = int(step.scaleb(self._decimals))

    def text(self, steps: int) -> DecimalText:
        if not self._decimals:
            return DecimalText(str(steps * self._unit))
        whole, fraction = divmod(steps * self._unit, 10**self._decimals)
        return DecimalText(f"{whole}.{fraction:0{self._decimals}d}")


class SyntheticInstrument:
    """One instrument's walk: book, trades, mark, funding. Prices and quantities are whole ticks and lots inside."""

    def __init__(self, instrument: Instrument, price: int, rng: random.Random) -> None:
        self.instrument = instrument
        self._rng = rng
        self._price, self._lot = _Grid(instrument.tick), _Grid(instrument.lot)
        self._floor = price // 4
        self._bid, self._ask = price, price + 1
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._update = rng.randrange(10**9, 10**10)
        self._trade = rng.randrange(10**6, 10**8)
        self._rate = rng.randrange(-200, 400)
        self._second = -1
        self._changes()
        self._last_ns = 0

    def step(self, now_ns: int) -> Happening:
        """Move the market on to `now_ns` (nanoseconds since 1970) and return what happened."""
        self._last_ns = now_ns
        trades = tuple(self._trades(now_ns))
        self._walk()
        bids, asks = self._changes()
        previous = self._update
        self._update += max(1, len(bids) + len(asks))
        depth = Depth(self.instrument.id.symbol, self._update, bids, asks, now_ns, previous + 1, previous)
        return Happening(trades, depth, self.touch(), self._mark_when_due(now_ns))

    def depth(self) -> Depth:
        """Return the whole book, best levels first."""
        bids = tuple((self._price.text(p), self._lot.text(self._bids[p])) for p in sorted(self._bids, reverse=True))
        asks = tuple((self._price.text(p), self._lot.text(self._asks[p])) for p in sorted(self._asks))
        return Depth(self.instrument.id.symbol, self._update, bids, asks, self._last_ns)

    def touch(self) -> Touch:
        """Return the best bid and ask."""
        bid, ask = self._price.text(self._bid), self._price.text(self._ask)
        sizes = self._lot.text(self._bids[self._bid]), self._lot.text(self._asks[self._ask])
        return Touch(self.instrument.id, bid, sizes[0], ask, sizes[1], None, self._last_ns, self._last_ns)

    def venue_mark(self) -> tuple[VenueMark, Funding]:
        """Return mark, index and funding of now. A mark stamped exactly at a settlement still names that settlement."""
        mark, index = self._price.text(self._bid), self._price.text(max(1, self._bid - 2))
        settlement = ((self._last_ns - 1) // _FUNDING_NS + 1) * _FUNDING_NS
        rate = DecimalText(f"{'-' if self._rate < 0 else ''}0.{abs(self._rate):06d}00")
        at = self._last_ns
        return (
            VenueMark(self.instrument.id, mark, index, at, at),
            Funding(self.instrument.id, rate, None, settlement, mark, at, at),
        )

    def _trades(self, now_ns: int) -> Iterator[Trade]:
        for _ in range(self._rng.choice((0, 0, 1, 1, 2))):
            buys = self._rng.random() < 0.5
            price, side = (self._ask, self._asks) if buys else (self._bid, self._bids)
            taken = self._rng.randint(1, max(1, side[price] // 4))
            self._trade += 1
            amount, number = self._lot.text(taken), str(self._trade)
            yield Trade(self.instrument.id, "buy" if buys else "sell", self._price.text(price), amount, number, now_ns, now_ns)

    def _walk(self) -> None:
        self._bid = max(self._floor, self._bid + self._rng.choice((-3, -1, -1, 0, 0, 0, 1, 1, 3)))
        self._ask = self._bid + self._rng.choice((1, 1, 1, 2, 3))

    def _changes(self) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
        bids = self._change_side(self._bids, range(self._bid, self._bid - LEVELS, -1))
        asks = self._change_side(self._asks, range(self._ask, self._ask + LEVELS))
        return bids, asks

    def _change_side(self, side: dict[int, int], wanted: range) -> tuple[tuple[str, str], ...]:
        changed = {price: 0 for price in side if price not in wanted}
        changed |= {price: self._rng.randint(1, 5000) for price in wanted if price not in side or self._rng.random() < 0.15}
        for price, lots in changed.items():
            if lots:
                side[price] = lots
            else:
                del side[price]
        return tuple((self._price.text(price), self._lot.text(lots)) for price, lots in changed.items())

    def _mark_when_due(self, now_ns: int) -> tuple[VenueMark, Funding] | None:
        second = now_ns // _NS_PER_S
        if second == self._second:
            return None
        self._second = second
        self._rate = max(-750, min(750, self._rate + self._rng.randint(-3, 3)))
        return self.venue_mark()


class SyntheticMarket:
    """Some instruments, each with its own randomness out of the one given: adding one does not change those before it."""

    def __init__(self, venue: str, symbols: Sequence[str], rng: random.Random) -> None:
        self._of = {symbol: self._instrument(venue, symbol, random.Random(rng.getrandbits(64))) for symbol in symbols}  # noqa: S311

    @staticmethod
    def _instrument(venue: str, symbol: str, rng: random.Random) -> SyntheticInstrument:
        price, tick, lot = _KNOWN.get(symbol) or (rng.randrange(2_000, 90_000), rng.choice(("0.0001", "0.001", "0.01")), "1")
        return SyntheticInstrument(linear_perpetual(venue, symbol, tick=Decimal(tick), lot=Decimal(lot)), price, rng)

    def step(self, now_ns: int) -> list[Happening]:
        """Move every instrument on to `now_ns` and return what happened, an instrument at a time."""
        return [instrument.step(now_ns) for instrument in self._of.values()]

    def instruments(self) -> tuple[Instrument, ...]:
        """Return what is listed."""
        return tuple(instrument.instrument for instrument in self._of.values())

    def depth(self, symbol: str) -> Depth:
        """Return the whole book of a listed symbol."""
        return self._of[symbol].depth()

    def touch(self, symbol: str) -> Touch:
        """Return the best bid and ask of a listed symbol."""
        return self._of[symbol].touch()

    def venue_mark(self, symbol: str) -> tuple[VenueMark, Funding]:
        """Return mark, index and funding of a listed symbol."""
        return self._of[symbol].venue_mark()
