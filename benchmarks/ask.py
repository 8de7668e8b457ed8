"""One caller asks one actor and waits for each answer: `Address.ask` against Pykka's."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator

from benchmarks.counting import LIMIT_S, Item, one_cpu, our_actor, their_actor
from benchmarks.harness import Result, compared


def rate(ask: Callable[..., object], count: int) -> float:
    """Return answers per second."""
    message = Item(1)
    gc.collect()
    began_s = time.perf_counter()
    for _ in range(count):
        ask(message, timeout=LIMIT_S)
    return count / (time.perf_counter() - began_s)


def measure(*, quick: bool) -> Iterator[Result]:
    """Yield answers per second."""
    count, rounds = (2_000, 5) if quick else (10_000, 15)
    figures = []
    for _ in range(rounds):
        with one_cpu(), our_actor(bound=count) as (address, _), their_actor() as (ref, _):
            figures.append((rate(address.ask, count), rate(ref.ask, count)))
    yield compared("ask", "one-caller", "answers/s", figures)
