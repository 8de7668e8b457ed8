"""The message with which an actor wakes itself periodically."""

from __future__ import annotations

import attrs


@attrs.frozen
class Tick:
    """A periodic timer of an actor.

    It goes ahead of data. The next one is set after this one was handled, so ticks never pile up.
    """

    control = True
