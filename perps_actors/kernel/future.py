"""The answer to an ask: a Pykka future whose first write wins and that no handler may wait for."""

from __future__ import annotations

import queue
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pykka

from perps_actors.errors import AskRefused, AskTimeout
from perps_actors.kernel.lease import HERE

if TYPE_CHECKING:
    from pykka._types import OptExcInfo


class Answer(pykka.ThreadingFuture[Any]):
    """A future that may be settled twice: the first write wins and the second is ignored.

    The step that handled the message, the inbox that closed and the supervisor that fenced a thread may all try to settle it;
    whoever comes first has told the truth.
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
            AskRefused: called inside a handler or on a thread that works for an actor: no actor waits for another.
            AskTimeout: not settled within `timeout` seconds.
        """
        if HERE.lease is not None:
            msg = "An actor may not wait for an answer: tell, and handle the answer as a message"
            raise AskRefused(msg)
        with self._condition:
            # Whoever settles it, or gives it a hook, notifies; nobody else does.
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
