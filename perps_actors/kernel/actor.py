"""The base of every actor: a Pykka actor whose loop is ours.

Pykka's users find what they know: `SomeActor.start(...)` returns an `ActorRef` that can be told,
asked, proxied and stopped. A system installs the same class into a cell of its own instead,
unregistered, so that a host's `ActorRegistry.stop_all` does not see it.

Private surface of Pykka used by this package, all of it in this room by these names, with tests in
`tests/kernel/test_pykka_surface.py`: `_create_actor_inbox`, `_create_future`, `_start_actor_loop`,
`_handle_receive`, `_ActorStop`, `Envelope`.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import pykka

from perps_actors.errors import ActorUnavailable
from perps_actors.kernel.address import Address, Answer
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.lease import Lease, Voice
from perps_actors.kernel.messages import Batch
from perps_actors.kernel.timers import Timer


class Actor(pykka.ThreadingActor):
    """An actor.

    Override `on_receive`, `on_item` for batches, and `on_start`, `on_stop`, `on_failure` where
    needed.

    Tell others, never wait for them.
    """

    use_daemon_thread = True
    inbox_policy: ClassVar[InboxPolicy] = InboxPolicy()
    """The policy when the actor is started alone; a system gives its own."""

    atomic_batches: ClassVar[frozenset[type[Batch]]] = frozenset()
    """Classes of batches that `on_receive` gets as a whole; an error loses all their items."""
    ends_batches: ClassVar[bool] = False
    """Whether the class overrides `on_batch_end`, which costs a call for each batch."""

    actor_inbox: Lease

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.ends_batches = cls.on_batch_end is not Actor.on_batch_end

    @staticmethod
    def _create_actor_inbox() -> Lease:
        return Lease()

    @staticmethod
    def _create_future() -> Answer:
        return Answer()

    def _start_actor_loop(self) -> None:
        # Here, because a runtime runs cells and cells hold actors.
        from perps_actors.kernel.runtime import ThreadedRuntime  # noqa: PLC0415

        name = type(self).__name__
        runtime = ThreadedRuntime(name=name, solitary=True)
        runtime.cell(name, policy=self.inbox_policy).install(self)

    def on_item(self, batch: Any, item: Any) -> None:  # noqa: ARG002 - for those that override it
        """Handle one item of a batch.

        Unless it is overridden, an item is handled like a message of its own.
        """
        self.on_receive(item)

    def on_batch_end(self, batch: Any) -> None:
        """Send what the items made: after the last item, or after one that killed this actor."""

    def receive_envelope(self, message: Any) -> Any:
        """Handle what came in an envelope of Pykka's: questions, and calls through a proxy."""
        return self._handle_receive(message)

    @property
    def cell(self) -> Cell:
        """The place this actor lives in.

        Raises:
            ActorUnavailable: it was built but not started.
        """
        cell = cast("Cell | None", self.actor_inbox.cell)
        if cell is None:
            msg = f"{type(self).__name__} was not started"
            raise ActorUnavailable(msg)
        return cell

    @property
    def address(self) -> Address:
        """This actor's address, which outlives it."""
        return self.cell.address

    def voice(self) -> Voice:
        """Return how threads that work for this incarnation tell it things."""
        return Voice(self.actor_inbox, self.cell.inbox.put)

    def after(self, delay_s: float, message: Any) -> Timer:
        """Send `message` to this incarnation after `delay_s` seconds, and to no later one."""
        return self.cell.runtime.after(delay_s, self.actor_inbox, message)
