from __future__ import annotations

import json
from itertools import pairwise

import attrs
import pytest

from perps_actors.errors import Fenced
from perps_actors.kernel.address import Answer
from perps_actors.messages.feeds import CloseSources, FramesArrived, PollNow
from perps_actors.settings import JournalSettings, PollSettings, StreamSettings

FAULT = "reset by peer"


def exits(world):
    return [data for _, data in world.told_of("ws_stream_exit")]


def of_connection(world, connection):
    return [kind for kind, data in world.told_of() if data.get("connection") == connection]


def broken(world, connection="public-0", reason=FAULT, *, error=True):
    world.network.end(world.network.link(connection), reason, error=error)
    world.runtime.settle()


# --- one bad thing never blocks another


def bad_frames(world):
    touch = json.loads(world.touch_frame("BTCUSDT", 100, 102))
    nonsense = [
        b"",
        b"oops",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"stream":"btcusdt@bookTicker"}',
        b"[" * 20_000,
    ]
    nameless = [
        dict(touch, data=dict(touch["data"], s=symbol)) for symbol in ("", None, 5, "DOGEUSDT")
    ]
    prices = [
        "0",
        "-5",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "",
        "1_000",
        "\uff11\uff12",
        None,
        7,
    ]
    priced = [
        dict(touch, data=dict(touch["data"], **{side: price}))
        for side in ("b", "a")
        for price in prices
    ]
    crossed = [
        dict(touch, data=dict(touch["data"], b="103")),
        dict(touch, data=dict(touch["data"], b="102")),
    ]
    return nonsense + [json.dumps(frame).encode() for frame in nameless + priced + crossed]


def test_bad_frames_are_counted_and_harm_neither_their_neighbours_nor_the_stream(worlds) -> None:
    world = worlds(stream=StreamSettings(source="touch"))
    bad = bad_frames(world)
    good = [world.touch_frame("ETHUSDT", 10 + n, 12 + n) for n in range(len(bad) + 1)]
    between = [frame for pair in zip(good, bad, strict=False) for frame in pair]
    world.public(*between, good[-1])
    assert world.system.count("ETHUSDT") == len(good)
    assert world.marks("BTCUSDT") == []
    assert world.system.stream_statistics().invalid_inputs == len(bad)
    world.touch("BTCUSDT", 100, 102)
    assert world.marks("BTCUSDT") == [101]
    world.advance(1)
    assert [data["count"] for _, data in world.told_of("input_rejected")] == [len(bad)]
    assert world.system.restarts == 0


def test_input_rejected_in_the_last_second_is_reported_at_a_stop(world) -> None:
    world.public(b"oops")
    world.system.drain()
    assert [data["count"] for _, data in world.told_of("input_rejected")] == [1]


def test_a_bad_level_withdraws_no_book_and_a_neighbours_gap_stops_nobody(world) -> None:
    world.book("BTCUSDT", 100, 102)
    world.book("ETHUSDT", 10, 12)
    world.depth("BTCUSDT", bids=[(101, 1)], previous=7)
    assert [(e.symbol, e.kind) for e in world.events("book_withdrawn")] == [
        ("BTCUSDT", "book_withdrawn")
    ]
    world.depth("ETHUSDT", bids=[(11, 1)])
    assert world.marks("ETHUSDT")[-1] * 2 == 23
    before = world.system.count("BTCUSDT")
    world.depth("BTCUSDT", bids=[(101, 1)])
    assert world.system.count("BTCUSDT") == before
    # The first snapshot did not last: the next is asked for after a pause.
    world.advance(1)
    world.snapshot("BTCUSDT", 200, 202)
    assert world.marks("BTCUSDT")[-1] == 201


# --- the ladder


def test_the_mark_is_the_mid_of_the_book_and_touch_and_trades_are_silent_meanwhile(world) -> None:
    world.book("BTCUSDT", 100, 102)
    world.touch("BTCUSDT", 5, 7)
    world.trade("BTCUSDT", 9)
    assert set(world.marks("BTCUSDT")) == {101}
    assert world.source("BTCUSDT") == "book"


@pytest.mark.parametrize(
    ("source", "expected"),
    [("book", 101), ("touch", 6), ("trades", 9), ("rest", 51)],
)
def test_the_source_setting_names_the_best_source_and_better_ones_are_not_used(
    worlds, source, expected
) -> None:
    world = worlds(stream=StreamSettings(source=source))
    if source != "rest":
        world.book("BTCUSDT", 100, 102)
        world.touch("BTCUSDT", 5, 7)
        world.trade("BTCUSDT", 9)
    world.poll(("BTCUSDT", 50, 52), ("ETHUSDT", 1, 2))
    assert set(world.marks("BTCUSDT")) == {expected}
    assert world.source("BTCUSDT") == source


