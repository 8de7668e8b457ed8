"""One sender tells one actor single messages: `Address.tell` against Pykka's `ActorRef.tell`."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator

from benchmarks.counting import LIMIT_S, Counting, Item, one_cpu, our_actor, their_actor
from benchmarks.harness import Result, compared


def rates(tell: Callable[[Item], object], actor: Counting, count: int) -> dict[str, float]:
    """Return messages per second and per CPU-second, from the first told to the last handled."""
    done, message = actor.expect(count), Item(1)
    gc.collect()
    began_s, cpu_s = time.perf_counter(), time.process_time()
    for _ in range(count):
        tell(message)
    assert done.wait(LIMIT_S), f"{actor.count} of {count} handled"
    return {
        "one-sender": count / (time.perf_counter() - began_s),
        "one-sender-cpu": count / (time.process_time() - cpu_s),
    }


def measure(*, quick: bool) -> Iterator[Result]:
    """Yield messages per second and per CPU-second of both threads."""
    count, rounds = (20_000, 3) if quick else (200_000, 9)
    figures: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        with one_cpu(), our_actor(bound=count) as (address, actor):
            ours = rates(address.tell, actor, count)
        with one_cpu(), their_actor() as (ref, pykkas):
            theirs = rates(ref.tell, pykkas, count)
        for variant, value in ours.items():
            figures.setdefault(variant, []).append((value, theirs[variant]))
    units = {"one-sender": "messages/s", "one-sender-cpu": "messages/CPU-s"}
    for variant, rows in figures.items():
        yield compared("tell", variant, units[variant], rows)
