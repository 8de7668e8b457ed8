"""A cell: the lasting place of one actor, with its name and inbox, and `step`, the only way in which an actor's code is run."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pykka
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from perps_actors.errors import ActorUnavailable, Fenced
from perps_actors.kernel.address import Address
from perps_actors.kernel.inbox import EMPTY, Inbox, InboxPolicy
from perps_actors.kernel.lease import HERE, Lease, enter
from perps_actors.kernel.life import DeadLetter, TurnResult, Watcher
from perps_actors.kernel.orders import ORDERS, START, Recycle, Start
from perps_actors.kernel.statistics import CellStatistics, GetStatistics
from perps_actors.kernel.timers import Timer
from perps_actors.kernel.traits import BATCH, TRAITS, traits_of, weight_of

if TYPE_CHECKING:
    from pykka._types import OptExcInfo

    from perps_actors.kernel.actor import Actor
    from perps_actors.kernel.runtime import Runtime


class Cell:
    """The place of one actor. Incarnations come and go; name, inbox, address and counters stay."""

    def __init__(self, name: str, runtime: Runtime, group: str, policy: InboxPolicy) -> None:
        self.name = name
        self.runtime = runtime
        self.group = group
        self.inbox = Inbox(policy, self._schedule, self._left_over, runtime.clock.monotonic_ns)
        self.address = Address(self)
        self.actor: Actor | None = None
        self.generation = 0
        self.watcher: Watcher | None = None
        self.lasting = False
        """Whether the inbox stays open when the actor ends by itself, because another incarnation will follow."""
        self.dead = self.busy_ns = 0
        # What a handler holds right now. Whoever pops it (the thread that ran the handler, or the supervisor that fences that
        # thread) accounts for it: list.pop is one instruction.
        self._in_hand: list[Any] = []
        self._first: Start | None = None

    def __repr__(self) -> str:
        return f"<Cell {self.name} generation {self.generation}>"

    def _schedule(self) -> None:
        self.runtime.schedule(self)

    def install(self, actor: Actor) -> None:
        """Let an incarnation live here: its lease is bound, its `on_start` will be its first step."""
        lease: Lease = actor.actor_inbox
        lease.cell = self
        self.generation += 1
        self._in_hand = []
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
            for _ in range(budget):
                if self._first is not None:
                    entry, self._first = self._first, None
                else:
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

    def step(self, actor: Actor, entry: Any) -> TurnResult | None:
        """Handle one message: every error is the death of this actor alone, the reply is settled, the message accounted for."""
        hand = self._in_hand
        hand.append(entry)
        plain = TRAITS.get(entry.__class__) == 0
        answer: Any = None
        try:
            if plain:
                actor.on_receive(entry)
            else:
                answer = self._handle(actor, entry)
        except BaseException as error:  # noqa: BLE001 - the one place where an actor's errors, SystemExit too, end
            return self._ended_by(
                actor, hand, error, entry.reply_to if entry.__class__ is Envelope else None
            )
        try:
            hand.pop()
        except IndexError:
            return _came_back_late(actor)
        if plain:
            self.inbox.taken += 1
            return None
        return self._handled(actor, entry, answer)

    def _handle(self, actor: Actor, entry: Any) -> Any:
        """Have the actor do what a message with traits, an order or an envelope is about; return the answer."""
        message: Any
        reply: Any
        message, reply = (
            (entry.message, entry.reply_to) if entry.__class__ is Envelope else (entry, None)
        )
        cls = message.__class__
        if traits_of(cls):
            actor.cursor = 0
        if cls is GetStatistics:
            return self.statistics()
        if cls in ORDERS:
            return self._carry_out(actor, cls)
        if entry is message:
            return actor.on_receive(message)
        if isinstance(reply, Timer) and reply.void:
            return None
        return actor.receive_envelope(message)

    def _handled(self, actor: Actor, entry: Any, answer: Any) -> TurnResult | None:
        """Account for a message that was handled, and settle its reply."""
        message, reply = (
            (entry.message, entry.reply_to) if entry.__class__ is Envelope else (entry, None)
        )
        cls = message.__class__
        if cls in ORDERS:
            return self._carried_out(actor, entry, answer)
        if cls is not GetStatistics:
            self.inbox.taken += weight_of(message)
        if reply is not None:
            reply.set(answer)
        return None

    def _carry_out(self, actor: Actor, order: type) -> BaseException | None:
        """Run the hook that belongs to an order; of `on_stop` return the error, because the actor ends all the same."""
        if order is Start:
            actor.on_start()
            return None
        try:
            actor.on_stop()
        except BaseException as error:  # noqa: BLE001 - reported
            return error
        return None

    def _carried_out(
        self, actor: Actor, entry: Any, error: BaseException | None
    ) -> TurnResult | None:
        if entry is START:
            self._tell_watcher("started", self.generation)
            return None
        self._end(actor, entry, error)
        return TurnResult.IDLE

    def _end(self, actor: Actor, order: Any, error: BaseException | None) -> None:
        """Let the incarnation go as it was told to; whoever waits for that learns it last."""
        by_itself = order.__class__ is Envelope
        left = 0 if (by_itself and self.lasting) or order.__class__ is Recycle else self.close()
        self._vacate(actor)
        if by_itself and order.reply_to is not None:
            order.reply_to.set(None)
        self._tell_watcher("stopped", self.generation, left, error)

    def _ended_by(
        self, actor: Actor, hand: list[Any], error: BaseException, reply: Any
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

    def _bury(self, actor: Actor, entry: Any, error: BaseException, reply: Any) -> None:
        """Account for a death: the message is set aside, the asker told, then the watcher."""
        letter = None if entry is START else self._set_aside(entry, actor.cursor, error)
        self._vacate(actor)
        if self.watcher is None:
            self.close()
        if reply is not None:
            reply.set_exception(self._for_asker(error))
        self._tell_watcher("died", self.generation, error, letter)

    def _for_asker(self, error: BaseException) -> OptExcInfo:
        """Return the error as the asker gets it: what ends a thread or a process here must not do so there."""
        if isinstance(error, Exception):
            return type(error), error, error.__traceback__
        unavailable = ActorUnavailable(f"{self.name} was ended by {error!r}")
        unavailable.__cause__ = error
        return ActorUnavailable, unavailable, None

    def _set_aside(self, entry: Any, cursor: int, error: BaseException) -> DeadLetter:
        """Make a dead letter of what killed the actor; of a batch that is one item, and the rest goes back to the inbox."""
        message = entry.message if entry.__class__ is Envelope else entry
        weight = dead = weight_of(message)
        if traits_of(message.__class__) & BATCH and len(message):
            # A batch that cannot even be taken apart is dead as a whole.
            with suppress(Exception):
                item, rest = message.split(cursor)
                behind = 0 if rest is None else weight_of(rest)
                message, dead, weight = item, 1, weight - behind
                if rest is not None:
                    self.inbox.put_back(rest)
        self.inbox.taken += weight
        self.dead += dead
        return DeadLetter(
            actor=self.name, generation=self.generation, message=message, error=error, items=dead
        )

    def fence(self, error: BaseException) -> bool:
        """Give up the incarnation that hangs in a handler; return False when it came back by itself in the meantime."""
        actor = self.actor
        try:
            entry = self._in_hand.pop()
        except IndexError:
            return False
        assert actor is not None
        actor.actor_inbox.void = True
        reply = entry.reply_to if entry.__class__ is Envelope else None
        message = entry.message if entry.__class__ is Envelope else entry
        if entry is START or message.__class__ not in ORDERS:
            self._bury(actor, entry, error, reply)
        else:
            self._end(actor, entry, error)
        # Last: the fresh thread must not find this incarnation still in its place.
        self.runtime.abandon_thread_of(self)
        return True

    def retire(self, error: BaseException) -> None:
        """End whatever lives here without waiting for it: a handler that is running is fenced, a vacant cell stays vacant."""
        actor = self.actor
        if not self.fence(error) and actor is not None:
            self._vacate(actor)

    @property
    def busy(self) -> bool:
        """Whether a handler is running."""
        return bool(self._in_hand)

    def _vacate(self, actor: Actor) -> None:
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
        """Take no more messages; return how many items were left over. For a cell that no incarnation will live in again."""
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
        """Return the counters; exact when the cell is idle, at most one message behind when it is not."""
        inbox = self.inbox.statistics()
        return CellStatistics(
            name=self.name,
            generation=self.generation,
            handled=inbox.taken - self.dead,
            dead=self.dead,
            busy_ns=self.busy_ns,
            inbox=inbox,
        )


def _came_back_late(actor: Actor) -> TurnResult:
    """Let an incarnation that was replaced while it hung release what it holds."""
    error = Fenced("This incarnation was replaced while it was in a handler")
    with suppress(BaseException):
        actor.on_failure(Fenced, error, None)
    return TurnResult.FENCED
