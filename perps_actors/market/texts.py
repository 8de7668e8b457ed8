"""Numbers that stay text, and levels of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NewType

import msgspec

if TYPE_CHECKING:
    DecimalText = NewType("DecimalText", str)
    """A validated decimal number as the venue spelled it."""
else:
    DecimalText = str  # to call a NewType takes as long as to make the text


class Level(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A price and the size at it, as the venue spells them; a size is absolute, and zero deletes the level.

    Most venues send the two in this order; what some of them send behind is skipped.
    """

    price: DecimalText
    size: DecimalText
