"""`perps-actors run`: keeps marks until it is interrupted, its time is up or its recording ends."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import click

from perps_actors.cli.table import LiveTable
from perps_actors.errors import PerpsActorsError, SettingsError, SimulatorError
from perps_actors.kernel.ceiling import MemoryCeiling
from perps_actors.kernel.clock import NS_PER_S, SystemClock
from perps_actors.session import RunOptions, Session

LOOK_EVERY_S = 0.1


class _Interrupts:
    """Ctrl-C and SIGTERM: the first asks for a clean stop, the second for one at once."""

    def __init__(self) -> None:
        self.first = threading.Event()
        self.hurry = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if self.first.is_set():
            self.hurry = True
            raise KeyboardInterrupt
        self.first.set()


@click.command()
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="Settings in TOML; the other options override it.")
@click.option("--venue", metavar="NAME", help="Live venue, e.g. binance_futures; without it (and without --recording) a synthetic one.")
@click.option("--symbols", default="", metavar="A,B", help="In the venue's spelling; required on a live venue.")
@click.option("--source", metavar="RUNG", help="Best source of marks to use: book, touch, trades or rest.")
@click.option("--recording", type=click.Path(path_type=Path), metavar="FOLDER", help="Run on a recording, served on loopback.")
@click.option("--speed", type=float, metavar="X", help="Multiple of the recorded pace; 0: as fast as it can be read.")
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Stop after so many seconds.")
@click.option("--journal", type=click.Path(path_type=Path), metavar="FILE", help="Keep all events in this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object on the last line.")
@click.pass_context
def run(context: click.Context, /, *, symbols: str, duration: float | None, as_json: bool, **options: Any) -> None:
    """Keep marks until Ctrl-C; with no options on a synthetic venue that is served on loopback."""
    interrupts = _Interrupts()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupts)
    try:
        session = Session.open(RunOptions(symbols=_names(symbols), **options))
    except (SettingsError, SimulatorError) as error:
        _refuse(context, error, 2)
    except PerpsActorsError as error:
        _refuse(context, error, 1)
    reason = _run(session, interrupts, duration, show=not as_json and sys.stdout.isatty())
    summary = _close(session, interrupts)
    _print(summary, session.system.memory_ceiling(), as_json=as_json)
    if reason == "venue died":
        click.echo("perps-actors run: the venue's process died", err=True)
    if reason == "interrupted":
        context.exit(130)
    context.exit(0 if reason in {"finished", "time is up"} and summary["clean_stop"] else 1)


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name for part in listed.split(",") if (name := part.strip()))


def _run(session: Session, interrupts: _Interrupts, duration: float | None, *, show: bool) -> str:
    """Wait until there is a reason to stop, and return it."""
    clock = SystemClock()
    end_ns = None if duration is None else clock.monotonic_ns() + int(duration * NS_PER_S)
    with LiveTable(session.system, show=show) as table:
        while not interrupts.first.wait(LOOK_EVERY_S):
            table.refresh()
            if session.ended is not None:
                return session.ended
            if end_ns is not None and clock.monotonic_ns() >= end_ns:
                return "time is up"
    return "interrupted"


def _close(session: Session, interrupts: _Interrupts) -> dict[str, Any]:
    try:
        return session.close()
    except KeyboardInterrupt:
        click.echo("perps-actors run: interrupted again, stopping at once", err=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return session.abort() if interrupts.hurry else session.close()


def _print(summary: dict[str, Any], ceiling: MemoryCeiling, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(summary))
        return
    for symbol, row in summary["symbols"].items():
        click.echo(f"{symbol:16s} {row['last_mark'] or '-':>16s}  {row['marks']} marks, {row['health'] or 'unknown'}")
    stop = "clean stop" if summary["clean_stop"] else "NOT a clean stop"
    click.echo(
        f"{summary['marks_total']} marks, {summary['events_recorded']} events recorded, {summary['events_dropped']} dropped, "
        f"{summary['restarts']} restarts, {stop}; what waits in inboxes could never take more than {ceiling.total / 2**20:,.0f} MiB"
    )


def _refuse(context: click.Context, error: PerpsActorsError, code: int) -> Any:
    click.echo(f"perps-actors run: {error}", err=True)
    context.exit(code)
