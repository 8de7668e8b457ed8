from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from perps_actors.market.events import BookTop
from perps_actors.market.instrument import InstrumentId
from perps_actors.simulator.market import LEVELS, SyntheticMarket
from perps_actors.simulator.venues import contract, side_of, split_pair
from perps_actors.simulator.venues.binance_futures.rest import BinanceRestSide
from perps_actors.venues.binance_futures.rest import BinanceFuturesRest
from perps_actors.venues.binance_futures.schema import USD_M
from perps_actors.venues.binance_futures.stream import BinanceFuturesStream
from perps_actors.venues.contract import InvalidInput

TERMS = side_of("binance_futures").terms


START = 1_700_000_000_000_000_000
STEP = 100_000_000
SYMBOLS = ("BTCUSDT", "ETHUSDT", "NEWUSDC")
SEEDS = st.integers(0, 2**32)


def market(seed: int) -> SyntheticMarket:
    return SyntheticMarket("binance_futures", SYMBOLS, TERMS, random.Random(seed))


def frames(seed: int, steps: int) -> list[tuple[str, bytes]]:
    made = market(seed)
    streams = side_of("binance_futures").streams
    return [
        frame
        for n in range(steps)
        for market_step in made.step(START + n * STEP)
        for frame in streams.frames_of(market_step)
    ]


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(0, 20), st.integers(1, 30))
@example(20, 0, 20)  # step 17 changes no level of its own
def test_deltas_applied_to_a_snapshot_give_the_book(seed: int, before: int, after: int) -> None:
    made = market(seed)
    for n in range(before):
        made.step(START + n * STEP)
    snapshots = {symbol: made.depth(symbol) for symbol in SYMBOLS}
    books = {symbol: (dict(book.bids), dict(book.asks)) for symbol, book in snapshots.items()}
    last = {symbol: book.last for symbol, book in snapshots.items()}
    for n in range(after):
        for market_step in made.step(START + (before + n) * STEP):
            change = market_step.depth
            assert (change.previous, change.first) == (last[change.symbol], last[change.symbol] + 1)
            assert 0 < len(change.bids) + len(change.asks) == change.last - change.previous
            last[change.symbol] = change.last
            for side, levels in zip(books[change.symbol], (change.bids, change.asks), strict=True):
                side.update(levels)
    for symbol, (bids, asks) in books.items():
        book = made.depth(symbol)
        assert {price: size for price, size in bids.items() if Decimal(size)} == dict(book.bids)
        assert {price: size for price, size in asks.items() if Decimal(size)} == dict(book.asks)
        assert book.last == last[symbol]


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 60))
def test_every_book_is_complete_uncrossed_and_on_its_tick_grid(seed: int, steps: int) -> None:
    made = market(seed)
    for n in range(steps):
        made.step(START + n * STEP)
    for instrument in made.instruments():
        book, touch = made.depth(instrument.id.symbol), made.touch(instrument.id.symbol)
        assert (len(book.bids), len(book.asks)) == (LEVELS, LEVELS)
        assert Decimal(0) < Decimal(book.bids[0][0]) < Decimal(book.asks[0][0])
        assert (touch.bid, touch.bid_size, touch.ask, touch.ask_size) == (
            *book.bids[0],
            *book.asks[0],
        )
        for price, size in (*book.bids, *book.asks):
            assert Decimal(price) % instrument.tick == 0
            assert Decimal(size) % instrument.lot == 0
            assert Decimal(size) > 0


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_the_same_seed_gives_the_same_frames(seed: int) -> None:
    assert frames(seed, 12) == frames(seed, 12)
    assert frames(seed, 12) != frames(seed + 1, 12)


def test_the_adapter_follows_the_market_without_invalid_input() -> None:
    made, adapter, streams = market(7), BinanceFuturesStream(), side_of("binance_futures").streams
    kinds = set()
    for n in range(50):
        for market_step in made.step(START + n * STEP):
            for _, frame in streams.frames_of(market_step):
                outcomes = list(adapter.frame("public-0", frame, START))
                if n == 0:
                    for request in (outcome for outcome in outcomes if hasattr(outcome, "purpose")):
                        answer = BinanceRestSide(USD_M).answer(
                            "/fapi/v1/depth", f"symbol={request.symbol}&limit=1000", made, START
                        )
                        outcomes += adapter.answer(request, answer.status, answer.body, START)
                assert not [outcome for outcome in outcomes if isinstance(outcome, InvalidInput)]
                kinds |= {type(outcome).__name__ for outcome in outcomes}
    assert {"BookTop", "Touch", "Trade", "VenueMark", "Funding"} <= kinds
    assert adapter.depth("BTCUSDT", LEVELS) == tuple(
        map(list, (made.depth("BTCUSDT").bids, made.depth("BTCUSDT").asks))
    )
    assert BookTop.__name__ in kinds


