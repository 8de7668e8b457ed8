"""The life of an incarnation: the messages that begin and end it, and what others learn of it.

Lifecycle messages are about the actor, not data. They are never refused or dropped, and counted
nowhere.
"""

from __future__ import annotations

import threading
from enum import Enum
from typing import Any, ClassVar, Final, Protocol

import attrs
from pykka.messages import _ActorStop

from perps_actors.kernel.lease import Lease
from perps_actors.kernel.messages import Batch


@attrs.frozen
class Stop:
    """End the actor, ahead of all data that waits."""

    lifecycle = True
    control = True


@attrs.frozen
class Drain:
    """End the actor once it has handled the messages that were sent before this one."""

    lifecycle = True


@attrs.frozen
class Start:
    """The first step of an incarnation: its `on_start`. It never waits in an inbox."""

    lifecycle = True


START: Final = Start()

LIFECYCLE_MESSAGES: Final = frozenset({Start, Stop, Drain, _ActorStop})


class Incarnation(Protocol):
    """An actor between two restarts, as its cell knows it. `Actor` describes the methods."""

    atomic_batches: ClassVar[frozenset[type[Batch]]]
    ends_batches: ClassVar[bool]
    actor_inbox: Lease
    actor_stopped: threading.Event

    @property
    def actor_ref(self) -> Any:
        """Pykka's reference to it."""

    def on_start(self) -> None:
        """Run before the first message."""

    def on_stop(self) -> None:
        """Run at a stop."""

    def on_failure(self, kind: Any, error: Any, traceback: Any, /) -> None:
        """Run after an error."""

    def on_receive(self, message: Any, /) -> Any:
        """Handle a message."""

    def on_item(self, batch: Any, item: Any, /) -> None:
        """Handle an item of a batch."""

    def on_batch_end(self, batch: Any, /) -> None:
        """Finish a batch."""

    def receive_envelope(self, message: Any, /) -> Any:
        """Handle a message from an envelope of Pykka's."""


@attrs.frozen(kw_only=True)
class DeadLetter:
    """A message that killed its actor, or was in hand when the actor was fenced.

    It is never delivered again.
    """

    actor: str
    generation: int
    message: Any
    """Of a batch: the batch with the one item that was in hand."""
    error: BaseException
    items: int


class TurnResult(Enum):
    """What became of a turn."""

    IDLE = "idle"
    MORE = "more"
    FENCED = "fenced"
    """The incarnation was replaced while it was in a handler.

    The thread that ran it must not touch anything any more.
    """
