"""The live table: what an operator sees of a running system."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from perps_actors.kernel.clock import NS_PER_S, SystemClock
from perps_actors.market.numbers import plain
from perps_actors.system import PerpsSystem


class LiveTable:
    """Shows a system's marks on a terminal while the context is open; with `show` False it does nothing."""

    def __init__(self, system: PerpsSystem, *, show: bool) -> None:
        self._system = system
        self._clock = SystemClock()
        self._live = Live(console=Console(), auto_refresh=False, transient=True) if show else None

    def __enter__(self) -> Self:
        """Start to show."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Clear the table."""
        if self._live is not None:
            self._live.stop()

    def refresh(self) -> None:
        """Show the present state."""
        if self._live is not None:
            self._live.update(self.table(), refresh=True)

    def table(self) -> Table:
        """Return the present state as a table."""
        system, now_ns = self._system, self._clock.monotonic_ns()
        journal = system.journal()
        caption = f"{journal.recorded} events, {system.dropped} dropped, {system.restarts} restarts"
        if journal.failing is not None:
            caption += f", journal failing: {journal.failing}"
        title = f"{system.settings.venue} ({system.settings.provenance})  -  Ctrl-C stops"
        table = Table(title=title, caption=caption, expand=False)
        for name in ("symbol", "mark", "venue mark", "source", "age", "marks", "health"):
            table.add_column(name, justify="left" if name in {"symbol", "source", "health"} else "right", no_wrap=True)
        for symbol in system.settings.symbols:
            mark, venue_mark, health = system.mark(symbol), system.venue_mark(symbol), system.health(symbol)
            table.add_row(
                symbol,
                "-" if mark is None else plain(mark.mark),
                "-" if venue_mark is None or venue_mark.mark is None else plain(venue_mark.mark),
                "-" if mark is None else mark.source,
                "-" if mark is None else f"{(now_ns - mark.monotonic_ns) / NS_PER_S:.1f} s",
                str(system.count(symbol)),
                "-" if health is None else health.health.value,
            )
        return table
