"""Which connection carries which topics, for venues that are told in frames, and the frames that tell them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import Generic, Literal, Protocol, TypeVar

from perps_actors.errors import SettingsError
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.contract import Outcome, SendFrame
from perps_actors.venues.toolkit.symbols import SymbolStates

# merged docstring:
# """What stream adapters do alike that keep one thing for each symbol, subscribe by frames, and have their books pushed."""

Op = Literal["subscribe", "unsubscribe"]
Topic = TypeVar("Topic", bound=Hashable)
Item = TypeVar("Item")


def chosen(channels: Collection[str], offered: Iterable[str], venue: str) -> list[str]:
    """Return the chosen ones of the channels that a venue offers, in the venue's order.

    Raises:
        SettingsError: one that it does not offer.
    """
    offered = tuple(offered)
    for channel in sorted(set(channels).difference(offered)):
        raise SettingsError(
            field="channels",
            value=channel,
            why=f"expected some of {', '.join(sorted(offered))}",
            place=venue,
        )
    return [channel for channel in offered if channel in channels]


def batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Return `items` in runs of at most `size`."""
    return [items[at : at + size] for at in range(0, len(items), size)]


class Subscriptions(Generic[Topic]):
    """The plans in force, and the frames for the topics of each.

    Args:
        topics: says what a connection of a plan carries.
        request: makes the frame that subscribes or unsubscribes topics.
        per_request: topics in one frame.
    """

    def __init__(
        self,
        topics: Callable[[ConnectionPlan], Iterable[Topic]],
        request: Callable[[Op, Sequence[Topic]], str],
        per_request: int,
    ) -> None:
        self._topics = topics
        self._request = request
        self._per_request = per_request
        self._plans: dict[str, ConnectionPlan] = {}

    def planned(self, plans: Iterable[ConnectionPlan]) -> None:
        """Put these plans in force."""
        self._plans = {plan.name: plan for plan in plans}

    def opened(self, connection: str) -> list[SendFrame]:
        """Return what to send on a connection that was opened; nothing where none of that name is planned."""
        plan = self._plans.get(connection)
        topics = dict.fromkeys(self._topics(plan)) if plan is not None else {}
        return [SendFrame(connection, text) for text in self._frames("subscribe", list(topics))]

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the frames that turn one plan into another; None if it needs a new connection."""
        if before.url != after.url:
            return None
        had, wanted = dict.fromkeys(self._topics(before)), dict.fromkeys(self._topics(after))
        gone, new = (
            [topic for topic in had if topic not in wanted],
            [topic for topic in wanted if topic not in had],
        )
        return (*self._frames("unsubscribe", gone), *self._frames("subscribe", new))

    def _frames(self, op: Op, topics: Sequence[Topic]) -> list[str]:
        return [self._request(op, few) for few in batches(topics, self._per_request)]


class Kept(Protocol):
    """What is kept for a symbol, its book among it."""

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: withdraw what it fed."""

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book, if it is good, and begin it anew."""

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side of the book; none unless it is good."""


KeptT = TypeVar("KeptT", bound=Kept)


class Following(Generic[KeptT, Topic]):
    """The half of a `StreamAdapter` that is not about what a frame says.

    Args:
        followed: the state of each symbol.
        subscriptions: the topics of each connection, one for each kind of request.
    """

    def __init__(self, followed: SymbolStates[KeptT], *subscriptions: Subscriptions[Topic]) -> None:
        self._followed = followed
        self._subscriptions = subscriptions

    def _put_in_force(self, plans: Iterable[ConnectionPlan]) -> tuple[ConnectionPlan, ...]:
        """Put these plans in force and return them."""
        wanted = tuple(plans)
        for subscriptions in self._subscriptions:
            subscriptions.planned(wanted)
        return wanted

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the frames that turn one plan into another; None if it needs a new connection."""
        frames = [each.amend(before, after) for each in self._subscriptions]
        return None if None in frames else tuple(text for texts in frames for text in texts or ())

    def opened(self, connection: str, received_ns: int) -> Sequence[Outcome]:  # noqa: ARG002
        """Return the requests that subscribe what the connection is planned to carry."""
        return [frame for each in self._subscriptions for frame in each.opened(connection)]

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: books it fed are withdrawn, rows it told are forgotten."""
        return [
            outcome
            for followed in self._followed.all()
            for outcome in followed.closed(connection, received_ns)
        ]

    def answer(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:  # noqa: ARG002
        """Return nothing: books come by the stream, and no answer is wanted."""
        return ()

    def invalidate(self, symbol: str, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book of a symbol, if it is good, and begin it anew."""
        followed = self._followed.get(symbol)
        return followed.invalidate(cause, received_ns) if followed is not None else ()

    def depth(
        self, symbol: str, levels: int
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best `levels` bids and asks as (price, size), best first; empty where there is no good book."""
        followed = self._followed.get(symbol)
        return followed.depth(levels) if followed is not None else ([], [])
