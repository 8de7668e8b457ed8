"""`perps-actors run`: keeps marks until it is interrupted, its time is up or its recording ends."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console

from perps_actors.cli.best_prices import BestPriceWatch
from perps_actors.cli.figures import Observer
from perps_actors.cli.progress import Bar
from perps_actors.cli.refusal import refuse, say
from perps_actors.cli.summary import Ending, summary_lines
from perps_actors.cli.table import LiveTable
from perps_actors.errors import PerpsActorsError, SettingsError, SimulatorError
from perps_actors.host.session import RunOptions, Session
from perps_actors.kernel.clock import NS_PER_S, SystemClock
from perps_actors.messages.feeds import GetTops

LOOK_EVERY_S = 0.1


class _Interrupts:
    """Ctrl-C and SIGTERM: the first asks for a clean stop, the second for one at once.

    The second is an exception only where something may take long, `eager`: nowhere else does it break off what must be done.
    """

    def __init__(self) -> None:
        self.first = threading.Event()
        self.second = False
        self._eager = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.second = self.first.is_set()
        self.first.set()
        if self.second and self._eager:
            raise KeyboardInterrupt

    @contextmanager
    def eager(self) -> Iterator[None]:
        """Raise `KeyboardInterrupt` inside at the second interrupt, also if it came before."""
        self._eager = True
        try:
            if self.second:
                raise KeyboardInterrupt
            yield
        finally:
            self._eager = False


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Settings in TOML; PERPS_ variables and the other options override it.",
)
@click.option(
    "--venue",
    metavar="NAME",
    help="Live venue, e.g. binance_futures; without it (and without --recording) a synthetic one.",
)
@click.option(
    "--symbols",
    default="",
    metavar="A,B",
    help="In the venue's spelling; required on a live venue.",
)
@click.option(
    "--source", metavar="RUNG", help="Best source of marks to use: book, touch, trades or rest."
)
@click.option(
    "--recording",
    type=click.Path(path_type=Path, readable=False),
    metavar="FOLDER",
    help="Run on a recording, served on loopback.",
)
@click.option(
    "--speed",
    type=float,
    metavar="X",
    help="Multiple of the recorded pace; 0: as fast as it can be read.",
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Stop after so many seconds.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Keep all events in this file.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the summary as one JSON object on the last line."
)
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
    """Keep marks until Ctrl-C; with no options on a synthetic venue that is served on loopback."""
    interrupts, clock = _Interrupts(), SystemClock()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupts)
    session = _open(RunOptions(symbols=_names(symbols), environ=os.environ, **options), interrupts)
    began_ns = clock.monotonic_ns()
    reason = _run(session, interrupts, duration, as_json=as_json)
    ran_ns = clock.monotonic_ns() - began_ns
    summary = _close(session, interrupts)
    if as_json:
        click.echo(json.dumps(summary))
    else:
        # It has stopped: all that a second stop does is to return the report of the first.
        click.echo(
            "\n".join(
                summary_lines(summary, Ending.of(session.system, session.system.stop(), ran_ns))
            )
        )
    if reason == "venue died":
        say("run", "the venue's process died")
    if reason == "interrupted":
        context.exit(130)
    context.exit(0 if reason in {"finished", "time is up"} and summary["clean_stop"] else 1)


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name for part in listed.split(",") if (name := part.strip()))


def _open(options: RunOptions, interrupts: _Interrupts) -> Session:
    try:
        with interrupts.eager():
            return Session.open(options)
    except (SettingsError, SimulatorError) as error:
        refuse("run", error)
    except PerpsActorsError as error:
        refuse("run", error, code=1)
    except KeyboardInterrupt:
        say("run", "interrupted again while it was starting")
        raise SystemExit(130) from None


def _run(
    session: Session, interrupts: _Interrupts, duration: float | None, *, as_json: bool
) -> str:
    """Wait until there is a reason to stop, and return it."""
    clock = SystemClock()
    end_ns = None if duration is None else clock.monotonic_ns() + int(duration * NS_PER_S)
    with _shown(session, clock, as_json=as_json) as show:
        while not interrupts.first.wait(LOOK_EVERY_S):
            show()
            if session.ended is not None:
                return session.ended
            if end_ns is not None and clock.monotonic_ns() >= end_ns:
                return "time is up"
    return "interrupted"


@contextmanager
def _shown(session: Session, clock: SystemClock, *, as_json: bool) -> Iterator[Callable[[], None]]:
    """Give what shows the run's state when it is called: a live table on a terminal, else a bar for a recording, or nothing."""
    system, process = session.system, session.process

    def frames() -> tuple[int, int] | None:
        return None if process is None else process.progress

    if sys.stdout.isatty() and not as_json:
        prices = BestPriceWatch(lambda: system.ask("stream_consumer", GetTops()), clock)
        with (
            prices,
            LiveTable(Observer(system, clock, prices.latest, frames), clock, Console()) as table,
        ):
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
