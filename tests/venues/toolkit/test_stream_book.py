from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import MarketError
from perps_actors.market.book import Level
from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.toolkit.stream_book import StreamBook

BTC = InstrumentId("v", "BTC")


def side(levels) -> list[Level]:
    return [Level(*level) for level in levels]


def book(bids=(("9", "1"),), asks=(("11", "1"),)) -> StreamBook:
    made = StreamBook(BTC)
    made.snapshot(side(bids), side(asks), "ws", sequence=1, venue_time_ns=10, received_ns=10)
    return made


def update(of: StreamBook, bids=(), asks=(), **how):
    return of.update(
        side(bids),
        side(asks),
        "ws",
        **{"sequence": 2, "venue_time_ns": 11, "received_ns": 11, **how},
    )


def test_a_snapshot_makes_a_synced_book_and_an_update_changes_it() -> None:
    synced = book()
    assert update(synced, bids=(("10", "3"), ("9", "0"))) == (
        BookTop(BTC, False, "10", "3", "11", "1", 1, 1, 2, 11, 11),
    )
    assert synced.sequence == 2


def test_an_update_before_the_snapshot_gives_nothing() -> None:
    assert update(StreamBook(BTC), bids=(("10", "3"),)) == ()


@pytest.mark.parametrize("levels", [(("x", "1"),), (("0", "1"),), (("9", "-1"),)])
def test_an_impossible_level_raises_before_and_after_a_snapshot(levels) -> None:
    for outcome in (StreamBook(BTC), book()):
        before = outcome.depth(10)
        with pytest.raises(MarketError):
            update(outcome, bids=levels)
        with pytest.raises(MarketError):
            outcome.snapshot(side(levels), (), "ws", sequence=3, venue_time_ns=12, received_ns=12)
        assert outcome.depth(10) == before
    assert type(update(outcome, bids=(("10", "3"),))[0]) is BookTop


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ({"gap": "expected 2, was 4"}, "expected 2, was 4"),
        ({"bids": (("11", "1"),)}, "crossed: bid 11 at or above ask 11"),
        ({"venue_time_ns": -2_000_000_000}, "venue time ran back by 2 s"),
    ],
)
def test_a_withdrawn_book_has_no_depth_until_the_next_snapshot(how, cause) -> None:
    suspect = book()
    assert update(suspect, **how) == (BookWithdrawn(BTC, cause, 11),)
    assert suspect.depth(10) == ([], [])
    assert update(suspect, bids=(("10", "1"),)) == ()
    (top,) = suspect.snapshot(
        side((("1", "1"),)), (), "ws", sequence=None, venue_time_ns=None, received_ns=12
    )
    assert (top.bid, top.ask, suspect.synced) == ("1", None, True)


def test_a_crossed_snapshot_withdraws_the_book() -> None:
    (outcome,) = StreamBook(BTC).snapshot(
        side((("5", "1"),)), side((("4", "1"),)), "ws", sequence=1, venue_time_ns=1, received_ns=1
    )
    assert outcome == BookWithdrawn(BTC, "crossed: bid 5 at or above ask 4", 1)


def test_a_side_may_be_empty_and_deleting_a_missing_level_changes_nothing() -> None:
    (top,) = update(book(asks=()), bids=(("7", "0"),))
    assert (top.bid, top.ask, top.bid_levels, top.ask_levels) == ("9", None, 1, 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40), st.integers(0, 3)), max_size=60))
def test_a_synced_book_is_the_sum_of_its_updates(changes) -> None:
    made, sides = book(), ({9: 1}, {11: 1})
    for bid, price, size in changes:
        levels = ((str(price), str(size)),)
        update(made, bids=levels if bid else (), asks=() if bid else levels)
        side = sides[0 if bid else 1]
        side.pop(price, None)
        if size:
            side[price] = size
        if sides[0] and sides[1] and max(sides[0]) >= min(sides[1]):
            assert not made.synced
            return
        bids, asks = made.depth(100)
        assert [(int(p), int(s)) for p, s in bids] == sorted(sides[0].items(), reverse=True)
        assert [(int(p), int(s)) for p, s in asks] == sorted(sides[1].items())
