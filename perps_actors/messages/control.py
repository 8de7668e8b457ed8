"""The conversation every actor may have with itself: its periodic look."""

from __future__ import annotations

import attrs


@attrs.frozen
class Tick:
    """Time to look again. It goes ahead of data, and is set anew only after it was handled, so ticks never pile up."""

    control = True
