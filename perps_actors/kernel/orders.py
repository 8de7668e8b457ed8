"""Orders: what begins and ends an incarnation. They are about the actor's life, not data, and are counted nowhere."""

from __future__ import annotations

from typing import Final

import attrs
from pykka.messages import _ActorStop


@attrs.frozen
class Stop:
    """End the actor, ahead of all data that waits."""

    order = True
    control = True


@attrs.frozen
class Drain:
    """End the actor once it has handled what was told before this."""

    order = True


@attrs.frozen
class Recycle:
    """End the incarnation, ahead of all data, and leave the inbox to the next one."""

    order = True
    control = True


@attrs.frozen
class Start:
    """The first step of an incarnation: its `on_start`. It never waits in an inbox."""

    order = True


START: Final = Start()

ORDERS: Final = frozenset({Start, Stop, Drain, Recycle, _ActorStop})
