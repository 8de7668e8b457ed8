"""`perps-actors run`: runs a system until a signal, the given time or the recording's end."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console

from perps_actors.cli.observer import BestPriceWatch, Observer, ask_best_prices
from perps_actors.cli.output import Bar, fail, say
from perps_actors.cli.summary import Ending, summary_lines
from perps_actors.cli.table import LiveTable
from perps_actors.errors import PerpsActorsError, SettingsError, SimulatorError
from perps_actors.host.session import RunOptions, Session
from perps_actors.kernel.clock import NS_PER_S, SystemClock
from perps_actors.settings.fields import names

POLL_S = 0.1
"""How often the display and the reasons to stop are checked."""


class _Interrupts:
    """SIGINT (Ctrl-C) and SIGTERM: the first asks for a clean stop, the second for one at once.

    The second raises KeyboardInterrupt, but only inside `eager`: while the command starts or
    stops, which may take long. Everywhere else an exception could break off necessary work.
    """

    def __init__(self) -> None:
        self.first = threading.Event()
        self.code = 130
        """Exit code after a clean stop: 130 for Ctrl-C, 0 for SIGTERM, by the first signal."""
        self._second = False
        self._eager = False

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if not self.first.is_set():
            self.code = 0 if number == signal.SIGTERM else 130
            self.first.set()
            return
        self._second = True
        if self._eager:
            raise KeyboardInterrupt

    @contextmanager
    def eager(self) -> Iterator[None]:
        """Raise `KeyboardInterrupt` inside at the second signal, even if it came before."""
        self._eager = True
        try:
            if self._second:
                raise KeyboardInterrupt
            yield
        finally:
            self._eager = False


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Settings in TOML. PERPS_ variables and the other options override it.",
)
@click.option(
    "--market",
    "markets",
    multiple=True,
    metavar="VENUE:SYM,SYM",
    help="A venue with its symbols; repeat it for several markets.",
)
@click.option(
    "--venue",
    metavar="NAME",
    help="Live venue, e.g. binance_futures; default: a synthetic one.",
)
@click.option(
    "--symbols",
    default="",
    metavar="A,B",
    help="Symbols in the venue's spelling; required on a live venue.",
)
@click.option(
    "--source", metavar="RUNG", help="Best source of marks to use: book, touch, trades or rest."
)
@click.option(
    "--recording",
    "recordings",
    multiple=True,
    type=click.Path(path_type=Path, readable=False),
    metavar="FOLDER",
    help="Run on a recording, served on loopback, until its end; repeat it for several markets.",
)
@click.option(
    "--speed",
    type=float,
    metavar="X",
    help="Multiple of the recorded pace; 0: as fast as possible.",
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Stop after S seconds.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Keep all events in FILE; read them with `perps-actors events FILE`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.pass_context
def run(
    context: click.Context,
    /,
    *,
    symbols: str,
    duration: float | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Keep mid prices of perpetual futures until Ctrl-C; on a terminal, show a live table.

    Without options it runs on a synthetic venue that it serves on loopback.

    Exit code 0: done, or stopped cleanly by SIGTERM; 1: failed; 2: unusable input;
    130: stopped cleanly by Ctrl-C.
    """
    interrupts, clock = _Interrupts(), SystemClock()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupts)
    session = _open(
        RunOptions(symbols=tuple(names(symbols)), environ=os.environ, **options), interrupts
    )
    began_ns = clock.monotonic_ns()
    reason = _wait(session, interrupts, duration, as_json=as_json)
    ran_ns = clock.monotonic_ns() - began_ns
    summary = _close(session, interrupts)
    if as_json:
        click.echo(json.dumps(summary))
    else:
        # The system has stopped: a second stop only returns the report of the first.
        ending = Ending.of(session.system, session.system.stop(), ran_ns)
        click.echo("\n".join(summary_lines(summary, ending)))
    if reason == "venue died":
        say("run", "the process of the simulated venue died")
    context.exit(_exit_code(reason, interrupts.code, clean=summary["clean_stop"]))


def _exit_code(reason: str, interrupted: int, *, clean: bool) -> int:
    if reason == "interrupted":
        return interrupted if clean else interrupted or 1
    return 0 if clean and reason != "venue died" else 1


def _open(options: RunOptions, interrupts: _Interrupts) -> Session:
    try:
        with interrupts.eager():
            return Session.open(options)
    except (SettingsError, SimulatorError) as error:
        fail("run", error)
    except PerpsActorsError as error:
        fail("run", error, code=1)
    except KeyboardInterrupt:
        say("run", "interrupted twice while it started")
        raise SystemExit(interrupts.code or 1) from None


def _wait(
    session: Session, interrupts: _Interrupts, duration: float | None, *, as_json: bool
) -> str:
    """Wait until there is a reason to stop, and return the reason."""
    clock = SystemClock()
    end_ns = None if duration is None else clock.monotonic_ns() + int(duration * NS_PER_S)
    with _display(session, clock, as_json=as_json) as show:
        while not interrupts.first.wait(POLL_S):
            show()
            if session.ended is not None:
                return session.ended
            if end_ns is not None and clock.monotonic_ns() >= end_ns:
                return "time is up"
    return "interrupted"


@contextmanager
def _display(
    session: Session, clock: SystemClock, *, as_json: bool
) -> Iterator[Callable[[], None]]:
    """Give a function that shows the present state: a live table, a progress bar, or nothing."""
    system = session.system

    def frames() -> tuple[int, int] | None:
        return session.progress

    if sys.stdout.isatty() and not as_json:
        prices = BestPriceWatch(partial(ask_best_prices, system), clock)
        observer = Observer(system, clock, prices.latest, frames)
        with prices, LiveTable(observer, clock, Console()) as table:
            yield table.refresh
    else:
        with Bar("recording", "frames", clock, hide=as_json) as bar:
            yield lambda: bar.at(*(frames() or (0, 0)))


def _close(session: Session, interrupts: _Interrupts) -> dict[str, Any]:
    try:
        with interrupts.eager():
            return session.close()
    except KeyboardInterrupt:
        say("run", "interrupted again, stopping at once")
        return session.abort()
