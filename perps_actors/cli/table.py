"""The live table on a terminal: draws the picture, and nothing else."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from perps_actors.cli.columns import Layout
from perps_actors.cli.figures import Observer
from perps_actors.cli.picture import picture
from perps_actors.kernel.clock import NS_PER_S, Clock

DRAWN_EVERY_NS = NS_PER_S // 4
PRINTED_EVERY_NS = 10 * NS_PER_S
"""How often the picture is printed on a terminal that cannot draw over what it shows (`TERM=dumb`)."""


class LiveTable:
    """Shows a running system while the context is open, on a screen of its own that goes when it is left."""

    def __init__(self, observer: Observer, clock: Clock, console: Console) -> None:
        self._observer = observer
        self._clock = clock
        self._console = console
        self._layout = Layout()
        self._stack = ExitStack()
        self._live: Live | None = None
        self._due_ns = clock.monotonic_ns()

    def refresh(self) -> None:
        """Show the present state, when it is time: at most four times a second."""
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._due_ns:
            return
        if self._live is None:
            self._due_ns = now_ns + PRINTED_EVERY_NS
            self._console.print(self.drawn(), soft_wrap=True)
        else:
            self._due_ns = now_ns + DRAWN_EVERY_NS
            self._live.update(self.drawn(), refresh=True)

    def drawn(self) -> Text:
        """Return the picture of this moment for the console's present size."""
        width, height = self._console.size
        lines = picture(self._observer.look(height), self._layout, width, height)
        return Text("\n", no_wrap=True, overflow="crop").join(
            Text.assemble(*line) for line in lines
        )

    def __enter__(self) -> Self:
        if not self._console.is_dumb_terminal:
            self._live = Live(console=self._console, screen=True, auto_refresh=False)
            self._stack.enter_context(self._live)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
