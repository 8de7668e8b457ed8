from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import SendFrame
from perps_actors.venues.toolkit.rest_snapshot_book import RestSnapshotBook
from perps_actors.venues.toolkit.symbol_stream import (
    Subscriptions,
    SymbolStates,
    SymbolStream,
    batches,
)


def plan(*symbols, name="a", url="wss://x"):
    return ConnectionPlan(name=name, url=url, symbols=symbols)


def subscriptions():
    def topics(of):
        return [f"{symbol}:{channel}" for symbol in of.symbols for channel in ("book", "all")]

    shared = {"B:all": "A:all"}
    return Subscriptions(
        lambda of: [shared.get(topic, topic) for topic in topics(of)],
        lambda op, few: f"{op} {' '.join(few)}",
        per_request=2,
    )


def test_a_connection_that_was_opened_subscribes_each_of_its_topics_once_in_requests_of_the_size_allowed():
    made = subscriptions()
    made.planned([plan("A", "B", "C"), plan("D", name="b")])
    assert made.opened("a") == [
        SendFrame("a", "subscribe A:book A:all"),
        SendFrame("a", "subscribe B:book C:book"),
        SendFrame("a", "subscribe C:all"),
    ]
    assert made.opened("nobody planned it") == []


def test_an_amendment_ends_what_nobody_wants_any_more_and_begins_what_is_new():
    assert subscriptions().amend(plan("A", "C"), plan("C", "D")) == (
        "unsubscribe A:book A:all",
        "subscribe D:book D:all",
    )


def test_a_topic_that_another_symbol_still_needs_is_kept():
    assert subscriptions().amend(plan("A", "B"), plan("B")) == ("unsubscribe A:book",)


def test_another_address_takes_another_connection():
    made = SymbolStream(SymbolStates("v", RestSnapshotBook), subscriptions())
    assert made.amend(plan("A"), plan("A", url="wss://y")) is None
    assert made.amend(plan("A"), plan("A", "B")) == ("subscribe B:book",)


@given(st.lists(st.integers()), st.integers(1, 7))
def test_batches_hold_every_item_in_order_and_none_is_too_large(items, size):
    runs = batches(items, size)
    assert [item for run in runs for item in run] == items
    assert all(0 < len(run) <= size for run in runs)