def test_a_source_of_rest_opens_no_connection(worlds) -> None:
    assert worlds(stream=StreamSettings(source="rest")).network.links == []
    assert worlds(stream=StreamSettings(enabled=False)).network.links == []


def test_a_book_that_never_comes_gives_way_to_the_touch(world) -> None:
    world.depth("BTCUSDT")
    for _ in range(3):
        world.touch("BTCUSDT", 10, 12)
        world.advance(2)
    assert world.marks("BTCUSDT") == []
    world.touch("BTCUSDT", 10, 12)
    assert (world.marks("BTCUSDT"), world.source("BTCUSDT")) == ([11], "touch")
    [(_, change)] = world.told_of("rung_changed")
    assert change == {"before": "book", "after": "touch", "cause": "silent while touch has data"}


def test_a_book_that_goes_silent_later_gives_way_when_the_touch_has_had_news_for_long_enough(
    world,
) -> None:
    world.book("BTCUSDT", 100, 102)
    world.advance(5)
    world.touch("BTCUSDT", 10, 12)
    assert world.source("BTCUSDT") == "book"
    world.advance(0.1)
    world.touch("BTCUSDT", 10, 12)
    assert (world.marks("BTCUSDT")[-1], world.source("BTCUSDT")) == (11, "touch")


def test_silence_in_a_quiet_market_is_not_a_failure(world) -> None:
    world.book("BTCUSDT", 100, 102)
    world.touch("BTCUSDT", 10, 12)
    for _ in range(20):
        world.advance(60)
        world.book("ETHUSDT", 10, 12) if world.waiting("depth") else world.depth("ETHUSDT")
    world.depth("BTCUSDT", bids=[(101, 1)])
    assert world.source("BTCUSDT") == "book"
    assert [event.symbol for event in world.events("rung_changed")] in ([], ["ETHUSDT"])


def test_rung_after_rung_gives_way_down_to_polled_quotes(world) -> None:
    world.advance(6)
    world.touch("BTCUSDT", 10, 12)
    assert world.source("BTCUSDT") == "touch"
    world.advance(6)
    world.trade("BTCUSDT", 20)
    assert world.source("BTCUSDT") == "trades"
    world.advance(6)
    world.poll(("BTCUSDT", 30, 32), ("ETHUSDT", 1, 2))
    assert (world.marks("BTCUSDT"), world.source("BTCUSDT")) == ([11, 20, 31], "rest")
    assert [e.kind for e in world.events("ws_mark_update", "rest_mark_update")] == [
        "ws_mark_update",
        "ws_mark_update",
    ]


def test_a_polled_mark_is_an_event_of_its_own_kind_and_only_on_request(worlds, tmp_path) -> None:
    journal = JournalSettings(path=str(tmp_path / "with-rest.journal"), rest_marks=True)
    world = worlds(stream=StreamSettings(source="rest"), journal=journal)
    world.poll(("BTCUSDT", 30, 32), ("ETHUSDT", 1, 2))
    assert [
        (e.kind, e.symbol, e.source) for e in world.events("ws_mark_update", "rest_mark_update")
    ] == [
        ("rest_mark_update", "BTCUSDT", "rest"),
        ("rest_mark_update", "ETHUSDT", "rest"),
    ]


def test_a_broken_connection_lets_the_next_source_speak_at_once_and_the_book_climbs_back(
    world,
) -> None:
    world.book("BTCUSDT", 100, 102)
    broken(world)
    world.trade("BTCUSDT", 55)
    assert (world.marks("BTCUSDT")[-1], world.source("BTCUSDT")) == (55, "trades")
    world.advance(1)
    world.depth("BTCUSDT")
    world.snapshot("BTCUSDT", 200, 202)
    world.depth("BTCUSDT")
    world.depth("BTCUSDT")
    assert world.source("BTCUSDT") == "trades"
    world.depth("BTCUSDT")
    assert (world.marks("BTCUSDT")[-1], world.source("BTCUSDT")) == (201, "book")
    assert [(d["before"], d["after"]) for _, d in world.told_of("rung_changed")][:1] == [
        ("book", "trades")
    ]
    assert world.told_of("rung_changed")[-1][1]["cause"] == "book is healthy again"


