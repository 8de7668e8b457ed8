"""A cell: the lasting place of one actor. Its `step` runs all code of the actor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from operator import length_hint
from typing import TYPE_CHECKING, Any, Protocol

import pykka
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from perps_actors.errors import ActorUnavailable, Fenced
from perps_actors.kernel.address import Address, Answer
from perps_actors.kernel.clock import Clock
from perps_actors.kernel.inbox import EMPTY, Inbox, InboxPolicy
from perps_actors.kernel.lease import HERE, Lease, enter
from perps_actors.kernel.lifecycle import (
    LIFECYCLE_MESSAGES,
    START,
    DeadLetter,
    Incarnation,
    Start,
    TurnResult,
)
from perps_actors.kernel.messages import BATCH, LIFECYCLE, TRAITS, Batch, weight_of
from perps_actors.kernel.statistics import CellStatistics, GetStatistics
from perps_actors.kernel.timers import Timer

if TYPE_CHECKING:
    from pykka._types import OptExcInfo


class Runner(Protocol):
    """What a cell needs of its runtime."""

    @property
    def clock(self) -> Clock:
        """The clocks of all cells."""

    def schedule(self, cell: Cell) -> None:
        """Have the cell run soon."""

    def abandon_thread_of(self, cell: Cell) -> None:
        """Leave the thread that hangs in a handler of `cell` behind.

        Another one takes its other cells over.
        """

    def after(self, delay_s: float, lease: Lease, message: Any) -> Timer:
        """Set a timer."""

    def wait(self, answer: Answer, timeout_s: float) -> Any:
        """Wait, as the host, for an answer."""


class Watcher(Protocol):
    """Learns what happens in a cell. Called on the dispatcher's thread, so it must not block."""

    def started(self, cell: Cell, generation: int) -> None:
        """`on_start` returned."""

    def died(
        self, cell: Cell, generation: int, error: BaseException, letter: DeadLetter | None
    ) -> None:
        """The incarnation ended by an error. The inbox waits for the next one."""

    def stopped(self, cell: Cell, generation: int, left: int, error: BaseException | None) -> None:
        """The incarnation ended by a lifecycle message.

        `error` is what `on_stop` raised, or says that it hung.
        """


