"""Writes `venues.md` from the code: which venues there are, what their connections carry, and the rules each adapter follows."""
# ruff: noqa: INP001 - a script beside the pages it serves

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import get_args

from perps_actors.simulator.sides import SERVED
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
"""A symbol of each, in its own spelling."""
HEAD = """# Venues

Made from the code by `make docs`; do not edit it. What the adapters read was proven on recordings where there are some, and on the
venues' documentation; none was run against a live venue for this page. Sources and dates stand with each venue's rules.

| venue | a symbol | connections, and the sources of marks on each | REST weight a minute | served by `simulate` |
|---|---|---|---|---|
"""
OFFERED = """
What comes of each by stream, and what by REST: `s` and `r`. A poll of what is streamed is there as well; `history` is that of paid funding.

"""
TAIL = """
## Adding a venue in a day

1. A folder `perps_actors/venues/<venue>/` with `messages.py` (typed records of the fields that are needed), `readings.py` (from records
   to market events), `stream.py` (a `StreamAdapter`: plan, amend, opened, closed, frame, answer, doubt, depth), `rest.py` (a
   `RestAdapter`: its requests; what reads their answers is inherited from `Answers`), `instruments.py`, and `entry.py` with its `ENTRY`,
   which declares what is not streamed. An adapter takes text and gives events, frames to send, requests and complaints; it opens nothing,
   never sleeps, reads no clock and never raises on input.
2. Its name in `VENUES` of `perps_actors/venues/registry.py`: one folder, one registration.
3. What venues share is beside the folders: `following.py` (the half of a `StreamAdapter` that is not about what a frame says), `tracked.py`
   (what is kept for each symbol), `subscriptions.py` (topics in requests),
   `pushed_book.py` and `renewed_book.py` (books whose snapshot comes by the stream), `synced_book.py` (those that begin with one over
   REST), `answers.py`, `rows.py`, `listings.py` and `histories.py` (how REST answers are read, and pages of the past asked for),
   `addresses.py`, `symbols.py`.
4. `tests/venues/test_every_venue.py` holds every name in the registry to the contract and to hostile input,
   `tests/venues/test_histories.py` to candles and past funding, `tests/conformance` to its recording; `perps-actors decode` shows what is
   read of one. Rules of its books get tests of their own.
5. To have it served: `serve.py`, `serve_session.py`, `serve_rest.py` and `serve_past.py` in its folder, and a side in
   `perps_actors/simulator/sides.py`. In `tests/simulator`, `test_round_trip.py` then holds what the adapter reads against what the side
   writes, for made-up markets and for a whole system over sockets, `test_served_past.py` does so for candles and past funding, and
   `test_audit.py` holds its books against its REST. Where others have a client of the venue, an entry in `foreign_clients.py` has that one
   read the side too: it knows the venue from elsewhere.
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
    return f"| `{known.name}` | `{symbol}` | {connections} | {known.weight_per_minute:,} | {served} |\n"


def _rules(name: str) -> str:
    text = "\n\n".join(inspect.cleandoc(module.__doc__ or "") for module in _modules(name))
    return f"## {name}\n\n{text}\n\nConnections for `{EXAMPLES[name]}`, and what is sent on each:\n\n```\n{_channels(venue(name))}```\n"


def _channels(known: Venue) -> str:
    stream = known.stream(known.endpoints)
    lines = []
    for plan in stream.plan([EXAMPLES[known.name]]):
        lines.append(f"{plan.name}: {plan.url}")
        lines += [
            f"  {frame.text}"
            for frame in stream.opened(plan.name, 0)
            if isinstance(frame, SendFrame)
        ]
    return "".join(f"{line}\n" for line in lines)


def _modules(name: str) -> Iterator[ModuleType]:
    """Yield the modules whose docstrings say the rules: the venue's own, or those of the venue whose language it speaks."""
    entry = venue(name)
    for factory in (entry.stream, entry.rest):
        made = factory(entry.endpoints)
        yield importlib.import_module(type(made).__module__)


if __name__ == "__main__":
    PAGE.write_text(page())
