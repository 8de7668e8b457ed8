from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import attrs
import pytest

from perps_actors.feeds.actor_spec import ANSWER_BYTES, EVENT_BYTES, FRAME_BYTES, MARK_BYTES
from perps_actors.host.composition import GATE_BYTES
from perps_actors.host.system import PerpsSystem
from perps_actors.kernel.address import Address
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.inbox import InboxPolicy, Overflow
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.feeds import AnswerArrived, FramesArrived
from perps_actors.messages.marks import MarksUpdated, RecordMarks
from perps_actors.messages.records import Record, event
from perps_actors.settings import Settings
from perps_actors.testing import FakeNetwork
from perps_actors.transport.limits import READ_BYTES, Limits
from perps_actors.transport.wire import HttpAnswer, HttpRequest

BOUND = 1_500
SYMBOL = "BTCUSDT"
INSTRUMENT = InstrumentId("binance_futures", SYMBOL)


class SmallInboxes(SimulatedRuntime):
    """Inboxes of which a test can fill every one."""

    def cell(self, name: str, *, group: str = "", policy: InboxPolicy | None = None) -> Cell:
        assert policy is None or policy.bound > 2 * BOUND or name == "supervisor"
        return super().cell(
            name, group=group, policy=None if policy is None else attrs.evolve(policy, bound=BOUND)
        )


def _mark(number: int) -> Mark:
    return Mark(
        INSTRUMENT,
        Decimal(f"{50_000 + number}.12345678"),
        "book",
        10**18 + number,
        10**18 + 2 * number,
        10**15 + number,
    )


def _event(number: int) -> Record:
    texts = {name: name[0] * 290 + str(10**9 + number) for name in ("error", "message")}
    made = event(
        "actor_died",
        venue="binance_futures",
        received_ns=10**18 + number,
        provenance="synthetic",
        actor="mark_store",
        generation=1000 + number,
        restarts=1000 + number,
        items_lost=1,
        **texts,
    )
    return Record((made,))


def _frame(number: int) -> FramesArrived:
    return FramesArrived(
        "public-0", 1000 + number, (b"%d" % number,), 10**18 + number, 10**15 + number
    )


def _answer(number: int) -> AnswerArrived:
    request = HttpRequest(url=f"http://127.0.0.1/{number}", purpose="quotes")
    answer = HttpAnswer(
        request=request,
        status=200,
        body=b"",
        error=None,
        received_ns=10**18 + number,
        monotonic_ns=10**15 + number,
    )
    return AnswerArrived(answer)


HEAVIEST: dict[str, Callable[[int], Any]] = {
    "event_recorder": _event,
    "market_monitor": lambda number: MarksUpdated((_mark(number),), "synthetic"),
    "risk_monitor": lambda number: MarksUpdated((_mark(number),), "synthetic"),
    "mark_store": lambda number: RecordMarks((_mark(number),), "synthetic"),
    "stream_consumer": _frame,
    "quote_poller": _answer,
}


def _traced(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = work()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    del kept
    return taken


@pytest.mark.parametrize(
    ("make", "item_bytes"),
    [
        (_event, EVENT_BYTES),
        (HEAVIEST["mark_store"], MARK_BYTES),
        (_frame, FRAME_BYTES),
        (_answer, ANSWER_BYTES),
    ],
    ids=["event", "mark", "frame", "answer"],
)
def test_no_item_is_heavier_than_it_is_taken_for_and_none_is_half_as_heavy(
    make, item_bytes
) -> None:
    make(0)
    taken = _traced(lambda: [make(number) for number in range(1000, 3000)]) / 2000
    assert item_bytes / 2 < taken <= item_bytes


def _fill(address: Address, make: Callable[[int], Any]) -> None:
    for number in range(1000, 1000 + 3 * BOUND):
        address.tell(make(number))


@pytest.mark.parametrize("lossless", [True, False])
def test_all_inboxes_filled_to_the_brim_stay_below_the_ceiling(lossless) -> None:
    runtime = SmallInboxes()
    network = FakeNetwork(runtime.clock)
    system = PerpsSystem(
        Settings(symbols=(SYMBOL,), lossless=lossless),
        replace={"network": network, "runtime": runtime},
    )
    rows = {row.name: row for row in system.memory_ceiling().rows}
    for name, make in HEAVIEST.items():
        address = system._composition.address(name)
        taken = _traced(partial(_fill, address, make))
        inbox = address._cell.inbox
        assert len(inbox) <= rows[name].items
        assert taken <= rows[name].items * rows[name].item_bytes
        assert lossless or name == "mark_store" or len(inbox) >= BOUND
    assert system.memory_ceiling().total == sum(row.total for row in rows.values())
    system.stop()


def test_frames_stop_at_the_gate_before_they_hold_more_than_the_ceiling_says(world) -> None:
    listener = world.network.link("public-0").listener
    frame = bytes(READ_BYTES)
    reads = 0
    while listener.has_room(lambda: None):
        world.network.deliver("public-0", frame)
        reads += 1
    (consumer,) = [
        row for row in world.system.memory_ceiling().rows if row.name == "stream_consumer"
    ]
    held = world.address("stream_consumer")._cell.statistics().inbox.held_bytes
    assert held == reads * READ_BYTES
    assert GATE_BYTES <= held <= consumer.held_bytes
    assert consumer.held_bytes == GATE_BYTES + len(world.network.links) * (
        Limits().max_message_bytes + READ_BYTES
    )


def test_an_inbox_that_drops_the_oldest_holds_its_bound_and_any_other_twice_as_many() -> None:
    assert InboxPolicy(bound=7).most_items == 14
    assert InboxPolicy(bound=7, overflow=Overflow.DROP_OLDEST).most_items == 7


def test_the_ceiling_can_be_printed(world) -> None:
    ceiling = world.system.memory_ceiling()
    lines = str(ceiling).splitlines()
    assert len(lines) == len(ceiling.rows) + 2
    assert lines[-1].split() == ["all", f"{ceiling.total / 2**20:.1f}"]
    assert all(
        line.startswith(row.name) for line, row in zip(lines[1:], ceiling.rows, strict=False)
    )
