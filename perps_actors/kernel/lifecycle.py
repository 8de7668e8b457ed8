"""The life of an incarnation: the messages that begin and end it, and what others learn of it.

Lifecycle messages are about the actor, not data. They are never refused or dropped, and counted nowhere.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import attrs
from pykka.messages import _ActorStop


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
class Recycle:
    """End the incarnation, ahead of all data, and leave the inbox to the next one."""

    lifecycle = True
    control = True


@attrs.frozen
class Start:
    """The first step of an incarnation: its `on_start`. It never waits in an inbox."""

    lifecycle = True


START: Final = Start()

LIFECYCLE_MESSAGES: Final = frozenset({Start, Stop, Drain, Recycle, _ActorStop})


@attrs.frozen(kw_only=True)
class DeadLetter:
    """A message that killed its actor, or was in hand when the actor was fenced. It is never delivered again."""

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
    """The incarnation was replaced while it was in a handler. The thread that ran it must not touch anything any more."""
