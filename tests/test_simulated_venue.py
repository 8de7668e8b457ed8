from __future__ import annotations

import gzip
import json
from itertools import pairwise
from typing import Any

import pytest

from perps_actors.host.system import PerpsSystem
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Address
from perps_actors.kernel.lifecycle import DeadLetter
from perps_actors.market.mark import RUNGS
from perps_actors.messages.marks import RecordMarks
from perps_actors.settings import PollSettings, Settings, StreamSettings
from perps_actors.simulator.venues import SERVED, side_of
from perps_actors.testing import (
    Harm,
    HarmfulRuntime,
    InjectedCrash,
    Probe,
    SimulatedNetwork,
    SimulatedRuntime,
    SimulatedVenue,
    WireFault,
)
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.registry import venue as venue_named

STREAMS = "btcusdt@depth@100ms/btcusdt@bookTicker"
PLAN = ConnectionPlan(
    name="public-0", url=f"wss://venue/public/stream?streams={STREAMS}", silence_limit_s=2.0
)
DEPTH = HttpRequest(
    url="https://venue/fapi/v1/depth?symbol=BTCUSDT&limit=1000", purpose="depth", symbol="BTCUSDT"
)


class Listener:
    """Collects the events and frames of a connection."""

    def __init__(self) -> None:
        self.ready = True
        self.news: list[Any] = []
        self.reads: list[tuple[bytes, ...]] = []

    def has_room(self, resume: object) -> bool:  # noqa: ARG002 - signature of the protocol
        return self.ready

    def opened(self, connection: str) -> None:  # noqa: ARG002
        self.news.append("opened")

    def frames(self, _connection: str, frames: tuple[bytes, ...], *_times: int) -> None:
        self.reads.append(frames)

    def closed(self, connection: str, reason: str, error: bool) -> None:  # noqa: ARG002, FBT001
        self.news.append((reason, error))

    @property
    def all_frames(self) -> list[bytes]:
        return [frame for read in self.reads for frame in read]


def venue(*faults: WireFault, seed: int = 0) -> tuple[SimulatedRuntime, SimulatedVenue, Listener]:
    runtime = SimulatedRuntime(seed=seed)
    simulated, listener = (
        SimulatedVenue(runtime, ("BTCUSDT",), seed=seed, faults=faults),
        Listener(),
    )
    simulated.open(PLAN, listener)
    return runtime, simulated, listener


def updates(listener: Listener) -> list[tuple[int, int]]:
    """Return (previous, last) update id of each book delta."""
    sound = [json.loads(frame) for frame in listener.all_frames]
    return [
        (frame["data"]["pu"], frame["data"]["u"])
        for frame in sound
        if frame["data"]["e"] == "depthUpdate"
    ]


def gaps(listener: Listener) -> int:
    ids = updates(listener)
    return sum(after[0] != before[1] for before, after in pairwise(ids))


# --- connections in virtual time


def test_a_scheduled_call_runs_at_its_time_unless_cancelled() -> None:
    runtime, acts = SimulatedRuntime(), []
    runtime.at(2.0, lambda: acts.append(("late", runtime.clock.monotonic_ns())))
    runtime.at(1.0, lambda: acts.append(("early", runtime.clock.monotonic_ns())))
    runtime.at(1.5, lambda: acts.append(("never", 0))).cancel()
    runtime.advance(3)
    assert acts == [("early", 10**9), ("late", 2 * 10**9)]


def test_a_connection_opens_later_and_gets_its_streams_without_gaps() -> None:
    runtime, _, listener = venue()
    assert listener.news == []
    runtime.advance(10)
    assert listener.news == ["opened"]
    assert {json.loads(frame)["stream"] for frame in listener.all_frames} == set(STREAMS.split("/"))
    assert len(updates(listener)) == pytest.approx(100, abs=2)
    assert gaps(listener) == 0
    assert {len(read) for read in listener.reads} == {1, 2}


def test_equal_seeds_give_equal_markets_and_different_seeds_different_ones() -> None:
    def frames(seed: int) -> list[bytes]:
        runtime, _, listener = venue(WireFault(1.0, "lose", 2.0, 0.5), seed=seed)
        runtime.advance(5)
        return listener.all_frames

    assert frames(1) == frames(1)
    assert frames(1) != frames(2)


def test_a_listener_without_room_gets_its_frames_later_without_loss() -> None:
    runtime, _, listener = venue()
    runtime.advance(1)
    listener.ready, before = False, len(listener.reads)
    runtime.advance(2)
    assert len(listener.reads) == before
    listener.ready = True
    runtime.advance(1)
    assert gaps(listener) == 0
    assert len(updates(listener)) == pytest.approx(40, abs=2)


