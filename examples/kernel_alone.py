"""The kernel without any market: two actors, and a message that kills one and is lost alone.

Run: python examples/kernel_alone.py
"""

from __future__ import annotations

from random import Random
from typing import Any

from perps_actors.kernel import (
    Actor,
    Address,
    Answer,
    Child,
    ChildSpec,
    Incident,
    RestartPolicy,
    StartChildren,
    StopChildren,
    Supervisor,
    ThreadedRuntime,
)


class Adder(Actor):
    """Adds up numbers. After a restart it starts at zero again."""

    total = 0

    def on_receive(self, message: Any) -> Any:
        """Add a number, or answer with the total."""
        if message == "total":
            return self.total
        self.total += int(message)
        return None


class Splitter(Actor):
    """Sends each word of a line to a listener."""

    def __init__(self, listener: Address) -> None:
        super().__init__()
        self._listener = listener

    def on_receive(self, message: Any) -> None:
        """Split a line."""
        for word in message.split():
            self._listener.tell(word)


def show(incident: Incident) -> None:
    """Print what happened to an actor."""
    letter = "" if incident.letter is None else f", lost {incident.letter.message!r}"
    print(f"{incident.kind}: {incident.actor}{letter}")


def main() -> None:
    """Start both actors, send them a line, stop them."""
    runtime = ThreadedRuntime(name="example")
    adder, splitter = runtime.cell("adder"), runtime.cell("splitter", group="input")
    children = [
        Child(ChildSpec(name="adder", factory=Adder), adder),
        Child(ChildSpec(name="splitter", factory=lambda: Splitter(adder.address)), splitter),
    ]
    supervisor = runtime.cell("supervisor", group="supervisor")
    supervisor.install(
        Supervisor(children, policy=RestartPolicy(), random=Random(), on_incident=show)
    )
    up, down = Answer(), Answer()
    supervisor.address.tell(StartChildren(up))
    up.get(timeout=5)
    splitter.address.tell("1 2 three 4 5")
    supervisor.address.tell(StopChildren(drain=True, deadline_s=5, done=down))
    print(down.get(timeout=6))
    print("threads left:", runtime.close(1))


if __name__ == "__main__":
    main()
