"""History of a synthetic contract: its minutes, invented ones before the start, and fundings."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from perps_actors.market.candle import Candle, candle_of
from perps_actors.market.events import FundingPaid
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText

FUNDING_NS: Final = 8 * 3600 * 1_000_000_000
"""Time between two settlements."""
MINUTES_BEFORE: Final = 10 * 24 * 60
"""Invented minutes before the start of the market."""
SETTLEMENTS_BEFORE: Final = 90

_MINUTE_S: Final = 60
_MINUTE_NS: Final = _MINUTE_S * 1_000_000_000


@attrs.define
class _Minute:
    """Trades of a minute, in ticks and lots."""

    open: int
    high: int
    low: int
    close: int
    volume: int = 0

    def add(self, price: int, lots: int) -> None:
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume += lots


class SyntheticHistory:
    """History of one contract. Equal contracts, starts and trades give equal histories.

    Args:
        instrument: the contract.
        spell_price: formats a price in ticks.
        spell_volume: formats a volume in lots.
        price: price in ticks at the start of the market.
        now_ns: start of the market.
    """

    def __init__(
        self,
        instrument: InstrumentId,
        spell_price: Callable[[int], DecimalText],
        spell_volume: Callable[[int], DecimalText],
        *,
        price: int,
        now_ns: int,
    ) -> None:
        self._instrument = instrument
        self._spell_price, self._spell_volume = spell_price, spell_volume
        self._began = now_ns // _MINUTE_NS
        self._minutes = {self._began: _Minute(price, price, price, price)}
        self._invented = False
        self._paid: dict[int, DecimalText] = {}

    def traded(self, price: int, lots: int, time_ns: int) -> None:
        """Note a trade."""
        self._minute(time_ns // _MINUTE_NS).add(price, lots)

    def paid(self, rate: DecimalText, time_ns: int) -> None:
        """Note a funding that was settled."""
        self._paid[time_ns] = rate

    def candles(self, interval_s: int, since_ns: int, until_ns: int, now_ns: int) -> list[Candle]:
        """Return the candles that opened in a time span, oldest first, as far back as known."""
        self._invent()
        self._minute(now_ns // _MINUTE_NS)
        length = interval_s // _MINUTE_S
        first = max(-(-since_ns // _MINUTE_NS), self._began - MINUTES_BEFORE - length)
        last = min(-(-until_ns // _MINUTE_NS), now_ns // _MINUTE_NS + 1)
        begun = range(-(-first // length) * length, last, length)
        found = (
            (
                minute,
                [
                    self._minutes[each]
                    for each in range(minute, minute + length)
                    if each in self._minutes
                ],
            )
            for minute in begun
        )
        return [self._candle(minute, interval_s, minutes) for minute, minutes in found if minutes]

    def fundings(self, since_ns: int, until_ns: int, now_ns: int) -> list[FundingPaid]:
        """Return the fundings that were settled in a time span, oldest first."""
        began_ns = self._began * _MINUTE_NS
        first = max(since_ns, began_ns - SETTLEMENTS_BEFORE * FUNDING_NS)
        due = range(-(-first // FUNDING_NS) * FUNDING_NS, min(until_ns, now_ns + 1), FUNDING_NS)
        return [
            FundingPaid(self._instrument, self._paid.get(at) or self._rate_of(at), at, None, now_ns)
            for at in due
        ]

    def _minute(self, number: int) -> _Minute:
        """Return a minute; minutes without trades before it get the close of the last one."""
        latest = next(reversed(self._minutes))
        for each in range(latest + 1, number + 1):
            close = self._minutes[each - 1].close
            self._minutes[each] = _Minute(close, close, close, close)
        return self._minutes[max(number, self._began)]

    def _invent(self) -> None:
        if self._invented:
            return
        self._invented = True
        rng = random.Random(f"{self._instrument} before")  # noqa: S311 - a market, not a secret
        before: dict[int, _Minute] = {}
        close, step = (
            self._minutes[self._began].open,
            max(1, self._minutes[self._began].open // 20_000),
        )
        for number in range(self._began - 1, self._began - 1 - MINUTES_BEFORE, -1):
            begun = max(step * 10, close + rng.randint(-step, step))
            high, low = (
                max(begun, close) + rng.randint(0, step),
                min(begun, close) - rng.randint(0, step),
            )
            before[number] = _Minute(begun, high, low, close, rng.randint(1, 500))
            close = begun
        self._minutes = dict(reversed(before.items())) | self._minutes

    def _candle(self, minute: int, interval_s: int, minutes: Sequence[_Minute]) -> Candle:
        spell = self._spell_price
        high, low = max(each.high for each in minutes), min(each.low for each in minutes)
        prices = (spell(minutes[0].open), spell(high), spell(low), spell(minutes[-1].close))
        return candle_of(
            self._instrument,
            interval_s,
            minute * _MINUTE_NS,
            prices,
            self._spell_volume(sum(each.volume for each in minutes)),
            closed=minute + interval_s // _MINUTE_S <= next(reversed(self._minutes)),
            received_ns=0,
        )

    def _rate_of(self, time_ns: int) -> DecimalText:
        drawn = random.Random(f"{self._instrument} {time_ns}")  # noqa: S311 - a market, no secret
        rate = drawn.randint(-200, 400)
        return DecimalText(f"{'-' if rate < 0 else ''}0.{abs(rate):06d}")
