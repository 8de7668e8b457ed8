"""The inbox against a model of it that is too slow to be wrong: two lists."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pykka._envelope import Envelope

from perps_actors.kernel.address import Answer
from perps_actors.kernel.inbox import EMPTY, Inbox, InboxPolicy, Overflow
from perps_actors.kernel.lifecycle import Drain, Stop
from perps_actors.kernel.messages import Batch


class Pack(Batch, frozen=True):
    items: tuple[int, ...]


class ShedPack(Pack, frozen=True):
    sheddable = True


class Tally(Pack, frozen=True):
    def merged_with(self, newer: Tally) -> Tally:
        return Tally((*self.items, *newer.items)[-3:])


@attrs.frozen
class Alarm:
    control = True
    number: int


def weight(entry: Any) -> int:
    message = entry.message if isinstance(entry, Envelope) else entry
    return max(1, len(message.items)) if isinstance(message, Pack) else 1


class InboxMachine(RuleBasedStateMachine):
    @initialize(bound=st.integers(1, 8), conflate=st.booleans(), overflow=st.sampled_from(Overflow))
    def open(self, *, bound: int, conflate: bool, overflow: Overflow) -> None:
        self.policy = InboxPolicy(bound=bound, conflate=conflate, overflow=overflow)
        self.leftovers: list[Any] = []
        self.awake = False
        self.box = Inbox(self.policy, self._wake, self.leftovers.append)
        self.control: list[Any] = []
        self.data: list[Any] = []
        self.left: list[Any] = []
        self.told = self.dropped = self.taken = 0
        self.closed = False

    def _wake(self) -> None:
        self.awake = True

    def _waiting(self) -> int:
        return sum(weight(entry) for entry in self.data)

    def _put(
        self, entry: Any, *, urgent: bool = False, shed: bool = False, order: bool = False
    ) -> None:
        took = self.box.put(entry)
        self.told += 0 if order else weight(entry)
        if self.closed or urgent or order or self._room(weight(entry), shed=shed):
            assert took is not self.closed
            (self.left if self.closed else self.control if urgent else self.data).append(entry)
        else:
            assert not took
            self.dropped += weight(entry)

    def _room(self, wanted: int, *, shed: bool) -> bool:
        if self.policy.overflow is Overflow.REFUSE:
            return self._waiting() + wanted <= self.policy.bound * (1 if shed else 2)
        while self.data and self._waiting() + wanted > self.policy.bound:
            oldest = self.data.pop(0)
            if isinstance(oldest, Drain | Envelope):
                self.control.append(oldest)
            else:
                self.dropped += weight(oldest)
        return True

    @rule(number=st.integers())
    def tell(self, number: int) -> None:
        self._put(number)

    @rule(items=st.lists(st.integers(), max_size=5))
    def tell_a_batch(self, items: list[int]) -> None:
        self._put(Pack(tuple(items)))

    @rule(items=st.lists(st.integers(), max_size=5))
    def tell_a_sheddable_batch(self, items: list[int]) -> None:
        self._put(ShedPack(tuple(items)), shed=True)

    @rule(items=st.lists(st.integers(), max_size=5))
    def tell_what_merges(self, items: list[int]) -> None:
        message = Tally(tuple(items))
        waits = next((n for n, entry in enumerate(self.data) if isinstance(entry, Tally)), None)
        if not self.policy.conflate:
            self._put(message)
        elif self.closed or waits is None:
            self._put(message, order=True)
            self.told += weight(message)
        else:
            assert self.box.put(message)
            self.told += weight(message)
            merged = self.data[waits].merged_with(message)
            self.dropped += weight(self.data[waits]) + weight(message) - weight(merged)
            self.data[waits] = merged

    @rule(number=st.integers())
    def tell_what_is_urgent(self, number: int) -> None:
        self._put(Alarm(number), urgent=True)

    @rule(number=st.integers())
    def ask(self, number: int) -> None:
        self._put(Envelope(number, reply_to=Answer()))

    @rule()
    def order_to_drain(self) -> None:
        self._put(Drain(), order=True)

    @rule()
    def order_to_stop(self) -> None:
        self._put(Stop(), urgent=True, order=True)

    @rule(handled=st.integers(0, 4))
    def take(self, handled: int) -> None:
        entry = self.box.take()
        expected = self.control or self.data
        if not expected:
            assert entry is EMPTY
            self.awake = False
            return
        assert entry == expected.pop(0)
        done = weight(entry)
        if isinstance(entry, Pack) and handled < len(entry.items):
            rest = entry.items[handled + 1 :]
            if rest:
                self.box.put_back(Pack(rest))
                self.data.insert(0, Pack(rest))
                done = handled + 1
        if not isinstance(entry, Drain | Stop):
            self.taken += done

    @rule()
    def close(self) -> None:
        self.box.close()
        self.left += [*self.control, *self.data]
        self.control, self.data = [], []
        self.closed = True

    @invariant()
    def all_is_accounted_for(self) -> None:
        statistics = self.box.statistics()
        left = sum(weight(entry) for entry in self.left if not isinstance(entry, Drain | Stop))
        orders = sum(isinstance(entry, Drain | Stop) for entry in (*self.control, *self.data))
        assert (statistics.taken, statistics.dropped, statistics.left) == (
            self.taken,
            self.dropped,
            left,
        )
        assert statistics.told - orders == self.told
        assert (
            statistics.length == len(self.box) == self._waiting() + sum(map(weight, self.control))
        )
        assert self.leftovers == self.left

    @invariant()
    def whoever_has_messages_is_awake(self) -> None:
        assert self.awake or not (self.control or self.data)


InboxMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_an_inbox_does_what_two_lists_would_do = InboxMachine.TestCase
