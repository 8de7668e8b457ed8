"""What stream adapters do alike that keep one thing for each symbol, subscribe by frames, and have their books pushed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.contract import Outcome
from perps_actors.venues.subscriptions import Subscriptions, Topic
from perps_actors.venues.tracked import Tracked


class Kept(Protocol):
    """What is kept for a symbol, its book among it."""

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: withdraw what it fed."""

    def doubt(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book, if it is good, and begin it anew."""

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side of the book; none unless it is good."""


KeptT = TypeVar("KeptT", bound=Kept)


class Following(Generic[KeptT, Topic]):
    """The half of a `StreamAdapter` that is not about what a frame says.

    Args:
        followed: what is kept for each symbol.
        subscriptions: which connection carries what.
    """

    def __init__(self, followed: Tracked[KeptT], subscriptions: Subscriptions[Topic]) -> None:
        self._followed = followed
        self._subscriptions = subscriptions

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the requests that unsubscribe what is gone and subscribe what is new."""
        return self._subscriptions.amend(before, after)

    def opened(self, connection: str) -> Sequence[Outcome]:
        """Return the requests that subscribe what the connection is planned to carry."""
        return self._subscriptions.opened(connection)

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: books it fed are withdrawn, rows it told are forgotten."""
        return [outcome for followed in self._followed.all() for outcome in followed.closed(connection, received_ns)]

    def answer(self, request: HttpRequest, status: int | None, body: bytes, received_ns: int) -> Sequence[Outcome]:  # noqa: ARG002
        """Return nothing: books come by the stream, and no answer is wanted."""
        return ()

    def doubt(self, symbol: str, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book of a symbol, if it is good, and begin it anew."""
        followed = self._followed.get(symbol)
        return followed.doubt(cause, received_ns) if followed is not None else ()

    def depth(self, symbol: str, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best `levels` bids and asks as (price, size), best first; empty where there is no good book."""
        followed = self._followed.get(symbol)
        return followed.depth(levels) if followed is not None else ([], [])
