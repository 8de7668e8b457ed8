"""A synthetic market on the tick grid. Equal seeds and equal times give equal data."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from perps_actors.market.candle import Candle
from perps_actors.market.events import Funding, FundingPaid, Touch, Trade, VenueMark
from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import DecimalText
from perps_actors.simulator.synthetic_history import FUNDING_NS, SyntheticHistory
from perps_actors.simulator.venue_contract import Depth, MarketStep, WholeTicker
from perps_actors.simulator.venues import Terms, contract

LEVELS: Final = 25
"""Levels on each side of a book."""

_NS_PER_S: Final = 1_000_000_000
_HELD_AT_FIRST: Final = 2_000_000
"""Open interest in lots at the start; trades change it."""


class _Grid:
    """Formats multiples of a step with all of its decimals."""

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
    """Random walk of one instrument: book, trades, venue mark, funding. Counts ticks and lots."""

    def __init__(
        self, instrument: Instrument, price: int, rng: random.Random, *, counts_by_one: bool = False
    ) -> None:
        self.instrument = instrument
        self._by_one = counts_by_one
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
        self._last_price, self._held = price, _HELD_AT_FIRST
        self._last_ns = 0
        self._changes()
        self._sent_mark = self.venue_mark()
        self._past: SyntheticHistory | None = None

    def step(self, now_ns: int) -> MarketStep:
        """Move the market to `now_ns` (nanoseconds since 1970) and return the changes."""
        self._last_ns = now_ns
        past = self._behind(now_ns)
        trades = tuple(self._trades(now_ns, past))
        self._walk()
        before = set(self._bids), set(self._asks)
        bids, asks = self._changes()
        added = frozenset(
            self._price.text(price)
            for price in (self._bids.keys() - before[0]) | (self._asks.keys() - before[1])
        )
        previous = self._update
        self._update += 1 if self._by_one else len(bids) + len(asks)
        depth = Depth(
            self.instrument.id.symbol,
            self._update,
            bids,
            asks,
            now_ns,
            previous + 1,
            previous,
            added,
        )
        touch, mark = self.touch(), self._mark_when_due(now_ns)
        return MarketStep(
            trades, depth, touch, mark, WholeTicker(touch, *self._sent_mark, self.open_interest())
        )

    def depth(self) -> Depth:
        """Return the whole book, best levels first."""
        bids = tuple(
            (self._price.text(p), self._lot.text(self._bids[p]))
            for p in sorted(self._bids, reverse=True)
        )
        asks = tuple(
            (self._price.text(p), self._lot.text(self._asks[p])) for p in sorted(self._asks)
        )
        return Depth(self.instrument.id.symbol, self._update, bids, asks, self._last_ns)

    def touch(self) -> Touch:
        """Return the best bid and ask, with the price of the last trade."""
        bid, ask = self._price.text(self._bid), self._price.text(self._ask)
        sizes = self._lot.text(self._bids[self._bid]), self._lot.text(self._asks[self._ask])
        last = self._price.text(self._last_price)
        return Touch(
            self.instrument.id, bid, sizes[0], ask, sizes[1], last, self._last_ns, self._last_ns
        )

    def venue_mark(self) -> tuple[VenueMark, Funding]:
        """Return mark, index and funding. A mark at the time of a settlement still names it."""
        mark, index = self._price.text(self._bid), self._price.text(max(1, self._bid - 2))
        settlement = ((self._last_ns - 1) // FUNDING_NS + 1) * FUNDING_NS
        rate = DecimalText(f"{'-' if self._rate < 0 else ''}0.{abs(self._rate):06d}00")
        at = self._last_ns
        return (
            VenueMark(self.instrument.id, mark, index, at, at),
            Funding(self.instrument.id, rate, None, settlement, mark, at, at),
        )

    def open_interest(self) -> DecimalText:
        """Return the open interest in contracts."""
        return self._lot.text(self._held)

    def candles(self, interval_s: int, since_ns: int, until_ns: int) -> list[Candle]:
        """Return the candles that opened in a time span, oldest first."""
        return self._behind(self._last_ns).candles(interval_s, since_ns, until_ns, self._last_ns)

    def fundings(self, since_ns: int, until_ns: int) -> list[FundingPaid]:
        """Return the fundings that were settled in a time span, oldest first."""
        return self._behind(self._last_ns).fundings(since_ns, until_ns, self._last_ns)

    def _behind(self, now_ns: int) -> SyntheticHistory:
        if self._past is None:
            self._past = SyntheticHistory(
                self.instrument.id,
                self._price.text,
                self._lot.text,
                price=self._last_price,
                now_ns=now_ns,
            )
        return self._past

    def _trades(self, now_ns: int, past: SyntheticHistory) -> Iterator[Trade]:
        for _ in range(self._rng.choice((0, 0, 1, 1, 2))):
            buys = self._rng.random() < 0.5
            price, side = (self._ask, self._asks) if buys else (self._bid, self._bids)
            taken = self._rng.randint(1, max(1, side[price] // 4))
            self._trade += 1
            self._last_price = price
            past.traded(price, taken, now_ns)
            self._held = max(_HELD_AT_FIRST // 2, self._held + (taken if buys else -taken))
            amount, number = self._lot.text(taken), str(self._trade)
            yield Trade(
                self.instrument.id,
                "buy" if buys else "sell",
                self._price.text(price),
                amount,
                number,
                now_ns,
                now_ns,
            )

    def _walk(self) -> None:
        self._bid = max(self._floor, self._bid + self._rng.choice((-3, -1, -1, 0, 0, 0, 1, 1, 3)))
        self._ask = self._bid + self._rng.choice((1, 1, 1, 2, 3))

    def _changes(self) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
        bids = self._change_side(self._bids, range(self._bid, self._bid - LEVELS, -1))
        asks = self._change_side(self._asks, range(self._ask, self._ask + LEVELS))
        if bids or asks:
            return bids, asks
        # A new update number without a message would be a gap, so change a level.
        self._bids[self._bid] += 1
        return ((self._price.text(self._bid), self._lot.text(self._bids[self._bid])),), ()

    def _change_side(self, side: dict[int, int], wanted: range) -> tuple[tuple[str, str], ...]:
        changed = {price: 0 for price in side if price not in wanted}
        changed |= {
            price: self._rng.randint(1, 5000)
            for price in wanted
            if price not in side or self._rng.random() < 0.15
        }
        for price, lots in changed.items():
            if lots:
                side[price] = lots
            else:
                del side[price]
        return tuple(
            (self._price.text(price), self._lot.text(lots)) for price, lots in changed.items()
        )

    def _mark_when_due(self, now_ns: int) -> tuple[VenueMark, Funding] | None:
        second = now_ns // _NS_PER_S
        if second == self._second:
            return None
        self._second = second
        self._rate = max(-750, min(750, self._rate + self._rng.randint(-3, 3)))
        before_mark, self._sent_mark = self._sent_mark, self.venue_mark()
        settled_ns, rate = before_mark[1].next_time_ns, before_mark[1].rate
        if (
            self._past is not None
            and settled_ns is not None
            and rate is not None
            and settled_ns != self._sent_mark[1].next_time_ns
        ):
            self._past.paid(rate, settled_ns)
        return self._sent_mark


class SyntheticMarket:
    """A `MarketView` of synthetic instruments.

    Each instrument has a random generator of its own, seeded in the order of the symbols, so that
    adding a symbol does not change the ones before it.
    """

    def __init__(
        self, venue: str, symbols: Sequence[str], terms: Terms, rng: random.Random
    ) -> None:
        own = (random.Random(rng.getrandbits(64)) for _ in symbols)  # noqa: S311 - a market
        self._of = {
            symbol: _synthetic_instrument(venue, symbol, terms, generator)
            for symbol, generator in zip(symbols, own, strict=True)
        }

    def step(self, now_ns: int) -> list[MarketStep]:
        """Move every instrument to `now_ns` and return the changes of each."""
        return [instrument.step(now_ns) for instrument in self._of.values()]

    def instruments(self) -> tuple[Instrument, ...]:
        """Return the listed instruments."""
        return tuple(instrument.instrument for instrument in self._of.values())

    def depth(self, symbol: str) -> Depth | None:
        """Return the whole book."""
        return self._of[symbol].depth() if symbol in self._of else None

    def touch(self, symbol: str) -> Touch | None:
        """Return the best bid and ask."""
        return self._of[symbol].touch() if symbol in self._of else None

    def venue_mark(self, symbol: str) -> tuple[VenueMark, Funding] | None:
        """Return venue mark, index and funding."""
        return self._of[symbol].venue_mark() if symbol in self._of else None

    def open_interest(self, symbol: str) -> DecimalText | None:
        """Return the open interest in contracts."""
        return self._of[symbol].open_interest() if symbol in self._of else None

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> list[Candle] | None:
        """Return the candles that opened in a time span, oldest first."""
        return (
            self._of[symbol].candles(interval_s, since_ns, until_ns) if symbol in self._of else None
        )

    def fundings(self, symbol: str, since_ns: int, until_ns: int) -> list[FundingPaid] | None:
        """Return the fundings that were settled in a time span, oldest first."""
        return self._of[symbol].fundings(since_ns, until_ns) if symbol in self._of else None


def _synthetic_instrument(
    venue: str, symbol: str, terms: Terms, rng: random.Random
) -> SyntheticInstrument:
    price, tick, lot = terms.typical.get(symbol) or (
        rng.randrange(2_000, 90_000),
        rng.choice(("0.0001", "0.001", "0.01")),
        "1",
    )
    listed = contract(venue, symbol, terms, tick=Decimal(tick), lot=Decimal(lot))
    return SyntheticInstrument(listed, price, rng, counts_by_one=terms.counts_by_one)
