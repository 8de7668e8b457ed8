"""One sender tells one actor messages: `Address.tell` against Pykka's `ActorRef.tell`."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

from benchmarks.counting import LIMIT_S, Counting, Item, one_cpu, our_actor, their_actor
from benchmarks.harness import Result, compared
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.marks import MarksUpdated

MARK = Mark(InstrumentId("venue", "BTCUSDT"), Decimal("43210.5"), "book", None, 1, 1)


def same_message(tell: Callable[[object], object], count: int) -> None:
    """Tell the same plain message `count` times."""
    message = Item(1)
    for _ in range(count):
        tell(message)


def new_batches(tell: Callable[[object], object], count: int) -> None:
    """Tell `count` new batches of one mark, the message that the product sends most."""
    for _ in range(count):
        tell(MarksUpdated((MARK,), "live"))


VARIANTS = {"one-sender": same_message, "batch-of-one": new_batches}


def rates(
    variant: str, tell: Callable[[object], object], actor: Counting, count: int
) -> dict[str, float]:
    """Return messages per second and per CPU-second, from the first told to the last handled."""
    done, send = actor.expect(count), VARIANTS[variant]
    gc.collect()
    began_s, cpu_s = time.perf_counter(), time.process_time()
    send(tell, count)
    assert done.wait(LIMIT_S), f"{actor.count} of {count} handled"
    return {
        variant: count / (time.perf_counter() - began_s),
        f"{variant}-cpu": count / (time.process_time() - cpu_s),
    }


def measure(*, quick: bool) -> Iterator[Result]:
    """Yield messages per second and per CPU-second of both threads."""
    count, rounds = (20_000, 3) if quick else (200_000, 9)
    figures: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for variant in VARIANTS:
            with one_cpu(), our_actor(bound=count) as (address, actor):
                ours = rates(variant, address.tell, actor, count)
            with one_cpu(), their_actor() as (ref, pykkas):
                theirs = rates(variant, ref.tell, pykkas, count)
            for name, value in ours.items():
                figures.setdefault(name, []).append((value, theirs[name]))
    for name, rows in figures.items():
        unit = "messages/CPU-s" if name.endswith("-cpu") else "messages/s"
        yield compared("tell", name, unit, rows)
