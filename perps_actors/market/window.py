"""The window of marks: the newest N marks, oldest first, as an immutable tuple."""

from __future__ import annotations

from perps_actors.market.mark import Mark

Window = tuple[Mark, ...]

EXTRA = 5
"""Marks kept beyond the longer average: a fresh cross needs one more, the rest is margin."""


def window_length(short: int, long: int) -> int:
    """Return how many marks a window keeps for moving averages over `short` and `long` marks."""
    return max(short, long) + EXTRA


def pushed(window: Window, mark: Mark, length: int) -> Window:
    """Return the window with `mark` as its newest, cut to the newest `length`."""
    if len(window) < length:
        return (*window, mark)
    # Adding tuples copies once less than unpacking, and this runs for every mark.
    return window[len(window) - length + 1 :] + (mark,)  # noqa: RUF005
