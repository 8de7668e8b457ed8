"""A counting actor for the kernel's benchmarks, once on this kernel and once on plain Pykka."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pykka

from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Address
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.runtime import ThreadedRuntime
from perps_actors.messages.marks import MarksUpdated

LIMIT_S = 120.0


@attrs.frozen
class Item:
    """A message like any other: frozen, with a field."""

    number: int


class Counting:
    """Counts messages, sets an event at the last expected one, and answers with the count."""

    enough = 0
    count = 0
    done: threading.Event

    def on_receive(self, _: Any) -> int:
        """Count the message."""
        self.count += 1
        if self.count == self.enough:
            self.done.set()
        return self.count

    def expect(self, enough: int) -> threading.Event:
        """Start at zero; return the event that is set when the count reaches `enough`."""
        self.count, self.enough, self.done = 0, enough, threading.Event()
        return self.done


class OurCounting(Counting, Actor):
    """On this kernel, which hands over a batch item by item."""

    def on_item(self, _: Any, __: Any) -> None:
        """Count the item."""
        self.count += 1
        if self.count == self.enough:
            self.done.set()


class TheirCounting(Counting, pykka.ThreadingActor):
    """On plain Pykka, where an actor has to go through a batch itself."""

    use_daemon_thread = True

    def on_receive(self, message: Any) -> int:
        """Count the message, or the items of a batch."""
        if message.__class__ is not MarksUpdated:
            return super().on_receive(message)
        for _ in message.marks:
            self.count += 1
            if self.count == self.enough:
                self.done.set()
        return self.count


@contextmanager
def one_cpu() -> Iterator[None]:
    """Keep the process on one CPU, if the platform allows it.

    The interpreter runs one thread at a time anyway. On several CPUs the result would depend on
    how fast the machine wakes an idle CPU, which varies from run to run.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def our_actor(bound: int) -> Iterator[tuple[Address, OurCounting]]:
    """Yield the address of an actor in a runtime of its own, whose inbox takes `bound` messages."""
    runtime = ThreadedRuntime(name="benchmark")
    cell, actor = runtime.cell("counting", policy=InboxPolicy(bound=bound)), OurCounting()
    cell.install(actor)
    yield cell.address, actor
    assert runtime.close(LIMIT_S) == ()


@contextmanager
def their_actor() -> Iterator[tuple[pykka.ActorRef[TheirCounting], TheirCounting]]:
    """Yield the reference of an actor of plain Pykka."""
    ref = TheirCounting.start()
    # Pykka's proxies reach attributes in the same way; a proxy would add its cost.
    actor = ref._actor_weakref()  # noqa: SLF001
    assert actor is not None
    yield ref, actor
    ref.stop()
