"""A thousand actors started and stopped: each alone with a thread of its own, and all in one runtime, beside plain Pykka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pykka

from benchmarks.counting import LIMIT_S, Item, OurCounting, TheirCounting
from benchmarks.result import Result, of_rounds
from perps_actors.kernel.orders import Stop
from perps_actors.kernel.runtime import ThreadedRuntime


def alone(actor: type[pykka.ThreadingActor], count: int) -> None:
    """Start so many, have each answer, stop each."""
    refs = [actor.start() for _ in range(count)]
    for ref in refs:
        assert ref.ask(Item(1), timeout=LIMIT_S) == 1
    for ref in refs:
        ref.stop(timeout=LIMIT_S)


def together(count: int) -> None:
    """Start so many in one runtime, have each answer, stop each."""
    runtime = ThreadedRuntime(name="benchmark")
    cells = [runtime.cell(f"counting-{number}") for number in range(count)]
    for cell in cells:
        cell.install(OurCounting())
    for cell in cells:
        assert cell.address.ask(Item(1), timeout=LIMIT_S) == 1
    for cell in cells:
        cell.address.tell(Stop())
    assert runtime.close(LIMIT_S) == ()
    assert all(cell.actor is None for cell in cells)


def rate(work: Callable[[], None], count: int) -> float:
    """Return actors a second."""
    began_s = time.perf_counter()
    work()
    return count / (time.perf_counter() - began_s)


def measure(*, quick: bool) -> Iterator[Result]:
    """Yield actors a second, from the first that is started to the last that has stopped."""
    count, rounds = 1_000, 1 if quick else 5
    figures: dict[str, list[tuple[float, float]]] = {"alone": [], "one-runtime": []}
    for _ in range(rounds):
        theirs = rate(lambda: alone(TheirCounting, count), count)
        figures["alone"].append((rate(lambda: alone(OurCounting, count), count), theirs))
        figures["one-runtime"].append((rate(lambda: together(count), count), theirs))
    for variant, rows in figures.items():
        yield of_rounds("thousand_actors", variant, "actors/s", rows)
