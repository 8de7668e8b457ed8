"""The answer to an ask: a Pykka future whose first write wins and that no handler may wait for."""

from __future__ import annotations

import queue
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pykka

from perps_actors.errors import AskRefused, AskTimeout
from perps_actors.kernel.lease import current_lease

if TYPE_CHECKING:
    from pykka._types import OptExcInfo


class Answer(pykka.ThreadingFuture[Any]):
    """A future that may be settled twice: the first write wins and the second is ignored.

    The step that handled the message, the inbox that closed and the supervisor that fenced a thread may all try to settle it;
    whoever comes first has told the truth.
    """

    def set(self, value: Any = None) -> None:
        """Settle with a value, unless it is settled."""
        with suppress(queue.Full):
            super().set(value)

    def set_exception(self, exc_info: OptExcInfo | None = None) -> None:
        """Settle with an error, unless it is settled."""
        with suppress(queue.Full):
            super().set_exception(exc_info)

    def get(self, *, timeout: float | None = None) -> Any:
        """Wait for the value.

        Raises:
            AskRefused: called inside a handler or on a thread that works for an actor: no actor waits for another.
            AskTimeout: not settled within `timeout` seconds.
        """
        if current_lease() is not None:
            msg = "An actor may not wait for an answer: tell, and handle the answer as a message"
            raise AskRefused(msg)
        try:
            return super().get(timeout=timeout)
        except AskTimeout:
            raise
        except pykka.Timeout as error:
            if self.settled():
                raise  # it is the answer
            msg = f"No answer within {timeout} s"
            raise AskTimeout(msg) from error

    def settled(self) -> bool:
        """Return whether a value or an error has been set."""
        return self._result is not None
