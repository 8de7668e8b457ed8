"""Facts of a message that its class fixes: lane, weight, and whether it is a batch.

Lane and policy are facts of the message's class and are read once for each class:

- `control = True`: the message goes ahead of all data and is never dropped.
- `lifecycle = True`: the message is about the actor's life. It is never refused or dropped, and
  counted nowhere.
- `sheddable = True`: the message may be dropped when the inbox is full.
- `merged_with(newer)`: the message may be merged with a newer one of its class. In an inbox that
  conflates at most one
  message of the class waits.

Any object can be a message. One that carries many items is a `Batch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import msgspec
from pykka._envelope import Envelope
from pykka.messages import _ActorStop


class Batch(msgspec.Struct, frozen=True, gc=False):
    """A message of many items, which the kernel gives to an actor one by one.

    A subclass names its tuple of items in `items_field`. A batch weighs as much as it has items,
    and at least one, in bounds and in statistics. An error in one item loses that item alone.
    """

    items_field: ClassVar[str] = "items"

    if TYPE_CHECKING:

        @property
        def items(self) -> tuple[Any, ...]:
            """The items, under the same name in every batch."""

        @property
        def held_bytes(self) -> int:
            """Bytes from outside that the items hold.

            A gate bounds their sum over all that waits.
            """

    else:
        held_bytes = 0  # a subclass may make it a field

    def __init_subclass__(cls, **config: Any) -> None:
        super().__init_subclass__(**config)
        # A second name for the slot of the field. It is read as fast as the field; a property takes
        # five times as long.
        slot = cls.__dict__.get(cls.items_field)
        if slot is not None and cls.items_field != "items":
            cls.items = slot  # type: ignore[method-assign]

    def with_items(self, items: tuple[Any, ...]) -> Self:
        """Return this batch with other items."""
        return msgspec.structs.replace(self, **{self.items_field: items})


CONTROL: Final = 1
BATCH: Final = 2
MERGES: Final = 4
SHEDDABLE: Final = 8
LIFECYCLE: Final = 16
HOLDS: Final = 32
"""A batch that counts the bytes it holds from outside."""

TRAITS: Final[dict[type, int]] = {_ActorStop: LIFECYCLE}
"""The traits of every class seen so far, for code in which a call would cost too much.

A cache of facts about classes, not state: it is the same for every system in the process.
"""


def traits_of(cls: type) -> int:
    """Return the traits of a message class as flags."""
    traits = TRAITS.get(cls)
    if traits is None:
        # `is True`, because a field of that name is a descriptor on the class.
        traits = (
            CONTROL * (getattr(cls, "control", False) is True)
            | BATCH * issubclass(cls, Batch)
            | MERGES * hasattr(cls, "merged_with")
            | SHEDDABLE * (getattr(cls, "sheddable", False) is True)
            | LIFECYCLE * (getattr(cls, "lifecycle", False) is True)
            | HOLDS * (getattr(cls, "held_bytes", 0) != 0 and issubclass(cls, Batch))
        )
        TRAITS[cls] = traits
    return traits


def weight_of(entry: Any) -> int:
    """Return how many items a message, or an envelope that holds one, counts for."""
    message = entry.message if entry.__class__ is Envelope else entry
    return len(message.items) or 1 if traits_of(message.__class__) & BATCH else 1
