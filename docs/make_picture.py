"""Write `docs/terminal.svg`: the live table of a real run on the synthetic venue.

Run it as `python -m docs.make_picture`.
"""
# ruff: noqa: INP001 - a script beside the pages it writes

from __future__ import annotations

import io
import threading
from functools import partial
from pathlib import Path

from rich.console import Console

from perps_actors.cli.observer import BestPriceWatch, Observer, ask_best_prices
from perps_actors.cli.table import LiveTable
from perps_actors.host.session import RunOptions, Session
from perps_actors.kernel.clock import SystemClock

PICTURE = Path(__file__).with_name("terminal.svg")
SYMBOLS = (
    "BTCUSDT",
    "ETHUSDT",
    "SOLUSDT",
    "XRPUSDT",
    "DOGEUSDT",
    "ADAUSDT",
    "AVAXUSDT",
    "LINKUSDT",
)
LOOKS, PAUSE_S = 20, 0.25
"""Rates need several readings; windows need some seconds to fill."""


def main() -> None:
    """Run for some seconds and write the picture."""
    session, clock = Session.open(RunOptions(symbols=SYMBOLS)), SystemClock()
    console = Console(
        record=True,
        file=io.StringIO(),
        width=104,
        height=14,
        force_terminal=True,
        color_system="standard",
    )
    prices = BestPriceWatch(partial(ask_best_prices, session.system), clock)
    table = LiveTable(Observer(session.system, clock, prices.latest, lambda: None), clock, console)
    with prices:
        for _ in range(LOOKS):
            table.drawn()
            threading.Event().wait(PAUSE_S)
        console.print(table.drawn())
    session.close()
    PICTURE.write_text(
        console.export_svg(title="perps-actors run", unique_id="perps-actors"), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
