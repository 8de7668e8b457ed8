from __future__ import annotations

import threading

from perps_actors.kernel.gate import Gate
from perps_actors.kernel.inbox import Inbox, InboxPolicy
from perps_actors.kernel.messages import Batch

LIMIT_S = 5.0


def _inbox() -> Inbox:
    return Inbox(InboxPolicy(), lambda: None, lambda _: None)


class Source:
    """Asks the gate and counts how often it is called back."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.called = 0

    def resume(self) -> None:
        self.called += 1

    def ready(self) -> bool:
        return self._gate.has_room(self.resume)


def test_a_gate_is_open_while_all_inboxes_behind_it_have_room() -> None:
    near, far = _inbox(), _inbox()
    source = Source(Gate((near, far), high=2))
    assert source.ready()
    far.put(1)
    far.put(2)
    assert not source.ready()
    far.take()
    assert source.ready()


def test_every_source_of_every_gate_is_called_once_when_the_inbox_has_room_again() -> None:
    inbox = _inbox()
    gates = [Gate((inbox,), high=2) for _ in range(3)]
    sources = [Source(gate) for gate in gates for _ in range(2)]
    for number in range(3):
        inbox.put(number)
    for source in sources:
        assert not source.ready()
        assert not source.ready()
    inbox.take()
    assert [source.called for source in sources] == [0] * 6
    inbox.take()
    inbox.take()
    assert [source.called for source in sources] == [1] * 6


def test_a_source_that_passes_an_open_gate_is_not_called() -> None:
    inbox = _inbox()
    source = Source(Gate((inbox,), high=2))
    assert source.ready()
    inbox.put(1)
    inbox.take()
    assert source.called == 0


def test_a_source_is_called_although_the_inbox_is_emptied_while_it_asks() -> None:
    inbox = _inbox()
    gate, taken, missed = Gate((inbox,), high=1), threading.Semaphore(0), []
    stop = threading.Event()

    def take() -> None:
        while not stop.is_set():
            if len(inbox):
                inbox.take()

    taker = threading.Thread(target=take)
    taker.start()
    for number in range(2_000):
        inbox.put(number)
        if not gate.has_room(taken.release) and not taken.acquire(timeout=LIMIT_S):
            missed.append(number)
            break
    stop.set()
    taker.join(LIMIT_S)
    assert missed == []


class _Heavy(Batch, frozen=True):
    items: tuple[int, ...] = (1,)
    held_bytes: int = 60


def test_a_gate_shuts_at_bytes_as_well_as_at_items() -> None:
    inbox = _inbox()
    source = Source(Gate((inbox,), high=100, high_bytes=100))
    inbox.put(_Heavy())
    assert source.ready()
    inbox.put(_Heavy())
    assert not source.ready()
    inbox.take()
    assert source.ready()
