"""A subscriber: a callable of the host, on a thread and with an inbox of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import attrs

from perps_actors.feeds.reporter import Reporter
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.inbox import InboxPolicy, Overflow
from perps_actors.kernel.lease import under
from perps_actors.messages.interest import EventsHeard, MarksHeard

FAILURES_IN_A_ROW = 10
"""Exceptions after each other that end a subscription."""

SUBSCRIBER_INBOX = InboxPolicy(bound=10_000, overflow=Overflow.DROP_OLDEST)
"""What waits for a subscriber that does not say otherwise: the newest ten thousand."""


@attrs.define
class Reception:
    """How a subscriber has fared so far. The subscriber writes it, anyone reads it."""

    over: bool = False
    """Whether it is called no more, also with what it has in hand; its host may say so too."""
    received: int = 0
    """Items the callable was called with."""
    failures: int = 0
    """Calls that raised."""
    in_a_row: int = 0
    last_error: str | None = None
    thread: int | None = None
    """Identity of the thread that is in the callable; None: none is."""
    told_ns: int | None = None
    """Monotonic time at which a failure was last told."""


class Subscriber(Actor):
    """Calls a callable of the host with each item; an exception of the callable harms nothing.

    Takes: `MarksHeard`, `EventsHeard`. Tells the recorder `subscriber_failed` when the callable
    raises, at most one a second, and `subscriber_removed` after ten exceptions in a row, after
    which it gets nothing more. The callable runs as the host's own code, so it may ask. Inbox: the
    subscription's; by default it drops the oldest. It is never restarted, because no exception of
    the callable kills it.
    """

    inbox_policy: ClassVar[InboxPolicy] = SUBSCRIBER_INBOX

    def __init__(
        self,
        receive: Callable[[Any], object],
        *,
        name: str,
        report: Reporter,
        reception: Reception,
        remove: Callable[[], None],
    ) -> None:
        super().__init__()
        self._receive = receive
        self._name = name
        self._report = report
        self._reception = reception
        self._remove = remove

    def on_item(self, _: MarksHeard | EventsHeard, item: Any) -> None:
        """Call the callable with one mark or event."""
        reception = self._reception
        if reception.over:
            return
        reception.received += 1
        reception.thread = threading.get_ident()
        try:
            with under(None):
                self._receive(item)
        except BaseException as error:  # noqa: BLE001 - the host's own, SystemExit too
            reception.failures += 1
            reception.in_a_row += 1
            reception.last_error = f"{type(error).__name__}: {error}"[:300]
            self._tell_failure()
        else:
            reception.in_a_row = 0
        finally:
            reception.thread = None

    def _tell_failure(self) -> None:
        reception, now_ns = self._reception, self._report.clock.monotonic_ns()
        if reception.in_a_row == FAILURES_IN_A_ROW:
            reception.over = True
            self._remove()
            self._tell("subscriber_removed")
        elif reception.told_ns is None or now_ns - reception.told_ns >= NS_PER_S:
            reception.told_ns = now_ns
            self._tell("subscriber_failed")

    def _tell(self, kind: str) -> None:
        self._report.tell(
            kind,
            None,
            subscriber=self._name,
            failures=self._reception.failures,
            error=self._reception.last_error,
        )
