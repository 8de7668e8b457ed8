from __future__ import annotations

from perps_actors.market.book import Level
from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import SendFrame
from perps_actors.venues.toolkit.stream_book import PATIENCE_NS, ResubscribingBook

BTC = InstrumentId("v", "BTC")
AT = 1_700_000_000_000_000_000


def book():
    return ResubscribingBook(BTC, lambda symbol: (f"-{symbol}", f"+{symbol}"))


def snapshot(of, at=AT, bid="9"):
    return [
        type(outcome)
        for outcome in of.snapshot(
            [Level(bid, "1")],
            [Level("11", "1")],
            "ws",
            sequence=1,
            venue_time_ns=None,
            received_ns=at,
        )
    ]


def update(of, at=AT, **how):
    how = {"bids": (), "asks": (), **how}
    bids, asks = how.pop("bids"), how.pop("asks")
    return list(of.update(bids, asks, "ws", sequence=2, venue_time_ns=None, received_ns=at, **how))


RESUBSCRIBED = [SendFrame("ws", "-BTC"), SendFrame("ws", "+BTC")]


def test_a_gap_withdraws_the_book_and_resubscribes_it_at_once():
    lost = book()
    snapshot(lost)
    assert update(lost, gap="gap") == [BookWithdrawn(BTC, "gap", AT), *RESUBSCRIBED]
    assert update(lost, AT + 1) == []
    assert snapshot(lost, AT + 2) == [BookTop]
    assert lost.synced


def test_a_missing_snapshot_is_requested_again_after_the_patience():
    lost = book()
    snapshot(lost)
    update(lost, gap="gap")
    assert update(lost, AT + PATIENCE_NS - 1) == []
    assert update(lost, AT + PATIENCE_NS) == RESUBSCRIBED
    assert update(lost, AT + PATIENCE_NS + 1) == []
    assert update(lost, AT - 1) == RESUBSCRIBED  # the clock was set back


def test_a_snapshot_that_never_comes_is_requested_ever_more_rarely():
    lost = book()
    snapshot(lost)
    requested = sum(
        bool(update(lost, AT + second * 1_000_000_000, gap="gap")) for second in range(3_600)
    )
    assert 5 < requested < 20
    assert snapshot(lost, AT + 3_600_000_000_000) == [BookTop]
    update(lost, AT + 3_601_000_000_000, gap="gap")
    assert update(lost, AT + 3_601_000_000_000 + PATIENCE_NS) == RESUBSCRIBED


def test_the_snapshot_of_a_new_connection_is_awaited_before_it_is_requested():
    fresh = book()
    assert update(fresh) == []
    assert update(fresh, AT + PATIENCE_NS) == RESUBSCRIBED


def test_crossed_snapshots_are_not_requested_again_at_once():
    crossed = book()
    assert snapshot(crossed, bid="12") == [BookWithdrawn]
    assert snapshot(crossed, AT + 1, bid="12") == [BookWithdrawn]
    assert snapshot(crossed, AT + PATIENCE_NS, bid="12") == [BookWithdrawn, SendFrame, SendFrame]


def test_an_ended_connection_withdraws_its_book_and_receives_no_frame():
    ended = book()
    snapshot(ended)
    assert list(ended.closed("another", AT)) == []
    assert list(ended.closed("ws", AT)) == [BookWithdrawn(BTC, "connection ws ended", AT)]
    assert list(ended.closed("ws", AT)) == []
    assert list(ended.invalidate("late", AT + 2 * PATIENCE_NS)) == []
    assert ended.depth(1) == ([], [])
