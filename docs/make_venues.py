"""Write `venues.md` from the code: the venues, their connections, the rules of each adapter."""
# ruff: noqa: INP001 - a script beside the pages it writes

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import get_args

from perps_actors.simulator.venues import SERVED
from perps_actors.venues.contract import SendFrame, Streamed, Venue
from perps_actors.venues.registry import VENUES, venue

PAGE = Path(__file__).resolve().parent / "venues.md"
EXAMPLES = {
    "binance_futures": "BTCUSDT",
    "binance_delivery": "BTCUSD_PERP",
    "bybit": "BTCUSDT",
    "okx": "BTC-USDT-SWAP",
    "deribit": "BTC-PERPETUAL",
    "coinbase_international": "BTC_USDC-PERPETUAL",
    "kraken_futures": "PF_XBTUSD",
    "bitmex": "XBTUSD",
    "gateio_futures": "BTC_USDT",
    "htx_swap": "BTC-USDT",
}
"""A symbol of each venue, in its own spelling."""
HEAD = """# Venues

`make docs` writes this page from the code; do not edit it. The adapters were tested against
recordings, where there are some, and against the venues' documentation, not against live venues.
Sources and dates stand with the rules of each venue.

| venue | symbol | connections and their sources of marks | REST weight per minute | simulated |
|---|---|---|---|---|
"""
OFFERED = """
The next table shows which data each venue offers by stream (`s`) and by REST (`r`). `history` is
the history of paid funding.

"""
TAIL = """
## Adding a venue

1. Make a folder `perps_actors/venues/<venue>/` with the same files as the others: `schema.py` (wire
   types: the fields that are needed), `parse.py` (from wire types to market events), `stream.py` (a
   `StreamAdapter`), `rest.py` (a `RestAdapter`) and `__init__.py` with `VENUE`, which declares the
   data that is not streamed. An adapter takes text and returns market events, frames to send,
   requests and reports of invalid input. It opens nothing, never sleeps, reads no clock, and never
   raises because of its input. A venue that reuses another's code has `__init__.py` alone.
2. Add its name to `VENUES` in `perps_actors/venues/registry.py`.
3. Use what venues share in `perps_actors/venues/toolkit/`: books, per-symbol state, subscriptions,
   number and field types, REST answers and histories.
4. Write tests of its own rules in `tests/venues/`. `tests/venues/test_every_venue.py` checks every
   venue in the registry against the contract and with hostile input,
   `tests/venues/test_histories.py` its candles and paid funding, `tests/conformance` its recording.
   `perps-actors decode` shows what the adapter reads.
5. To simulate it, add a folder `perps_actors/simulator/venues/<venue>/` with `stream.py`,
   `rest.py` and a `SIDE` in `__init__.py`, and its name to `SERVED` in
   `perps_actors/simulator/venues/__init__.py`. `tests/simulator/test_round_trip.py` then checks
   that the adapter reads what the server side writes. If another library has a client of the
   venue, add it to `tests/simulator/foreign_clients.py`, so that it reads the side too.
"""


def page() -> str:
    """Return the page."""
    rows = "".join(_row(venue(name)) for name in VENUES)
    rules = "\n".join(_rules(name) for name in VENUES)
    return f"{HEAD}{rows}{OFFERED}{_offers()}\n{rules}{TAIL}"


def _offers() -> str:
    kinds = (*get_args(Streamed), "history")
    lines = [
        f"| venue | {' | '.join(kind.replace('_', ' ') for kind in kinds)} |",
        "|---" * (len(kinds) + 1) + "|",
    ]
    for name in VENUES:
        known = venue(name)
        lines.append(f"| `{name}` | {' | '.join(_offer(known, kind) for kind in kinds)} |")
    return "\n".join(lines) + "\n"


def _offer(known: Venue, kind: str) -> str:
    streamed = kind in get_args(Streamed) and kind not in known.not_streamed
    return "".join(("s" if streamed else "", "r" if _polled(known, kind) else "")) or "-"


def _polled(known: Venue, kind: str) -> bool:
    rest, symbol = known.rest(known.endpoints), EXAMPLES[known.name]
    match kind:
        case "book":
            return rest.depth(symbol) is not None
        case "touch":
            return bool(rest.quotes([symbol]))
        case "candles":
            return bool(rest.intervals)
        case "history":
            return bool(rest.funding_history(symbol, 0, 1))
        case "mark" | "index" | "funding" | "open_interest":
            return bool(rest.poll(kind, [symbol]))
        case _:
            return False


def _row(known: Venue) -> str:
    symbol = EXAMPLES[known.name]
    plans = known.stream(known.endpoints).plan([symbol])
    connections = "<br>".join(
        f"`{plan.name}` {', '.join(plan.sources) or 'none'}" for plan in plans
    )
    served = "yes" if known.name in SERVED else "no"
    weight = f"{known.weight_per_minute:,}"
    return f"| `{known.name}` | `{symbol}` | {connections} | {weight} | {served} |\n"


def _rules(name: str) -> str:
    text = "\n\n".join(inspect.cleandoc(module.__doc__ or "") for module in _modules(name))
    channels = f"```\n{_channels(venue(name))}```\n"
    intro = f"Connections for `{EXAMPLES[name]}`, and the frames sent when they open:"
    return f"## {name}\n\n{text}\n\n{intro}\n\n{channels}"


def _channels(known: Venue) -> str:
    stream = known.stream(known.endpoints)
    lines = []
    for plan in stream.plan([EXAMPLES[known.name]]):
        lines += _folded(f"{plan.name}: {plan.url}")
        for frame in stream.opened(plan.name, 0):
            if isinstance(frame, SendFrame):
                lines += _folded(f"  {frame.text}")
    return "".join(f"{line}\n" for line in lines)


def _folded(line: str) -> list[str]:
    """Return a line in parts of at most 98 characters, broken after commas and slashes."""
    lines = [""]
    for part in re.split(r"(?<=[,/])", line):
        if len(lines[-1]) + len(part) > 98:
            lines.append("    ")
        lines[-1] += part
    return lines


def _modules(name: str) -> Iterator[ModuleType]:
    """Yield the modules whose docstrings state the rules: the venue's own, or those it reuses."""
    entry = venue(name)
    for factory in (entry.stream, entry.rest):
        made = factory(entry.endpoints)
        yield importlib.import_module(type(made).__module__)


if __name__ == "__main__":
    PAGE.write_text(page())