def test_a_book_that_never_synchronises_on_a_connection_that_broke_later_leaves_the_touch(
    world,
) -> None:
    world.depth("BTCUSDT")
    world.advance(6)
    world.touch("BTCUSDT", 10, 12)
    broken(world, "market-0")
    world.touch("BTCUSDT", 20, 22)
    assert (world.marks("BTCUSDT")[-1], world.source("BTCUSDT")) == (21, "touch")


# --- connections: errors, exits, reconnects


def test_a_mark_update_carries_its_symbol_source_and_times(world) -> None:
    world.book("BTCUSDT", 100, 102)
    world.advance(1)
    world.depth("BTCUSDT", bids=[("100.5", 1)])
    event = world.events("ws_mark_update")[-1]
    assert (event.venue, event.symbol, event.source, event.provenance, dict(event.data)) == (
        "binance_futures",
        "BTCUSDT",
        "book",
        "synthetic",
        {"mark": "101.25"},
    )
    assert event.venue_time_ns == event.received_ns == world.clock.time_ns()


def test_a_fault_is_an_error_with_its_message_and_then_the_exit_is_last_of_the_connection(
    world,
) -> None:
    world.book("BTCUSDT", 100, 102)
    broken(world)
    assert [
        (kind, data) for kind, data in world.told_of() if data.get("connection") == "public-0"
    ] == [
        ("ws_stream_error", {"message": FAULT, "connection": "public-0"}),
        ("ws_stream_exit", {"connection": "public-0", "reason": FAULT}),
    ]


def test_an_end_that_the_venue_wished_is_an_exit_without_error(world) -> None:
    broken(world, reason="closed by the other side: 1000", error=False)
    assert of_connection(world, "public-0") == ["ws_stream_exit"]


@pytest.mark.parametrize("how", ["drain", "stop"])
def test_the_exit_of_every_connection_is_told_at_a_stop_too(world, how) -> None:
    world.book("BTCUSDT", 100, 102)
    getattr(world.system, how)()
    assert exits(world) == [
        {"connection": name, "reason": "stopped"} for name in ("public-0", "market-0")
    ]
    assert not any(link.open for link in world.network.links)


def test_reconnecting_pauses_longer_each_time_with_jitter_and_goes_on_for_ever(worlds) -> None:
    pauses = []
    for seed in range(4):
        world = worlds(seed=seed)
        world.network.refuse = "connection refused"
        broken(world)
        made = []
        for _ in range(12):
            before, began = len(world.network.links), world.clock.monotonic_ns()
            while len(world.network.links) == before:
                assert world.runtime._fire_next(began + 60_000_000_000)
                world.runtime.settle()
            made.append((world.clock.monotonic_ns() - began) / 1e9)
        pauses.append(made)
        assert made[0] < 0.2
        assert all(2.0 <= pause <= 15.0 for pause in made[7:])
        assert sum(made[:3]) < sum(made[3:6]) < sum(made[6:9])
    assert len({tuple(made) for made in pauses}) == len(pauses)


def test_a_connection_is_replaced_before_the_venue_cuts_it_after_24_hours(worlds) -> None:
    world = worlds(symbols=("BTCUSDT",), poll=PollSettings(enabled=False))
    first = world.network.link("public-0")
    world.clock.advance(int((23.5 * 3600 - 1) * 1e9))
    world.advance(0.9)
    assert first.open
    world.advance(1)
    assert not first.open
    assert world.network.link("public-0") is not first
    assert {data["reason"] for _, data in world.told_of("ws_stream_exit")} == {
        "replaced before the venue closes it"
    }
    assert world.events("ws_stream_error") == []
    world.book("BTCUSDT", 100, 102)
    assert set(world.marks("BTCUSDT")) == {101}


def test_after_a_reconnect_the_book_is_synchronised_again(world) -> None:
    world.book("BTCUSDT", 100, 102)
    broken(world)
    world.advance(1)
    count = world.system.count("BTCUSDT")
    world.depth("BTCUSDT", bids=[(101, 5)])
    assert world.system.count("BTCUSDT") == count
    assert world.waiting("depth") == 1


# --- REST requests of the books


def test_a_depth_snapshot_that_fails_is_asked_for_again_with_growing_pauses(world) -> None:
    assert_grows(world, lambda: world.network.answer("depth", b"", status=503))