# --- faults


@pytest.mark.parametrize("kind", ["lose", "duplicate", "reorder"])
def test_lost_duplicated_and_reordered_frames_show_as_gaps_during_the_fault(kind) -> None:
    runtime, _, listener = venue(WireFault(1.0, kind, 1.0, 0.4))
    runtime.advance(1)
    assert gaps(listener) == 0
    runtime.advance(1.2)
    during = gaps(listener)
    assert during > 0
    runtime.advance(3)
    assert gaps(listener) == during


def test_garbled_frames_are_not_json() -> None:
    runtime, _, listener = venue(WireFault(0.0, "garble", 1.0))
    runtime.advance(0.9)

    def sound(frame: bytes) -> bool:
        try:
            json.loads(frame)
        except ValueError:
            return False
        return True

    assert not all(sound(frame) for frame in listener.all_frames)


def test_a_crossing_change_has_a_bid_far_above_every_ask() -> None:
    runtime, _, listener = venue(WireFault(0.0, "cross", 1.0))
    runtime.advance(0.9)
    changes = [
        frame["data"]
        for frame in map(json.loads, listener.all_frames)
        if frame["data"]["e"] == "depthUpdate"
    ]
    assert changes
    assert all(
        float(change["b"][-1][0]) > 10 * float(change["a"][0][0])
        for change in changes
        if change["a"]
    )


def test_delayed_frames_arrive_together_at_the_end_of_the_delay() -> None:
    runtime, _, listener = venue(WireFault(1.0, "delay", 2.0))
    runtime.advance(1.05)
    before = len(listener.reads)
    runtime.advance(1.9)
    assert len(listener.reads) == before
    runtime.advance(0.2)
    assert len(listener.reads[before]) > 30
    assert gaps(listener) == 0


def test_a_silent_venue_keeps_the_connection_and_a_mute_one_loses_it_at_the_limit() -> None:
    runtime, _, listener = venue(WireFault(1.0, "silence", 5.0))
    runtime.advance(6)
    assert listener.news == ["opened"]
    runtime, _, listener = venue(WireFault(1.0, "mute", 5.0))
    runtime.advance(2.8)
    assert listener.news == ["opened"]
    runtime.advance(0.5)
    assert listener.news == ["opened", ("nothing came for 2 s", True)]


def test_connections_are_cut_closed_and_refused() -> None:
    runtime, simulated, listener = venue(WireFault(1.0, "cut"), WireFault(1.0, "refuse", 1.0))
    runtime.advance(1.1)
    assert listener.news == ["opened", ("reset by peer", True)]
    refused, closed = Listener(), Listener()
    simulated.open(PLAN, refused)
    runtime.advance(0.1)
    assert refused.news == [("connection refused", True)]
    runtime.advance(2)
    link = simulated.open(PLAN, closed)
    runtime.advance(0.1)
    link.close("enough")
    link.close("twice")
    runtime.advance(0.1)
    assert closed.news == ["opened", ("enough", False)]


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        (None, 200, None),
        ("rest_fail", None, "timed out"),
        ("rest_late", 200, None),
        ("rest_garble", 200, None),
    ],
)
def test_every_request_is_answered_once(kind, status, error) -> None:
    runtime, simulated, _ = venue(*([WireFault(0.0, kind, 1.0)] if kind else []))
    answers: list[Any] = []
    simulated.request(DEPTH, answers.append)
    assert answers == []
    runtime.advance(0.4 if kind == "rest_late" else 10)
    assert len(answers) == (kind != "rest_late")
    runtime.advance(10)
    (answer,) = answers
    assert (answer.status, answer.error) == (status, error)


def test_a_refusal_has_a_retry_after() -> None:
    runtime, simulated, _ = venue(WireFault(0.0, "rest_refuse", 1.0))
    answers: list[Any] = []
    simulated.request(DEPTH, answers.append)
    runtime.advance(1)
    assert answers[0].status in (418, 429, 503)
    assert answers[0].retry_after_s >= 1


