"""Several systems in one process, each with settings of its own; one of them is changed while it runs.

Run: python examples/many_systems.py
It serves two synthetic venues on loopback by itself.
"""

from __future__ import annotations

import queue
from contextlib import ExitStack

import attrs

from perps_actors import Event, Mark, MarkSettings, PerpsSystem, Settings, StreamSettings
from perps_actors.simulator.process import VenueProcess


def await_mark(perps: PerpsSystem, symbol: str) -> None:
    """Wait until there is a mark of the symbol."""
    marks: queue.SimpleQueue[Mark] = queue.SimpleQueue()
    told = perps.subscribe(marks.put, instruments=(symbol,))
    marks.get(timeout=30)
    told.close()


def show(name: str, perps: PerpsSystem) -> None:
    """Print which instruments a system has marks of, and from where."""
    marked = sorted(
        f"{instrument.symbol} from the {mark.source}" for instrument, mark in perps.marks.items()
    )
    print(f"{name}: {', '.join(marked)}")


def main() -> None:
    """Run two systems on two venues; add a symbol to one and take the other away."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(VenueProcess.start("--seed", seed)) for seed in ("1", "2")
        )
        one = Settings(symbols=("BTCUSDT",), endpoints=first.endpoints, provenance="synthetic")
        two = Settings(
            symbols=("BTCUSDT",),
            endpoints=second.endpoints,
            provenance="synthetic",
            stream=StreamSettings(source="touch"),
        )
        books, touches = (
            stack.enter_context(PerpsSystem(one)),
            stack.enter_context(PerpsSystem(two)),
        )
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        touches.subscribe(events.put, Event, kinds=("settings_changed",))
        await_mark(books, "BTCUSDT")
        await_mark(touches, "BTCUSDT")
        show("books", books)
        show("touches", touches)

        changed = touches.reconfigure(
            attrs.evolve(two, symbols=("ETHUSDT",), marks=MarkSettings(long=50))
        )
        print("changed:", ", ".join(change.field for change in changed))
        print("told:", dict(events.get(timeout=30).data))
        await_mark(touches, "ETHUSDT")
        show("books", books)
        show("touches", touches)


if __name__ == "__main__":
    main()
