"""Served candles and past fundings: the adapters read them page by page at every venue."""

from __future__ import annotations

import itertools
import json
import random
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors.market.candle import Candle
from perps_actors.market.events import FundingPaid
from perps_actors.simulator.market import SyntheticMarket
from perps_actors.simulator.synthetic_history import FUNDING_NS, MINUTES_BEFORE
from perps_actors.simulator.venues import SERVED, side_of
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.registry import venue

S = 1_000_000_000
START = 1_700_000_000 * S
STEP = 10 * S


def market_of(name, seed=1, steps=60):
    side = side_of(name)
    market = SyntheticMarket(name, side.terms.symbols[:1], side.terms, random.Random(seed))
    trades = [
        trade
        for step in range(steps)
        for market_step in market.step(START + step * STEP)
        for trade in market_step.trades
    ]
    return side, market, side.terms.symbols[0], trades


def read(name, side, market, requests, now_ns):
    rest, outcomes = venue(name).rest(venue(name).endpoints), []
    for request in requests:
        url = urlsplit(request.url)
        answer = side.rest.answer(url.path, url.query, market, now_ns)
        outcomes += rest.read(rest.request_for(request.url), answer.status, answer.body, 0)
    return outcomes


def core(candle):
    prices = tuple(
        Decimal(text)
        for text in (candle.open, candle.high, candle.low, candle.close, candle.volume)
    )
    return candle.instrument, candle.interval_s, candle.open_time_ns, prices


@pytest.mark.parametrize("name", SERVED)
@given(data=st.data(), seed=st.integers(0, 2**32))
@settings(max_examples=6, deadline=None)
def test_the_adapter_reads_candles_of_any_span_and_length(name, data, seed) -> None:
    side, market, symbol, _ = market_of(name, seed)
    rest = venue(name).rest(venue(name).endpoints)
    interval_s = data.draw(st.sampled_from(sorted(rest.intervals)))
    now_ns = START + 59 * STEP
    # Less than one answer holds, or more than any venue puts into one.
    count = data.draw(st.one_of(st.integers(0, 100), st.integers(2_001, 2_500)))
    since_ns = now_ns - count * interval_s * S
    until_ns = data.draw(st.integers(since_ns, now_ns + 3_600 * S))
    served = market.candles(symbol, interval_s, since_ns, until_ns)
    if name == "bitmex":
        served = [candle for candle in served if candle.closed]
    told = read(name, side, market, rest.candles(symbol, interval_s, since_ns, until_ns), now_ns)
    assert [outcome for outcome in told if not isinstance(outcome, Candle)] == []
    assert sorted(map(core, told)) == list(map(core, served))


@pytest.mark.parametrize("name", SERVED)
def test_the_adapter_reads_past_fundings(name) -> None:
    side, market, symbol, _ = market_of(name)
    rest, now_ns = venue(name).rest(venue(name).endpoints), START + 59 * STEP
    since_ns = now_ns - 20 * FUNDING_NS
    told = read(name, side, market, rest.funding_history(symbol, since_ns, now_ns), now_ns)
    assert all(isinstance(outcome, FundingPaid) for outcome in told), told
    asked = {(paid.time_ns, Decimal(paid.rate)) for paid in told if paid.time_ns >= since_ns}
    assert len(asked) == 20
    assert asked == {
        (paid.time_ns, Decimal(paid.rate)) for paid in market.fundings(symbol, since_ns, now_ns)
    }


@pytest.mark.parametrize("name", SERVED)
def test_unknown_history_is_refused_instead_of_empty(name) -> None:
    side, market, symbol, _ = market_of(name)
    market.candles = market.fundings = lambda *_: None
    rest = venue(name).rest(venue(name).endpoints)
    interval_s = min(rest.intervals)
    asked = [
        *rest.candles(symbol, interval_s, START, START + 60 * S),
        *rest.funding_history(symbol, START, START + S),
    ]
    told = read(name, side, market, asked, START)
    assert [type(outcome) for outcome in told] == [InvalidInput, InvalidInput]


@pytest.mark.parametrize("name", SERVED)
def test_invalid_parameters_are_ignored(name) -> None:
    side, market, symbol, _ = market_of(name, steps=2)
    rest = venue(name).rest(venue(name).endpoints)
    for request in (
        *rest.candles(symbol, min(rest.intervals), START, START + 60 * S),
        *rest.funding_history(symbol, START, START + S),
    ):
        url = urlsplit(request.url)
        for value in ("x", "-1", "9" * 30, "²"):
            query = "&".join(f"{part.partition('=')[0]}={value}" for part in url.query.split("&"))
            assert side.rest.answer(url.path, query, market, START).status in range(200, 600)


def test_minutes_have_the_trades_and_ten_days_before_the_start_exist() -> None:
    _, market, symbol, trades = market_of("binance_futures", steps=90)
    minutes = market.candles(symbol, 60, START - START % (60 * S), START + 10**15)
    assert len(minutes) == 16
    of_second = [
        trade
        for trade in trades
        if minutes[1].open_time_ns <= trade.venue_time_ns < minutes[2].open_time_ns
    ]
    assert Decimal(minutes[1].volume) == sum(Decimal(trade.amount) for trade in of_second)
    assert minutes[1].close == of_second[-1].price
    assert [candle.closed for candle in minutes] == [True] * 15 + [False]
    before = market.candles(symbol, 60, 0, minutes[0].open_time_ns)
    assert len(before) == MINUTES_BEFORE
    assert before[-1].close == minutes[0].open
    assert all(one.close == other.open for one, other in itertools.pairwise(before))


def test_a_settled_funding_has_the_rate_announced_before() -> None:
    side = side_of("bybit")
    market = SyntheticMarket("bybit", side.terms.symbols[:1], side.terms, random.Random(3))
    symbol, settlement = side.terms.symbols[0], (START // FUNDING_NS + 1) * FUNDING_NS
    announced = None
    for second in range(-5, 5):
        for market_step in market.step(settlement + second * S):
            if market_step.mark is not None and market_step.mark[1].next_time_ns == settlement:
                announced = market_step.mark[1].rate
    (paid,) = market.fundings(symbol, settlement, settlement + S)
    assert announced is not None
    assert Decimal(paid.rate) == Decimal(announced)


def test_a_chart_without_candles_has_the_status_no_data() -> None:
    side, market, symbol, _ = market_of("deribit", steps=1)
    query = f"instrument_name={symbol}&start_timestamp=0&end_timestamp=1&resolution=1"
    answer = side.rest.answer("/api/v2/public/get_tradingview_chart_data", query, market, START)
    assert json.loads(answer.body)["result"]["status"] == "no_data"