def test_a_venue_with_compressed_frames_compresses_answers_and_data() -> None:
    runtime = SimulatedRuntime()
    simulated, listener = SimulatedVenue(runtime, ("BTC-USDT",), venue="htx_swap"), Listener()
    pipe = simulated.open(ConnectionPlan(name="market", url="wss://venue/linear-swap-ws"), listener)
    runtime.advance(1)
    pipe.send('{"sub":"market.BTC-USDT.bbo"}')
    runtime.advance(1)
    answer, *pushes = [json.loads(gzip.decompress(frame)) for frame in listener.all_frames]
    assert answer["subbed"] == "market.BTC-USDT.bbo"
    assert {push["ch"] for push in pushes} == {"market.BTC-USDT.bbo"}


def test_closing_ends_every_connection_and_answers_every_request_at_once() -> None:
    runtime, simulated, listener = venue()
    answers: list[Any] = []
    runtime.advance(1)
    simulated.request(DEPTH, answers.append)
    assert simulated.close(1.0) == 0
    assert listener.news == ["opened", ("closed", False)]
    assert [answer.error for answer in answers] == ["closed"]
    late = Listener()
    simulated.open(PLAN, late)
    runtime.advance(1)
    assert late.news == [("closed", False)]


@pytest.mark.parametrize("name", SERVED)
def test_a_system_on_a_simulated_venue_makes_correct_marks_from_every_source(name) -> None:
    symbols = side_of(name).terms.symbols[:2]
    for source in RUNGS:
        runtime = SimulatedRuntime(seed=3)
        simulated, told = SimulatedVenue(runtime, symbols, seed=3, venue=name), Probe()
        settings = Settings(
            venue=name,
            symbols=symbols,
            provenance="synthetic",
            stream=StreamSettings(source=source),
            poll=PollSettings(interval_s=1.0),
        )
        system = PerpsSystem(settings, replace={"network": simulated, "runtime": runtime})
        system.listen(told)
        with system:
            runtime.advance(5)
        marks = [mark for update in told.told for mark in update.marks]
        assert {(mark.instrument.symbol, mark.source) for mark in marks} == {
            (symbol, source) for symbol in symbols
        }
        # Some venues send a delta in several messages: only the last mark of a moment counts.
        last = {(mark.instrument, mark.venue_time_ns): mark for mark in marks}.values()
        assert all(simulated.truth.has(mark) for mark in last)
        assert not any(
            simulated.truth.has(type(mark)(*(mark.instrument, mark.mark * 2, *list(_rest(mark)))))
            for mark in marks
        )


# --- several venues in one network


def test_each_connection_and_request_reaches_the_venue_that_owns_its_host() -> None:
    runtime = SimulatedRuntime()
    binance = SimulatedVenue(runtime, ("BTCUSDT",), seed=1)
    bybit = SimulatedVenue(runtime, ("BTCUSDT",), seed=2, venue="bybit")
    network, told = SimulatedNetwork(binance, bybit), {}
    for simulated in network.venues:
        known = venue_named(simulated.name)
        listener, answers = told.setdefault(simulated.name, (Listener(), []))
        network.open(known.stream(known.endpoints).plan(["BTCUSDT"])[0], listener)
        (request,) = known.rest(known.endpoints).quotes(["BTCUSDT"])
        network.request(request, answers.append)
    runtime.advance(2)
    for simulated in network.venues:
        listener, answers = told[simulated.name]
        assert listener.news == ["opened"]
        assert [answer.status for answer in answers] == [200]
        assert len(simulated.links) == len(simulated.requests) == 1
    network.close(1.0)
    assert [listener.news[-1] for listener, _ in told.values()] == [("closed", False)] * 2


def test_a_url_of_an_unknown_host_is_an_error_with_the_url() -> None:
    network = SimulatedNetwork(SimulatedVenue(SimulatedRuntime(), ("BTCUSDT",)))
    with pytest.raises(LookupError, match=r"wss://venue/public.*expected fstream\.binance\.com"):
        network.open(PLAN, Listener())


def test_two_simulated_venues_with_one_address_are_refused() -> None:
    runtime = SimulatedRuntime()
    with pytest.raises(ValueError, match="binance_futures already has the address"):
        SimulatedNetwork(
            SimulatedVenue(runtime, ("BTCUSDT",)), SimulatedVenue(runtime, ("ETHUSDT",))
        )


def _rest(mark: Any) -> tuple[Any, ...]:
    return mark.source, mark.venue_time_ns, mark.received_ns, mark.monotonic_ns


# --- faults in actors


class Taker(Actor):
    """Takes messages and logs them."""

    def __init__(self, log: list[Any], peer: Address | None = None) -> None:
        super().__init__()
        self.log, self.peer = log, peer

    def on_receive(self, message: Any) -> Any:
        self.log.append(message)
        if self.peer is not None:
            self.peer.tell("heard")
        return message


