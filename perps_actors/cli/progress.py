"""Progress of long work: a bar on one line of standard error, drawn over and over."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import IO, Self

from perps_actors.cli.wording import cut
from perps_actors.kernel.clock import NS_PER_S, Clock

DRAWN_EVERY_NS = NS_PER_S // 4
_LONGEST_BAR = 30


def bar_text(what: str, done: int, total: int, unit: str, width: int) -> str:
    """Return a bar that takes at most `width` columns, e.g. `decoding [###-------]  30%  3 of 10 lines`."""
    part = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
    # Rounded down: all is done when it is.
    numbers = f"{int(part * 100):>3}%  {done:,} of {total:,} {unit}"
    length = min(_LONGEST_BAR, width - len(what) - len(numbers) - 5)
    filled = int(part * length)
    bar = f"[{'#' * filled}{'-' * (length - filled)}] " if length >= 5 else ""
    return cut(f"{what} {bar}{numbers}", width)


class Bar:
    """A bar for work of which it is known how much there is.

    Drawn on a terminal and nowhere else, at most four times a second; gone when the context is left.

    Args:
        what: is being done, e.g. `decoding`.
        unit: of what is counted, e.g. `bytes`.
        clock: tells when it is time to draw again.
        hide: draw nothing at all.
        out: where to draw; standard error by default.
    """

    def __init__(
        self, what: str, unit: str, clock: Clock, *, hide: bool = False, out: IO[str] | None = None
    ) -> None:
        self._what = what
        self._unit = unit
        self._clock = clock
        self._out = sys.stderr if out is None else out
        self._shown = self._out.isatty() and not hide
        self._due_ns = clock.monotonic_ns()
        self._drawn = 0

    def at(self, done: int, total: int) -> None:
        """Tell how far the work is; drawn when it is time. Nothing is drawn without a `total` above zero."""
        now_ns = self._clock.monotonic_ns()
        if not self._shown or total <= 0 or now_ns < self._due_ns:
            return
        self._due_ns = now_ns + DRAWN_EVERY_NS
        # The last column is left free: a terminal whose last column is written goes on to the next line.
        text = bar_text(
            self._what,
            done,
            total,
            self._unit,
            os.get_terminal_size(self._out.fileno()).columns - 1,
        )
        self._write("\r" + text + " " * (self._drawn - len(text)))
        self._drawn = len(text)

    def clear(self) -> None:
        """Make room for a line of something else; the bar comes back behind it."""
        if self._drawn:
            self._write("\r" + " " * self._drawn + "\r")
            self._drawn = 0

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()
