"""Every error that this package raises: one root, one subclass per package.

```
PerpsActorsError
├── KernelError            an actor, an inbox or the supervisor
│   ├── ActorUnavailable   the actor is dead, stopped or was never started
│   ├── AskRefused         an actor tried to wait for another actor
│   ├── AskTimeout         no answer within the timeout
│   ├── Fenced             a thread of a replaced actor tried to send a message
│   └── StartFailed        an actor did not start
├── CompositionFailed      a phase of building a system failed
├── PartAbsent             the system was built without that part
├── ReconfigureFailed      new settings were not applied
├── ForkedSystem           a system was used in a forked child process
├── MarketError            a value that no market can have
├── TransportError         a socket or HTTP exchange failed or broke a limit
├── VenueError             a venue's message cannot be read
├── JournalError           the journal cannot be opened, read or written
│   ├── JournalFull        no space left on the device
│   ├── JournalFenced      a newer writer has opened the journal
│   └── EventUnfit         an event holds a value that cannot be stored
├── SimulatorError         a synthetic or recorded venue cannot be served
└── SettingsError          a setting is invalid; names field, value and place
```
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any

import pykka


class PerpsActorsError(Exception):
    """Root of every error raised by this package. Every one can be pickled and copied."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make this error again, with its text, attributes and notes.

        An exception is otherwise made again by calling its class with its text, which fails for a
        class whose constructor takes other arguments, in a process pool without any message.
        """
        state = {name: _picklable(value) for name, value in vars(self).items()}
        return _made_again, (type(self), self.args, state)


def _made_again(
    kind: type[PerpsActorsError], args: tuple[Any, ...], state: dict[str, Any]
) -> PerpsActorsError:
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(state)
    return error


def _picklable(value: object) -> object:
    """Return a value that can be pickled: `value` itself if possible, else its text."""
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - pickling runs the value's own code, which may raise anything
        return repr(value)
    return value


class KernelError(PerpsActorsError):
    """An actor, an inbox or the supervisor cannot do what was asked."""


class ActorUnavailable(KernelError, pykka.ActorDeadError):
    """The actor is dead, stopped or was never started. Also a `pykka.ActorDeadError`."""


class AskRefused(KernelError):
    """An actor may not ask inside a handler. Tell, and handle the answer as a message."""


class AskTimeout(KernelError, pykka.Timeout):
    """No answer within the timeout. The actor may still handle the message later.

    Also a `pykka.Timeout`.
    """


class Fenced(KernelError):
    """A thread of an actor that has been replaced tried to send a message."""


class StartFailed(KernelError):
    """An actor did not start; the cause is chained."""


class CompositionFailed(PerpsActorsError):
    """A phase of building a system failed, and the phases before it were undone.

    The cause is chained.

    Attributes:
        phase: name of the phase.
    """

    def __init__(self, phase: str, error: Exception) -> None:
        super().__init__(f"Phase {phase!r} failed: {type(error).__name__}: {error}")
        self.phase = phase


class PartAbsent(PerpsActorsError, LookupError):
    """The system was built without a part that this call needs.

    Attributes:
        part: name of the part.
    """

    def __init__(self, part: str, present: Iterable[str]) -> None:
        super().__init__(f"This system has no {part}; it has {', '.join(present)}")
        self.part = part


class ReconfigureFailed(PerpsActorsError):
    """An actor did not accept its new settings, so the previous settings were restored. Try again.

    Attributes:
        actor: name of the actor.
    """

    def __init__(self, actor: str, error: Exception) -> None:
        super().__init__(
            f"{actor} did not accept its new settings: {type(error).__name__}: {error}; "
            "the previous settings were restored"
        )
        self.actor = actor


class ForkedSystem(PerpsActorsError):
    """A system was used in a forked child process, which has none of the system's threads.

    Start a new system in the child.
    """


class MarketError(PerpsActorsError, ValueError):
    """A value that no market can have (not a number, crossed, out of range)."""


class TransportError(PerpsActorsError):
    """A socket or an HTTP exchange failed, or the other side broke a limit."""


class VenueError(PerpsActorsError):
    """A venue's message cannot be read; names what was expected and what was received."""


class JournalError(PerpsActorsError):
    """The journal cannot be opened, read or written."""


class JournalFull(JournalError):
    """No space is left on the device. No event of the batch was written; write it again."""


class JournalFenced(JournalError):
    """A newer writer has opened this journal, so this one may not write to it."""


class EventUnfit(JournalError):
    """An event holds a value that cannot be stored. No event of the batch was written.

    Write the batch again without this event.

    Attributes:
        index: position of the event in the batch.
    """

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index


class SimulatorError(PerpsActorsError):
    """The synthetic or recorded venue cannot be served."""


class SettingsError(PerpsActorsError, ValueError):
    """A setting is invalid.

    Attributes:
        field: dotted name of the setting.
        value: the invalid value.
        why: the reason.
        place: the file, variable or call that gave the value.
    """

    def __init__(self, field: str, value: object, why: str, place: str) -> None:
        super().__init__(f"{place}: {field} = {value!r}: {why}")
        self.field = field
        self.value = value
        self.why = why
        self.place = place