class Watch:
    """Collects the dead letters of an actor and replaces it."""

    def __init__(self, log: list[Any]) -> None:
        self.log, self.letters = log, []

    def started(self, *_: object) -> None: ...

    def stopped(self, *_: object) -> None: ...

    def died(self, cell: Any, _: int, error: BaseException, letter: DeadLetter | None) -> None:
        self.letters.append((type(error), letter and letter.message))
        cell.install(Taker(self.log))


def harmed(harm: Harm | None) -> tuple[HarmfulRuntime, Any, list[Any], Watch]:
    seen: list[Any] = []

    def choose(actor: str, message: Any) -> Harm | None:
        seen.extend([message] * (actor == "taker"))
        return harm if actor == "taker" and len(seen) == 2 else None  # the first is on_start

    runtime, log = HarmfulRuntime(harm=choose), []
    cell = runtime.cell("taker", group="takers")
    cell.watcher = watch = Watch(log)
    cell.install(Taker(log))
    return runtime, cell, log, watch


@pytest.mark.parametrize(
    ("harm", "taken", "dead"),
    [
        (Harm("before"), ["b", "c"], "a"),
        (Harm("within", 1), ["a", "c"], "b"),
        (Harm("within", 5), ["a", "b"], "c"),
        (Harm("after"), ["a", "b", "c"], "c"),
    ],
)
def test_a_crash_comes_before_within_or_after_the_handling_of_a_batch(harm, taken, dead) -> None:
    runtime, cell, log, watch = harmed(harm)
    cell.address.tell(RecordMarks(("a", "b", "c"), "synthetic"))  # type: ignore[arg-type]
    runtime.settle()
    assert log == taken
    assert watch.letters == [(InjectedCrash, RecordMarks((dead,), "synthetic"))]  # type: ignore[arg-type]
    assert type(cell.actor).__name__ == "Taker"


class Guarded(Actor):
    """Counts the batches that it sees begin, with names that a fault injector could use too."""

    def __init__(self) -> None:
        super().__init__()
        self._batch: Any = None
        self.begun = 0

    def on_item(self, batch: Any, item: Any) -> None:  # noqa: ARG002 - of the base class
        if batch is not self._batch:
            self._before(batch)

    def _before(self, batch: Any) -> None:
        self._batch = batch
        self.begun += 1


def test_an_actor_under_faults_keeps_attributes_and_methods_of_any_name() -> None:
    runtime = HarmfulRuntime(harm=lambda _actor, _message: None)
    cell, actor = runtime.cell("guarded"), Guarded()
    cell.install(actor)
    cell.address.tell(RecordMarks(("a", "b"), "synthetic"))  # type: ignore[arg-type]
    cell.address.tell(RecordMarks(("c",), "synthetic"))  # type: ignore[arg-type]
    runtime.settle()
    assert actor.begun == 2


def test_while_a_handler_hangs_other_groups_continue() -> None:
    runtime, cell, log, watch = harmed(Harm("hang_before", hang_s=5.0))
    other = runtime.cell("other", group="others")
    other.install(Taker(log))
    mate = runtime.cell("mate", group="takers")
    mate.install(Taker(log))
    cell.address.tell("slow")
    runtime.at(1.0, lambda: other.address.tell("meanwhile"))
    runtime.at(1.0, lambda: mate.address.tell("same thread"))
    runtime.advance(20)
    assert log == ["meanwhile", "slow", "same thread"]
    assert watch.letters == []


def test_a_fenced_handler_that_returns_late_has_no_effect() -> None:
    runtime, cell, log, watch = harmed(Harm("hang_before"))
    heard = runtime.cell("heard", group="others")
    heard.install(Taker(log))
    cell.actor.peer = heard.address
    cell.address.tell("slow")
    runtime.at(3.0, lambda: cell.fence(TimeoutError("too long")))
    runtime.advance(20)
    assert watch.letters == [(TimeoutError, "slow")]
    assert log == ["slow"]
    cell.address.tell("next")
    runtime.settle()
    assert log == ["slow", "next"]
    assert runtime.abandoned == 1


def test_a_stalled_group_handles_nothing_until_the_stall_ends() -> None:
    runtime, cell, log, _ = harmed(None)
    cell.address.tell("before")
    runtime.settle()
    runtime.stall("takers", 2.0)
    cell.address.tell("during")
    runtime.advance(1.9)
    assert log == ["before"]
    runtime.advance(0.2)
    assert log == ["before", "during"]
