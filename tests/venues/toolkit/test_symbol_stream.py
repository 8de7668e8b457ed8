from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import VenueError
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


def test_an_opened_connection_subscribes_each_topic_once_in_requests_of_the_allowed_size():
    made = subscriptions()
    made.planned([plan("A", "B", "C"), plan("D", name="b")])
    assert made.opened("a") == [
        SendFrame("a", "subscribe A:book A:all"),
        SendFrame("a", "subscribe B:book C:book"),
        SendFrame("a", "subscribe C:all"),
    ]
    assert made.opened("nobody planned it") == []


def test_an_amendment_unsubscribes_removed_topics_and_subscribes_new_ones():
    assert subscriptions().amend(plan("A", "C"), plan("C", "D")) == (
        "unsubscribe A:book A:all",
        "subscribe D:book D:all",
    )


def test_a_topic_that_another_symbol_needs_stays_subscribed():
    assert subscriptions().amend(plan("A", "B"), plan("B")) == ("unsubscribe A:book",)


def test_another_address_needs_another_connection():
    made = SymbolStream(SymbolStates("v", RestSnapshotBook), lambda _: (), subscriptions())
    assert made.amend(plan("A"), plan("A", url="wss://y")) is None
    assert made.amend(plan("A"), plan("A", "B")) == ("subscribe B:book",)


@given(st.lists(st.integers()), st.integers(1, 7))
def test_batches_hold_all_items_in_order_and_respect_the_size(items, size):
    runs = batches(items, size)
    assert [item for run in runs for item in run] == items
    assert all(0 < len(run) <= size for run in runs)


def test_a_symbol_planned_before_is_none_and_one_never_planned_is_refused():
    tracked = SymbolStates("v", lambda instrument: instrument.symbol)
    tracked.plan(["BTC", "ETH"])
    assert (tracked["BTC"], tracked["ETH"]) == ("BTC", "ETH")
    tracked.plan(["ETH"])
    assert (tracked["BTC"], tracked["ETH"]) == (None, "ETH")
    with pytest.raises(VenueError, match="not subscribed"):
        tracked["XRP"]


def test_without_a_plan_every_symbol_is_followed():
    assert SymbolStates("v", lambda instrument: instrument.symbol)["BTC"] == "BTC"
