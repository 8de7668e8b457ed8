"""Two systems in one process with settings of their own; one is changed while it runs.

Run: python examples/many_systems.py
It serves two synthetic venues on loopback.
"""

from __future__ import annotations

import queue
from contextlib import ExitStack

import attrs

from perps_actors import Event, Mark, MarkSettings, PerpsSystem, Settings, StreamSettings
from perps_actors.simulator.process import VenueProcess


def await_mark(perps: PerpsSystem, symbol: str) -> None:
    """Wait for a mark of the symbol."""
    marks: queue.SimpleQueue[Mark] = queue.SimpleQueue()
    subscription = perps.subscribe(marks.put, instruments=(symbol,))
    marks.get(timeout=30)
    subscription.close()


def show(perps: PerpsSystem) -> None:
    """Print the instruments that have marks, and the sources of the marks."""
    marked = sorted(
        f"{instrument.symbol} from the {mark.source}" for instrument, mark in perps.marks.items()
    )
    print(f"{perps.settings.name}: {', '.join(marked)}")


def main() -> None:
    """Run two systems on two venues; replace the symbol of one."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(VenueProcess.start("--seed", seed)) for seed in ("1", "2")
        )
        one = Settings(
            name="books",
            symbols=("BTCUSDT",),
            endpoints=first.endpoints,
            provenance="synthetic",
        )
        two = Settings(
            name="touches",
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
        show(books)
        show(touches)

        changed = touches.reconfigure(
            attrs.evolve(two, symbols=("ETHUSDT",), marks=MarkSettings(long=50))
        )
        print("changed:", ", ".join(change.field for change in changed))
        print("event:", dict(events.get(timeout=30).data))
        await_mark(touches, "ETHUSDT")
        show(books)
        show(touches)


if __name__ == "__main__":
    main()
