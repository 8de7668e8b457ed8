"""What a message class declares about itself, read once a class.

- `control = True`: it goes ahead of all data and is never dropped.
- `__len__` and `split(index) -> (item, rest or None)`: it is a batch; it counts its length against bounds and in statistics, and an
  error in one item loses that item alone.
- `merged_with(newer)`: it may be conflated; in a conflating inbox at most one of its class waits.
- `sheddable = True`: it may be dropped when the inbox is full.
"""

from __future__ import annotations

from typing import Any, Final

from pykka._envelope import Envelope

CONTROL: Final = 1
BATCH: Final = 2
MERGES: Final = 4
SHEDDABLE: Final = 8

# A cache of facts about classes, not state: it is the same for every system in the process.
_TRAITS: dict[type, int] = {}


def traits_of(cls: type) -> int:
    """Return the traits of a message class as flags."""
    traits = _TRAITS.get(cls)
    if traits is None:
        traits = (
            CONTROL * bool(getattr(cls, "control", False))
            | BATCH * (hasattr(cls, "split") and hasattr(cls, "__len__"))
            | MERGES * hasattr(cls, "merged_with")
            | SHEDDABLE * bool(getattr(cls, "sheddable", False))
        )
        _TRAITS[cls] = traits
    return traits


def weight_of(entry: Any) -> int:
    """Return how many items a message, or an envelope that holds one, counts for."""
    message = entry.message if entry.__class__ is Envelope else entry
    return len(message) if traits_of(message.__class__) & BATCH else 1
