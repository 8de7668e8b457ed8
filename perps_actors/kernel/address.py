"""How an actor is reached: its address, the answer to a question, and a value that it publishes."""

from __future__ import annotations

import queue
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import pykka
from pykka._envelope import Envelope

from perps_actors.errors import ActorUnavailable, AskRefused, AskTimeout
from perps_actors.kernel.lease import HERE, Place, refuse_fenced

if TYPE_CHECKING:
    from pykka._types import OptExcInfo


class Teller(Protocol):
    """A receiver of messages: an `Address`, a Pykka `ActorRef`, a test's probe."""

    def tell(self, message: Any) -> object:
        """Send a message without waiting."""


class Answer(pykka.ThreadingFuture[Any]):
    """The future of an answer.

    It may be settled twice: the first write wins and the second is ignored.

    The step that handled the message, the inbox that was closed and the supervisor that fenced a
    thread may all try to settle it. Each of them is right at its moment, so the first one counts.
    """

    def set(self, value: Any = None) -> None:
        """Settle with a value, unless it is settled."""
        try:  # noqa: SIM105 - a context manager is a measurable part of an ask
            super().set(value)
        except queue.Full:
            pass

    def set_exception(self, exc_info: OptExcInfo | None = None) -> None:
        """Settle with an error, unless it is settled."""
        with suppress(queue.Full):
            super().set_exception(exc_info)

    def get(self, *, timeout: float | None = None) -> Any:
        """Wait for the value.

        Raises:
            AskRefused: called inside a handler or on a thread that works for an actor: no actor
                waits for another.
            AskTimeout: not settled within `timeout` seconds.
        """
        if HERE.lease is not None:
            msg = "An actor may not wait for an answer: tell, and handle the answer as a message"
            raise AskRefused(msg)
        with self._condition:
            # Nothing else notifies than settling it or giving it a hook, so one wait is enough.
            if (
                self._result is None
                and self._get_hook is None
                and not self._condition.wait(timeout)
            ):
                msg = f"No answer within {timeout} s"
                raise AskTimeout(msg)
            result = self._result
        if result is not None and result.exc_info is None:
            return result.value
        return super().get(timeout=timeout)

    def settled(self) -> bool:
        """Return whether a value or an error has been set."""
        return self._result is not None


class Address:
    """The place where an actor lives, whichever incarnation lives there now."""

    __slots__ = ("_cell", "_put")

    def __init__(self, cell: Place) -> None:
        self._cell = cell
        self._put = cell.inbox.put

    def __repr__(self) -> str:
        return f"<Address of {self._cell.name}>"

    @property
    def name(self) -> str:
        """The actor's name in its system."""
        return self._cell.name

    def tell(self, message: Any) -> bool:
        """Send a message, at most once. Return False when the inbox dropped it or is closed.

        Raises:
            Fenced: called by a thread of an incarnation that has been replaced.
        """
        # Check inline to save one call per message.
        if HERE.lease is not None:
            refuse_fenced()
        return self._put(message)

    def ask(self, message: Any, *, timeout: float) -> Any:
        """Send a message and wait for its answer; for hosts only.

        Args:
            message: the question.
            timeout: seconds; the message may still be handled after it.

        Raises:
            AskRefused: called by an actor, or by a thread that works for one.
            AskTimeout: no answer in time.
            ActorUnavailable: no actor will live here any more.
        """
        return self._cell.runtime.wait(self.put_question(message), timeout)

    def put_question(self, message: Any, answer: Answer | None = None) -> Answer:
        """Send a message and return the future of its answer: `answer`, if the asker gives one.

        Raises:
            AskRefused: called by an actor, or by a thread that works for one.
        """
        if HERE.lease is not None:
            msg = f"{self!r} was asked from inside a handler; actors only tell"
            raise AskRefused(msg)
        # A question that is put while the actor ends is taken by the inbox, and settled by the
        # thread that closes it, or refused by the inbox, and settled here. It never stays open.
        answer = answer if answer is not None else Answer()
        if not self._put(Envelope(message, reply_to=answer)):
            error = ActorUnavailable(f"Nobody answers at {self!r}")
            answer.set_exception((ActorUnavailable, error, None))
        return answer


T = TypeVar("T")


class Published(Generic[T]):
    """Holds the latest frozen value of one writer. Reading and writing are one instruction each."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value
