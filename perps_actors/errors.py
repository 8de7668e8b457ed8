"""Every error this package raises: one root, one subclass a room.

```
PerpsActorsError
├── KernelError            an actor, an inbox or the supervisor
│   ├── ActorUnavailable   nobody answers at that address (dead, stopped, never started)
│   ├── AskRefused         an actor tried to wait for another actor
│   ├── AskTimeout         no answer within the time allowed
│   ├── Fenced             a thread whose lease is void tried to speak
│   └── StartFailed        a child did not come up
├── CompositionFailed      a phase of setting a system up
├── PartAbsent             a part that this system does not have
├── ReconfigureFailed      settings that were not put in force
├── ForkedSystem           a system used in a child process that was forked from its own
├── MarketError            a value that no market can have
├── TransportError         a socket, an HTTP exchange, a limit of theirs
├── VenueError             text of a venue that cannot be understood
├── JournalError           the durable events
│   ├── JournalFull        no space left; what was given is still with the caller
│   ├── JournalFenced      a newer writer has taken over
│   └── EventUnfit         an event holds what cannot be kept
├── SimulatorError         the synthetic or recorded venue
└── SettingsError          a setting; names field, value and place
```
"""

from __future__ import annotations

from collections.abc import Iterable

import pykka


class PerpsActorsError(Exception):
    """Root of every error raised by this package."""


class KernelError(PerpsActorsError):
    """An actor, an inbox or the supervisor cannot do what was asked."""


class ActorUnavailable(KernelError, pykka.ActorDeadError):
    """Nobody answers at that address: the actor is dead, stopped or was never started. Also a `pykka.ActorDeadError`."""


class AskRefused(KernelError):
    """An ask inside a handler: actors only tell. Send a message and handle the answer instead."""


class AskTimeout(KernelError, pykka.Timeout):
    """No answer within the time allowed; the message may still be handled later. Also a `pykka.Timeout`."""


class Fenced(KernelError):
    """A thread whose lease is void tried to speak for an actor that has been replaced."""


class StartFailed(KernelError):
    """A child did not come up; the cause is chained."""


class CompositionFailed(PerpsActorsError):
    """A phase of setting a system up failed, and those before it were undone; the cause is chained.

    Attributes:
        phase: its name.
    """

    def __init__(self, phase: str, error: Exception) -> None:
        super().__init__(f"Phase {phase!r} failed: {type(error).__name__}: {error}")
        self.phase = phase


class PartAbsent(PerpsActorsError, LookupError):
    """A part that this system does not have; compose it with one.

    Attributes:
        part: its name.
    """

    def __init__(self, part: str, present: Iterable[str]) -> None:
        super().__init__(f"This system has no {part}; it has {', '.join(present)}")
        self.part = part


class ReconfigureFailed(PerpsActorsError):
    """Settings were not put in force because an actor did not take its part; what was in force before is again. Try again.

    Attributes:
        actor: its name.
    """

    def __init__(self, actor: str, error: Exception) -> None:
        super().__init__(
            f"{actor} did not take its new settings: {type(error).__name__}: {error}; those before are in force again"
        )
        self.actor = actor


class ForkedSystem(PerpsActorsError):
    """A system used in a child process that was forked from its own: its threads are not here. Start one in the child."""


class MarketError(PerpsActorsError, ValueError):
    """A value that no market can have (not a number, crossed, out of range)."""


class TransportError(PerpsActorsError):
    """A socket or an HTTP exchange failed, or the other side broke a limit."""


class VenueError(PerpsActorsError):
    """Text of a venue that cannot be understood; names what was expected and what came."""


class JournalError(PerpsActorsError):
    """The journal cannot be opened, read or written."""


class JournalFull(JournalError):
    """No space left on the device; nothing of the given events was written, give them again."""


class JournalFenced(JournalError):
    """A newer writer has opened this journal; this one may not write any more."""


class EventUnfit(JournalError):
    """An event holds a value that cannot be kept; nothing was written, the others may be given again without it.

    Attributes:
        index: position of the event in what was given to be written.
    """

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index


class SimulatorError(PerpsActorsError):
    """The synthetic or recorded venue cannot be served."""


class SettingsError(PerpsActorsError, ValueError):
    """A setting that cannot be used.

    Attributes:
        field: dotted name of the setting.
        value: what was given, as text.
        why: what is wrong with it.
        place: file, variable or call it came from.
    """

    def __init__(self, field: str, value: object, why: str, place: str) -> None:
        super().__init__(f"{place}: {field} = {value!r}: {why}")
        self.field = field
        self.value = value
        self.why = why
        self.place = place