def test_a_depth_snapshot_that_is_of_no_use_is_asked_for_again_with_growing_pauses_too(
    world,
) -> None:
    assert_grows(world, lambda: world.network.answer("depth", b'{"oops"'))


def test_a_depth_snapshot_that_is_older_than_the_stream_is_asked_for_again_with_growing_pauses_too(
    world,
) -> None:
    body = b'{"lastUpdateId":1,"E":1,"T":1,"bids":[["1","1"]],"asks":[["2","1"]]}'
    assert_grows(world, lambda: world.network.answer("depth", body))


def assert_grows(world, fail):
    """Let the snapshot fail again and again while frames arrive ten times a second."""
    world.depth("BTCUSDT")
    asked_at = []
    for _ in range(600):
        if world.waiting("depth"):
            assert world.waiting("depth") == 1
            asked_at.append(world.clock.monotonic_ns() / 1e9)
            fail()
            world.runtime.settle()
        world.advance(0.1)
        world.depth("BTCUSDT")
    pauses = [after - before for before, after in pairwise(asked_at)]
    assert len(asked_at) <= 15
    assert pauses[-1] >= 4.5
    assert pauses[0] < 1


def test_one_instruments_failing_snapshot_holds_up_no_other(world) -> None:
    world.depth("BTCUSDT")
    for _ in range(5):
        world.network.answer("depth", b"", status=500)
        world.runtime.settle()
        world.book("ETHUSDT", 10, 12) if world.marks("ETHUSDT") == [] else world.depth("ETHUSDT")
        world.advance(20)
        world.depth("BTCUSDT")
    assert len(world.marks("ETHUSDT")) == 6
    assert world.marks("BTCUSDT") == []


def refuse(world, purpose, retry_after_s):
    for index, (request, listener) in enumerate(world.network.requests):
        if request.purpose == purpose:
            del world.network.requests[index]
            listener(
                attrs.evolve(
                    world.network._answer(request, 429, b"", None), retry_after_s=retry_after_s
                )
            )
            return world.runtime.settle()
    raise LookupError(purpose)


def test_a_refusal_of_the_poller_puts_the_books_off_as_well(world) -> None:
    refuse(world, "quotes", 30.0)
    world.depth("BTCUSDT")
    world.advance(29)
    assert world.network.requests == []
    world.advance(2)
    assert world.waiting("depth") == 1


def test_a_refusal_of_a_book_puts_polls_off_as_well_and_outlives_the_consumer(world) -> None:
    world.depth("BTCUSDT")
    refuse(world, "depth", 30.0)
    kill(world)
    world.depth("BTCUSDT")
    world.poll()
    world.advance(29)
    assert world.network.requests == []
    world.advance(6)
    assert world.waiting("depth") == 1
    assert world.waiting("quotes") == 1


# --- the consumer dies


def kill(world, actor="stream_consumer"):
    world.tell(actor, FramesArrived("public-0", world_session(world), (None,), 0, 0))
    world.advance(0.2)


def world_session(world):
    return world.network.link("public-0").listener._session


def test_a_consumer_that_dies_closes_its_connections_and_its_successor_opens_new_ones(
    world,
) -> None:
    world.book("BTCUSDT", 100, 102)
    old = list(world.network.links)
    kill(world)
    assert [link.open for link in old] == [False, False]
    assert sum(link.open for link in world.network.links) == 2
    assert exits(world) == [
        {"connection": name, "reason": "the consumer failed"} for name in ("public-0", "market-0")
    ]
    world.depth("BTCUSDT", bids=[(101, 1)])
    assert set(world.marks("BTCUSDT")) == {101}
    world.snapshot("BTCUSDT", 200, 202)
    assert world.marks("BTCUSDT")[-1] == 201
    assert [
        (kind, data["actor"]) for kind, data in world.told_of("actor_died", "actor_restarted")
    ] == [
        ("actor_died", "stream_consumer"),
        ("actor_restarted", "stream_consumer"),
    ]
    assert world.system.restarts == 1


