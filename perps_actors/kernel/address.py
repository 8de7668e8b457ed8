"""What a system hands out: an address, which outlives every incarnation of the actor behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pykka._envelope import Envelope

from perps_actors.errors import ActorUnavailable, AskRefused
from perps_actors.kernel.future import Answer
from perps_actors.kernel.lease import HERE, refuse_fenced

if TYPE_CHECKING:
    from perps_actors.kernel.cell import Cell


class Teller(Protocol):
    """Whoever can be told: an `Address`, a Pykka `ActorRef`, a test's probe."""

    def tell(self, message: Any) -> object:
        """Send a message without waiting."""


class Address:
    """The place where an actor lives, whichever incarnation lives there now."""

    __slots__ = ("_cell", "_put")

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._put = cell.inbox.put

    def __repr__(self) -> str:
        return f"<Address of {self._cell.name}>"

    @property
    def name(self) -> str:
        """The actor's name in its system."""
        return self._cell.name

    def tell(self, message: Any) -> bool:
        """Send a message, at most once; return False when it was dropped by the inbox's policy or nobody lives here any more.

        Raises:
            Fenced: called by a thread of an incarnation that has been replaced.
        """
        # The look that spares a message the call.
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
            ActorUnavailable: nobody lives here any more.
        """
        return self._cell.runtime.wait(self.put_question(message), timeout)

    def put_question(self, message: Any, answer: Answer | None = None) -> Answer:
        """Send a message and return the future of its answer; `answer`: one of the asker's own to use for it.

        Raises:
            AskRefused: called by an actor, or by a thread that works for one.
        """
        if HERE.lease is not None:
            msg = f"{self!r} was asked from inside a handler; actors only tell"
            raise AskRefused(msg)
        answer = answer if answer is not None else Answer()
        if not self._put(Envelope(message, reply_to=answer)):
            error = ActorUnavailable(f"Nobody answers at {self!r}")
            answer.set_exception((ActorUnavailable, error, None))
        return answer
