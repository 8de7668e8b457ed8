"""The lease of an incarnation, and the lease under which the present thread works.

Every incarnation of an actor holds a lease. The threads that work for it (its dispatcher while it
handles a message, its socket threads and workers) work *under* that lease. When the incarnation is
replaced, its lease becomes void, and messages that those threads still send are refused. Python
cannot stop a thread that hangs, but its messages can be kept out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from perps_actors.errors import ActorUnavailable, Fenced


class Receiver(Protocol):
    """The inbox, as senders see it."""

    @property
    def closed(self) -> bool:
        """Whether it takes no more messages."""

    def put(self, entry: Any) -> bool:
        """Take a message; return False when it was dropped or the inbox is closed."""

    def __len__(self) -> int:
        """Return how many items wait."""


class Waiting(Protocol):
    """The runtime, as a host sees it that waits for an answer."""

    def wait(self, answer: Any, timeout_s: float) -> Any:
        """Wait for an answer."""


class Place(Protocol):
    """The cell in which an incarnation lives, as far as leases and addresses know it."""

    @property
    def name(self) -> str:
        """The actor's name in its system."""

    @property
    def group(self) -> str:
        """The group of cells with which it shares a thread."""

    @property
    def inbox(self) -> Receiver:
        """Where its messages wait."""

    @property
    def runtime(self) -> Waiting:
        """What runs it."""


class Lease:
    """An incarnation's right to its inbox.

    Also the `actor_inbox` that Pykka's `ActorRef` puts envelopes into.

    It is created unbound by Pykka's constructor and bound to a cell before the loop starts.
    """

    __slots__ = ("cell", "void")

    def __init__(self) -> None:
        self.cell: Place | None = None
        self.void = False

    def put(self, envelope: Any) -> None:
        """Put an envelope of Pykka's into the inbox.

        After the incarnation's end its reply is settled with an error.

        A message that is dropped by the inbox's policy is counted there. It is no error, as with an
        address.

        Raises:
            Fenced: called by a thread of an incarnation that has been replaced.
            ActorUnavailable: told (not asked), and nobody is there.
        """
        # Pykka's refs hold this lease and not the cell, so that a ref of an incarnation that has
        # ended does not reach the next one: Pykka's users expect a dead ref to stay dead.
        refuse_fenced()
        cell = self.cell
        if cell is not None and not self.void:
            if cell.inbox.put(envelope):
                return
            if envelope.reply_to is None and not cell.inbox.closed:
                return
        error = ActorUnavailable(self._why_not())
        if envelope.reply_to is None:
            raise error
        envelope.reply_to.set_exception((ActorUnavailable, error, None))

    def _why_not(self) -> str:
        if self.cell is None:
            return "The actor was never started"
        return (
            "This incarnation has ended"
            if self.void or self.cell.inbox.closed
            else "The inbox is full"
        )

    def get(self) -> Any:
        """Pykka's own loop would call this; ours never does.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def empty(self) -> bool:
        """Return whether nothing waits."""
        return self.cell is None or not len(self.cell.inbox)


class _Here(threading.local):
    lease: Lease | None = None


HERE: Final = _Here()
"""The present thread's lease, for where `current_lease` would cost too much."""


def current_lease() -> Lease | None:
    """Return the lease the present thread works under; None in a host's thread."""
    return HERE.lease


def refuse_fenced() -> None:
    """Do nothing, unless the present thread works under a void lease.

    Raises:
        Fenced: it does; the actor it worked for has been replaced.
    """
    lease = HERE.lease
    if lease is not None and lease.void:
        msg = "This thread works for an incarnation that has been replaced"
        raise Fenced(msg)


@contextmanager
def under(lease: Lease | None) -> Iterator[None]:
    """Work under `lease` in this block."""
    before = HERE.lease
    HERE.lease = lease
    try:
        yield
    finally:
        HERE.lease = before


def enter(lease: Lease | None) -> Lease | None:
    """Set the present thread's lease and return the one before; faster than `under`."""
    before = HERE.lease
    HERE.lease = lease
    return before


class Voice:
    """Sends messages for an incarnation from another thread, until it is replaced."""

    __slots__ = ("_lease", "_put")

    def __init__(self, lease: Lease, put: Callable[[Any], bool]) -> None:
        self._lease = lease
        self._put = put

    def tell(self, message: Any) -> bool:
        """Send a message; return False when it was dropped.

        Raises:
            Fenced: the incarnation has been replaced.
        """
        if self._lease.void:
            msg = "This thread works for an incarnation that has been replaced"
            raise Fenced(msg)
        return self._put(message)
