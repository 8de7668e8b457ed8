"""What a message class declares about itself, read once a class.

- `control = True`: it goes ahead of all data and is never dropped.
- `order = True`: it is about the actor's life; it is never refused or dropped, and counted nowhere.
- `__len__` and `split(index) -> (item, rest or None)`: it is a batch; it counts its length against bounds and in statistics (at
  least one), and an error in one item loses that item alone. Text is no batch, although it has both.
- `merged_with(newer)`: it may be conflated; in a conflating inbox at most one of its class waits.
- `sheddable = True`: it may be dropped when the inbox is full.
- `held_bytes`: what it holds of the outside, in bytes; an inbox adds up what waits, for a gate that bounds it.
"""

from __future__ import annotations

from typing import Any, Final

from pykka._envelope import Envelope
from pykka.messages import _ActorStop

CONTROL: Final = 1
BATCH: Final = 2
MERGES: Final = 4
SHEDDABLE: Final = 8
ORDER: Final = 16
HOLDS: Final = 32

TRAITS: Final[dict[type, int]] = {_ActorStop: ORDER}
"""The traits of every class that was asked for; to be read where a call would cost too much.

A cache of facts about classes, not state: it is the same for every system in the process.
"""


def traits_of(cls: type) -> int:
    """Return the traits of a message class as flags."""
    traits = TRAITS.get(cls)
    if traits is None:
        text = issubclass(cls, str | bytes | bytearray)
        # `is True`, because a field of that name is a descriptor on the class.
        traits = (
            CONTROL * (getattr(cls, "control", False) is True)
            | BATCH * (hasattr(cls, "split") and hasattr(cls, "__len__") and not text)
            | MERGES * hasattr(cls, "merged_with")
            | SHEDDABLE * (getattr(cls, "sheddable", False) is True)
            | ORDER * (getattr(cls, "order", False) is True)
            | HOLDS * hasattr(cls, "held_bytes")
        )
        TRAITS[cls] = traits
    return traits


def weight_of(entry: Any) -> int:
    """Return how many items a message, or an envelope that holds one, counts for."""
    message = entry.message if entry.__class__ is Envelope else entry
    return len(message) or 1 if traits_of(message.__class__) & BATCH else 1


def held_by(entry: Any) -> int:
    """Return how many bytes of the outside a message, or an envelope that holds one, holds."""
    message = entry.message if entry.__class__ is Envelope else entry
    held: int = message.held_bytes if traits_of(message.__class__) & HOLDS else 0
    return held