class Cell:
    """The place of one actor. Incarnations come and go; name, inbox, address and counters stay."""

    def __init__(self, name: str, runtime: Runner, group: str, policy: InboxPolicy) -> None:
        self.name = name
        self.runtime = runtime
        self.group = group
        self.inbox = Inbox(policy, self._schedule, self._left_over, runtime.clock.monotonic_ns)
        self.address = Address(self)
        self.actor: Incarnation | None = None
        self.generation = 0
        self.watcher: Watcher | None = None
        self.lasting = False
        """Whether the inbox stays open when the actor ends by itself, for the next incarnation."""
        self.dead = self.busy_ns = 0
        # The message, or the item of a batch, that a handler holds right now. The thread that ran
        # the handler and the supervisor that fences this thread both pop it. `list.pop` is one
        # instruction, so one of them gets it, and that one accounts for it.
        self._in_hand: list[Any] = []
        # The batch of which an item is in hand, the items after it, and who waits for the answer.
        # They are written while the hand is empty, and belong to the thread that pops the hand.
        self._batch: Batch | None = None
        self._rest: Iterator[Any] = iter(())
        self._reply: Any = None
        self._first: Start | None = None

    def __repr__(self) -> str:
        return f"<Cell {self.name} generation {self.generation}>"

    def _schedule(self) -> None:
        self.runtime.schedule(self)

    def install(self, actor: Incarnation) -> None:
        """Let an incarnation live here. Its `on_start` is its first step."""
        lease: Lease = actor.actor_inbox
        lease.cell = self
        self.generation += 1
        # A new list, because the thread of an incarnation that was fenced still looks into the old
        # one.
        self._in_hand = []
        self._batch = self._reply = None
        self._first = START
        self.actor = actor
        self._schedule()

    def turn(self, budget: int) -> TurnResult:
        """Handle up to `budget` messages on the present thread."""
        actor = self.actor
        if actor is None:
            self.inbox.park()
            return TurnResult.IDLE
        began_ns = self.runtime.clock.monotonic_ns()
        before, HERE.lease = HERE.lease, actor.actor_inbox
        try:
            take, step = self.inbox.take, self.step
            if self._first is not None:
                entry, self._first = self._first, None
                verdict = step(actor, entry)
                if verdict is not None:
                    return verdict
                budget -= 1
            for _ in range(budget):
                entry = take()
                if entry is EMPTY:
                    return TurnResult.IDLE
                verdict = step(actor, entry)
                if verdict is not None:
                    return verdict
        finally:
            HERE.lease = before
            self.busy_ns += self.runtime.clock.monotonic_ns() - began_ns
        self.inbox.look()
        return TurnResult.MORE

    def step(self, actor: Incarnation, entry: Any) -> TurnResult | None:
        """Handle one message.

        Every error is the death of this actor alone; the reply is settled.
        """
        traits = TRAITS.get(entry.__class__, LIFECYCLE)
        if traits:
            if traits & LIFECYCLE:
                return self._step_carefully(actor, entry)
            if traits & BATCH and not (
                actor.atomic_batches and entry.__class__ in actor.atomic_batches
            ):
                return self._step_through(actor, entry, None)
        hand = self._in_hand
        hand.append(entry)
        try:
            actor.on_receive(entry)
        except BaseException as error:  # noqa: BLE001 - an actor's errors, SystemExit too, end here
            return self._ended_by(actor, hand, error, None)
        try:
            hand.pop()
        except IndexError:
            return _came_back_late(actor)
        return None

    def _step_carefully(self, actor: Incarnation, entry: Any) -> TurnResult | None:
        """Handle an envelope of Pykka's, a lifecycle message, or the first message of its class."""
        message: Any
        reply: Any
        message, reply = (
            (entry.message, entry.reply_to) if entry.__class__ is Envelope else (entry, None)
        )
        if isinstance(reply, Timer) and reply.void:
            return None
        if isinstance(message, Batch) and message.__class__ not in actor.atomic_batches:
            return self._step_through(actor, message, reply)
        hand = self._in_hand
        hand.append(entry)
        try:
            answer = self._handle(actor, entry)
        except BaseException as error:  # noqa: BLE001 - an actor's errors, SystemExit too, end here
            return self._ended_by(actor, hand, error, reply)
        try:
            hand.pop()
        except IndexError:
            return _came_back_late(actor)
        return self._handled(actor, entry, answer)

    def _step_through(self, actor: Incarnation, batch: Batch, reply: Any) -> TurnResult | None:
        """Give a batch to the actor item by item."""
        # Each item is in hand while it is handled. Two threads may meet here: this one, and the
        # supervisor that fences it because it seems to hang. They meet at `hand.pop()` alone.
        # If this thread pops first, the item was handled and the iterator stays with this thread.
        # If the supervisor pops first, the item is dead, and the iterator belongs to the
        # supervisor, which puts the rest back. This thread then finds the hand empty when its
        # handler returns, and touches neither the iterator nor the cell again.
        # While the hand is empty between two items, nothing can be fenced. So each item is counted
        # once and none is lost.
        hand, on_item = self._in_hand, actor.on_item
        item: Any = batch
        at_the_end = False
        self._batch, self._reply = batch, reply
        self._rest = rest = iter(batch.items)
        try:
            for item in rest:
                hand.append(item)
                on_item(batch, item)
                hand.pop()
            if actor.ends_batches:
                # The end is in the account of the last item, or of an empty batch itself.
                at_the_end = True
                hand.append(item)
                actor.on_batch_end(batch)
                hand.pop()
        except BaseException as error:  # noqa: BLE001 - an actor's errors, SystemExit too, end here
            if not hand:
                return _came_back_late(actor)
            if not at_the_end:
                # What the items before this one made is sent while this one is still in hand,
                # because the hook may hang.
                with suppress(BaseException):
                    actor.on_batch_end(batch)
            return self._ended_by(actor, hand, error, reply)
        self._batch = None
        if reply is not None:
            reply.set(None)
        return None

    def _handle(self, actor: Incarnation, entry: Any) -> Any:
        """Handle a lifecycle message, or one in an envelope; return the answer."""
        enveloped = entry.__class__ is Envelope
        message: Any = entry.message if enveloped else entry
        cls = message.__class__
        if cls is GetStatistics:
            return self.statistics()
        if cls in LIFECYCLE_MESSAGES:
            return self._carry_out(actor, cls)
        return actor.receive_envelope(message) if enveloped else actor.on_receive(message)

    def _handled(self, actor: Incarnation, entry: Any, answer: Any) -> TurnResult | None:
        """End the incarnation after a lifecycle message; settle the reply of any other."""
        message, reply = (
            (entry.message, entry.reply_to) if entry.__class__ is Envelope else (entry, None)
        )
        if message.__class__ in LIFECYCLE_MESSAGES:
            return self._carried_out(actor, entry, answer)
        if reply is not None:
            reply.set(answer)
        return None

    def _carry_out(self, actor: Incarnation, order: type) -> BaseException | None:
        """Run the hook of a lifecycle message; return an error of `on_stop`, which ends nothing."""
        if order is Start:
            actor.on_start()
            return None
        try:
            actor.on_stop()
        except BaseException as error:  # noqa: BLE001 - reported
            return error
        return None

    def _carried_out(
        self, actor: Incarnation, entry: Any, error: BaseException | None
    ) -> TurnResult | None:
        if entry is START:
            self._tell_watcher("started", self.generation)
            return None
        self._end(actor, entry, error)
        return TurnResult.IDLE

    def _end(self, actor: Incarnation, order: Any, error: BaseException | None) -> None:
        """End the incarnation as a lifecycle message said; tell those that wait for it last."""
        by_itself = order.__class__ is Envelope
        left = 0 if by_itself and self.lasting else self.close()
        self._vacate(actor)
        if by_itself and order.reply_to is not None:
            order.reply_to.set(None)
        self._tell_watcher("stopped", self.generation, left, error)

    def _ended_by(
        self, actor: Incarnation, hand: list[Any], error: BaseException, reply: Any
    ) -> TurnResult:
        # While it is in hand, because this hook may hang like any other.
        with suppress(BaseException):
            actor.on_failure(type(error), error, error.__traceback__)
        try:
            entry = hand.pop()
        except IndexError:
            return TurnResult.FENCED
        self._bury(actor, entry, error, reply)
        return TurnResult.IDLE

    def _bury(self, actor: Incarnation, entry: Any, error: BaseException, reply: Any) -> None:
        """Account for a death: the message is set aside, the asker told, then the watcher."""
        letter = None if entry is START else self._set_aside(entry, error)
        self._vacate(actor)
        if self.watcher is None:
            self.close()
        if reply is not None:
            reply.set_exception(self._for_asker(error))
        self._tell_watcher("died", self.generation, error, letter)

    def _for_asker(self, error: BaseException) -> OptExcInfo:
        """Return the error for the asker, whose thread must not be ended by it."""
        if isinstance(error, Exception):
            return type(error), error, error.__traceback__
        unavailable = ActorUnavailable(f"{self.name} was ended by {error!r}")
        unavailable.__cause__ = error
        return ActorUnavailable, unavailable, None

    def _set_aside(self, entry: Any, error: BaseException) -> DeadLetter:
        """Make a dead letter of what killed the actor.

        Of a batch that is one item; the rest goes back to the inbox.
        """
        batch = self._batch
        if batch is None:
            message = entry.message if entry.__class__ is Envelope else entry
            dead = weight_of(message)
        else:
            self._batch = None
            message, dead = batch if entry is batch else batch.with_items((entry,)), 1
            rest = tuple(self._rest)
            if rest:
                self.inbox.put_back(batch.with_items(rest))
        self.dead += dead
        return DeadLetter(
            actor=self.name, generation=self.generation, message=message, error=error, items=dead
        )

    def fence(self, error: BaseException) -> bool:
        """Give up the incarnation that hangs in a handler; return False if it does not hang."""
        actor = self.actor
        try:
            entry = self._in_hand.pop()
        except IndexError:
            return False
        assert actor is not None
        actor.actor_inbox.void = True
        message, reply = (
            (entry.message, entry.reply_to) if entry.__class__ is Envelope else (entry, None)
        )
        if self._batch is not None:
            self._bury(actor, entry, error, self._reply)
        elif entry is START or message.__class__ not in LIFECYCLE_MESSAGES:
            self._bury(actor, entry, error, reply)
        else:
            self._end(actor, entry, error)
        # Last: the fresh thread must not find this incarnation still in its place.
        self.runtime.abandon_thread_of(self)
        return True

    def retire(self, error: BaseException) -> None:
        """End the incarnation, if any, without waiting for it: a handler that runs is fenced."""
        actor = self.actor
        if not self.fence(error) and actor is not None:
            self._vacate(actor)

    @property
    def busy(self) -> bool:
        """Whether a handler is running."""
        return bool(self._in_hand)

    @property
    def progress(self) -> tuple[int, int, int]:
        """A value that is another one as soon as the message or the item in hand is another one."""
        return self.generation, self.inbox.taken, length_hint(self._rest)

    def _vacate(self, actor: Incarnation) -> None:
        actor.actor_inbox.void = True
        self.actor = None
        actor.actor_stopped.set()
        pykka.ActorRegistry.unregister(actor.actor_ref)
        self.inbox.park()

    def _left_over(self, entry: Any) -> None:
        """Settle what nobody will handle any more."""
        if entry.__class__ is Envelope and entry.reply_to is not None:
            if isinstance(entry.message, _ActorStop):
                entry.reply_to.set(None)
            else:
                error = ActorUnavailable(f"{self.name} ended before it handled the message")
                entry.reply_to.set_exception((ActorUnavailable, error, None))

    def close(self) -> int:
        """Take no more messages; return how many items were left over.

        For a cell that no incarnation will live in again.
        """
        before = self.inbox.statistics().left
        self.inbox.close()
        return self.inbox.statistics().left - before

    def _tell_watcher(self, news: str, *details: Any) -> None:
        if self.watcher is not None:
            before = enter(None)
            try:
                getattr(self.watcher, news)(self, *details)
            finally:
                enter(before)

    def statistics(self) -> CellStatistics:
        """Return the counters; exact when the cell is idle.

        Otherwise what is in hand counts as handled already.
        """
        inbox = self.inbox.statistics()
        return CellStatistics(
            name=self.name,
            generation=self.generation,
            handled=inbox.taken - self.dead,
            dead=self.dead,
            busy_ns=self.busy_ns,
            inbox=inbox,
        )


def _came_back_late(actor: Incarnation) -> TurnResult:
    """Let an incarnation that was replaced while it hung release what it holds."""
    error = Fenced("This incarnation was replaced while it was in a handler")
    with suppress(BaseException):
        actor.on_failure(Fenced, error, None)
    return TurnResult.FENCED