def test_the_rest_adapter_reads_the_listed_instruments() -> None:
    made = market(1)
    listed = BinanceFuturesRest().read_instruments(
        BinanceRestSide(USD_M).answer("/fapi/v1/exchangeInfo", "", made, START).body
    )
    assert [(one.id, one.base, one.quote, one.tick, one.lot, one.perpetual) for one in listed] == [
        (one.id, one.base, one.quote, one.tick, one.lot, True) for one in made.instruments()
    ]


def test_a_mark_comes_once_a_second_with_the_next_settlement() -> None:
    made = market(3)
    settlement = 8 * 3600 * 1_000_000_000 * 60_000
    marks = [made.step(settlement - 500_000_000 + n * STEP)[0].mark for n in range(20)]
    assert [n for n, mark in enumerate(marks) if mark is not None] == [0, 5, 15]
    assert [mark[1].next_time_ns - settlement for mark in marks if mark is not None] == [
        0,
        0,
        8 * 3600 * 1_000_000_000,
    ]


def test_a_ticker_has_touch_last_trade_mark_of_the_second_and_open_interest() -> None:
    made, told, last, held = market(3), None, None, None
    for n in range(40):
        market_step = made.step(START + n * STEP)[0]
        told = market_step.mark or told
        last = market_step.trades[-1].price if market_step.trades else last
        ticker, before, held = market_step.ticker, held, Decimal(market_step.ticker.open_interest)
        assert (ticker.touch, ticker.mark, ticker.funding) == (market_step.touch, *told)
        assert last in (None, ticker.touch.last)
        moved = sum(
            Decimal(trade.amount) if trade.side == "buy" else -Decimal(trade.amount)
            for trade in market_step.trades
        )
        assert before in (None, held - moved)
    assert last is not None


def test_an_added_symbol_does_not_change_the_symbols_before_it() -> None:
    few = SyntheticMarket("binance_futures", SYMBOLS[:1], TERMS, random.Random(5)).step(START)
    assert few[0] == market(5).step(START)[0]
    assert few[0].depth.symbol == InstrumentId("binance_futures", "BTCUSDT").symbol


@pytest.mark.parametrize(
    ("venue", "symbol", "told"),
    [
        ("kraken_futures", "PF_XBTUSD", ("BTC", "USD", "USD", True)),
        ("kraken_futures", "FI_XBTUSD_210924", ("BTC", "USD", "BTC", False)),
        ("deribit", "ETH-PERPETUAL", ("ETH", "USD", "ETH", False)),
        ("deribit", "ETH_USDC-PERPETUAL", ("ETH", "USDC", "USDC", True)),
        ("binance_delivery", "BTCUSD_PERP", ("BTC", "USD", "BTC", False)),
        ("htx_swap", "ETH-USDT", ("ETH", "USDT", "USDT", True)),
        ("htx_swap", "ETH-USD", ("ETH", "USD", "ETH", False)),
    ],
)
def test_a_contract_is_inverse_by_its_symbol_or_its_venue(
    venue: str, symbol: str, told: tuple
) -> None:
    made = contract(venue, symbol, side_of(venue).terms, tick=Decimal(1), lot=Decimal(1))
    assert (made.base, made.quote, made.margin, made.linear) == told


@pytest.mark.parametrize(
    ("venue", "symbol", "size"),
    [
        ("htx_swap", "BTC-USDT", "0.001"),
        ("htx_swap", "BTC-USD", "100"),
        ("binance_delivery", "BTCUSD_PERP", "100"),
        ("deribit", "BTC-PERPETUAL", "1"),
    ],
)
def test_inverse_contracts_of_a_linear_venue_may_have_another_size(
    venue: str, symbol: str, size: str
) -> None:
    assert contract(
        venue, symbol, side_of(venue).terms, tick=Decimal(1), lot=Decimal(1)
    ).contract_size == Decimal(size)


def test_symbols_are_split_into_base_and_quote() -> None:
    assert [
        split_pair(symbol, TERMS) for symbol in ("BTCUSDT", "ETHUSDC_261225", "USDT", "ODD")
    ] == [
        ("BTC", "USDT"),
        ("ETH", "USDC"),
        ("USDT", "USDT"),
        ("ODD", "USDT"),
    ]
