"""The type of a number that stays text; by itself, for this module is interpreted also where `numbers` is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    DecimalText = NewType("DecimalText", str)
    """A validated decimal number as the venue spelled it."""
else:
    DecimalText = str  # to call a NewType takes as long as to make the text
