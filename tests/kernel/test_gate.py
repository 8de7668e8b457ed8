from __future__ import annotations

import threading

from perps_actors.kernel.gate import Gate
from perps_actors.kernel.inbox import Inbox, InboxPolicy
from perps_actors.kernel.traits import Batch

LIMIT_S = 5.0


def _inbox() -> Inbox:
    return Inbox(InboxPolicy(), lambda: None, lambda _: None)


def test_a_gate_is_open_while_all_inboxes_behind_it_have_room() -> None:
    near, far = _inbox(), _inbox()
    gate = Gate((near, far), high=2)
    assert gate.is_open()
    far.put(1)
    far.put(2)
    assert not gate.is_open()
    assert not gate.wait(0.001)
    far.take()
    assert gate.wait(0.001)


class _Announced(threading.Event):
    """Says when somebody begins to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.awaited.set()
        return super().wait(timeout)


def test_whoever_waits_at_any_gate_of_an_inbox_is_let_through_when_it_is_relieved() -> None:
    inbox = _inbox()
    gates = [Gate((inbox,), high=2) for _ in range(3)]
    events = [_Announced() for _ in gates]
    for gate, event in zip(gates, events, strict=True):
        gate._relieved = event
    for number in range(2):
        inbox.put(number)
    passed: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda gate=gate: passed.append(gate.wait(12 * LIMIT_S)), daemon=True
        )
        for gate in gates
    ]
    for thread, event in zip(threads, events, strict=True):
        thread.start()
        assert event.awaited.wait(LIMIT_S)
    inbox.take()
    for thread in threads:
        thread.join(LIMIT_S)
    assert passed == [True, True, True]


class _Heavy(Batch, frozen=True):
    items: tuple[int, ...] = (1,)
    held_bytes: int = 60


def test_a_gate_closes_at_bytes_as_well_as_at_items() -> None:
    inbox = _inbox()
    gate = Gate((inbox,), high=100, high_bytes=100)
    inbox.put(_Heavy())
    assert gate.is_open()
    inbox.put(_Heavy())
    assert not gate.is_open()
    assert not gate.wait(0.001)
    inbox.take()
    assert gate.wait(0.001)
