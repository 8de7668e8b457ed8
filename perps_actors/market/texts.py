"""Numbers that stay text, and levels of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NewType

import msgspec

if TYPE_CHECKING:
    DecimalText = NewType("DecimalText", str)
    """A validated decimal number as the venue spelled it."""
else:
    DecimalText = str  # to call a NewType takes as long as to make the text


class Level(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """A price and the size at it, as the venue spells them, in this order; a size is absolute, and zero deletes the level."""

    price: DecimalText
    size: DecimalText