def test_messages_of_old_connections_are_ignored_after_a_restart(
    worlds,
) -> None:
    world = worlds(stream=StreamSettings(source="touch"))
    session = world_session(world)
    listener = world.network.link("public-0").listener
    poison = FramesArrived("public-0", session, (None, world.touch_frame("BTCUSDT", 1, 3)), 0, 0)
    world.address("stream_consumer").tell(poison)
    listener.frames("public-0", (world.touch_frame("BTCUSDT", 5, 7),), 0, 0)
    listener.closed("public-0", FAULT, True)
    world.advance(3)
    assert world.marks("BTCUSDT") == []
    live = [link for link in world.network.links if link.open]
    assert sorted(link.plan.name for link in live) == ["market-0", "public-0"]
    world.touch("BTCUSDT", 10, 12)
    assert world.marks("BTCUSDT") == [11]
    world.system.drain()
    assert not any(link.open for link in world.network.links)


def test_frames_for_a_replaced_consumer_are_refused_and_its_connections_end_silently(
    world,
) -> None:
    voice_of_old = world.network.link("public-0").listener
    cell = next(
        child.cell
        for child in world.system._composition.children
        if child.name == "stream_consumer"
    )
    cell._in_hand.append(CloseSources(Answer()))  # a handler that hangs ...
    cell.fence(RuntimeError("hung"))  # ... is replaced, and could close nothing
    world.advance(0.2)
    with pytest.raises(Fenced):
        voice_of_old.frames("public-0", (b"x",), 0, 0)
    voice_of_old.closed("public-0", "the listener failed", True)
    world.advance(1)
    world.book("BTCUSDT", 100, 102)
    assert set(world.marks("BTCUSDT")) == {101}


def test_the_answer_to_a_request_of_a_consumer_that_died_hurts_nobody(world) -> None:
    world.depth("BTCUSDT")
    [(request, listener)] = [
        waiting for waiting in world.network.requests if waiting[0].purpose == "depth"
    ]
    world.network.requests.remove((request, listener))
    kill(world)
    listener(world.network._answer(request, 200, b"{}", None))
    world.book("BTCUSDT", 100, 102)
    assert set(world.marks("BTCUSDT")) == {101}
    assert world.system.restarts == 1


def test_venue_marks_are_kept_apart_from_ours(world) -> None:
    frame = world.frame(
        "BTCUSDT", "markPriceUpdate", "markPrice@1s", p="64001.5", i="64000.9", r="0.0001"
    )
    world.market(frame)
    assert world.marks("BTCUSDT") == []
    venue_mark = world.system.venue_mark("BTCUSDT")
    assert (venue_mark.mark, venue_mark.index) == ("64001.5", "64000.9")
    kill(world)
    assert world.system.venue_mark("BTCUSDT") is venue_mark
    assert world.system.venue_mark("ETHUSDT") is None


def test_hanging_up_opens_nothing_again_and_is_done_when_all_have_told_their_end(world) -> None:
    world.poll()
    for actor in ("stream_consumer", "quote_poller"):
        done = Answer()
        world.tell(actor, CloseSources(done))
        assert done.settled()
    world.tell("quote_poller", PollNow())
    world.advance(60)
    assert not any(link.open for link in world.network.links)
    assert (len(world.network.links), world.network.requests) == (2, [])


def test_an_answer_that_comes_after_hanging_up_is_told_to_nobody(world) -> None:
    world.tell("quote_poller", CloseSources(Answer()))
    world.poll(("BTCUSDT", 1, 3), ("ETHUSDT", 1, 3))
    assert world.system.drain().clean


# --- what the market monitor makes of it


def health(world):
    return [
        dict(event.data)["health"]
        for event in world.events("feed_health")
        if event.symbol == "BTCUSDT"
    ]


def test_a_gap_in_the_book_is_seen_in_the_health_of_its_feed_until_it_is_repaired(world) -> None:
    world.book("BTCUSDT", 100, 102)
    world.advance(1)
    world.depth("BTCUSDT", previous=7)
    assert health(world) == ["live", "gapped"]
    world.snapshot("BTCUSDT", 100, 102)
    world.advance(1)
    assert health(world) == ["live", "gapped", "live"]


def test_a_broken_connection_is_seen_in_the_health_of_its_feeds_until_it_speaks_again(
    world,
) -> None:
    world.advance(7)
    broken(world)
    assert health(world)[-1] == "down"
    world.advance(1)
    assert health(world)[-1] == "stale"


def test_an_instrument_that_is_not_traded_on_a_venue_that_speaks_is_quiet(world) -> None:
    world.book("BTCUSDT", 100, 102)
    for _ in range(8):
        world.advance(1)
        world.depth("ETHUSDT")
    assert health(world) == ["live", "quiet"]
    assert world.system.health("BTCUSDT").cause == "no mark, but the venue is heard"
