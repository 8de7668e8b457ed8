"""What the composition needs to know of an actor, declared beside the actor's class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from perps_actors.kernel.actor import Actor

FEEDS = "feeds"
"""The group of the actors between socket and board; its thread also waits for the sockets."""

MARK_BYTES = 448
"""A mark in a message of its own: message, tuple, mark, decimal, three times. In a batch: less."""
EVENT_BYTES = 1_536
"""An event in a message of its own, with two texts of 300 characters; the event of a mark: less."""
FRAME_BYTES = 320
"""A frame in a message of its own, without its payload."""
ANSWER_BYTES = 512
"""An answer in a message of its own, without its body."""


@attrs.frozen(kw_only=True)
class ActorSpec:
    """How an actor is made, where it runs, what it is told and how new settings reach it."""

    name: str
    make: Callable[..., Actor]
    """Factory of the actor, called at the start and at each restart.

    It takes keyword arguments. The composition passes each by its name: a part of the system or of
    the actor's market (`perps_actors.host.parts`), or the address of the actor of that name.
    """
    group: str
    """Actors of one group share a thread."""
    bound: int = 200_000
    """Items in the inbox beyond which its policy applies."""
    item_bytes: int = MARK_BYTES
    """Memory of the heaviest item that waits in its inbox, without bytes received from outside."""
    per_market: bool = False
    """Whether there is one for each market, or one for the system."""
    reads_frames: bool = False
    """Whether frames wait in its inbox: sockets stop reading while it is full."""
    listens_to: tuple[type, ...] = ()
    """Messages that it is told because it listens: `MarksUpdated`, `CloseSources`."""
    sections: tuple[str, ...] = ()
    """Attributes of `Settings`, or of `Market` if there is one per market, that it depends on."""
    changed: Callable[[Any], Any] | None = None
    """Returns the message for the actor when one of its sections changes, from the new settings."""
