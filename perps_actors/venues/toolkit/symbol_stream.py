"""The parts of a `StreamAdapter` that are the same at every venue.

These are a state for each symbol, the plan of which connection carries what, and the frames that
subscribe it. What is left to a venue's `stream.py` is `frame`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import attrs

from perps_actors.errors import SettingsError, VenueError
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.contract import InvalidInput, Outcome, SendFrame
from perps_actors.venues.toolkit.fields import check_symbol

MAX_SYMBOLS: Final = 5_000
"""Symbols that are followed without a plan."""

Op = Literal["subscribe", "unsubscribe"]
Item = TypeVar("Item")
Topic = TypeVar("Topic", bound=Hashable)
State = TypeVar("State")


def chosen(channels: Collection[str], offered: Iterable[str], venue: str) -> list[str]:
    """Return the chosen channels in the order in which the venue offers them.

    Raises:
        SettingsError: a channel that the venue does not offer.
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


def sharded(like: ConnectionPlan, most: int) -> Callable[[Sequence[str]], Iterable[ConnectionPlan]]:
    """Return a function that makes a numbered plan `like` this one for each `most` symbols."""
    return lambda symbols: [
        attrs.evolve(like, name=f"{like.name}-{number}", symbols=tuple(shard))
        for number, shard in enumerate(batches(symbols, most))
    ]


def refused(data: bytes) -> tuple[InvalidInput]:
    """Return the invalid input for a frame in which the venue refuses a request."""
    return (InvalidInput(f"The venue refused: {data[:150].decode(errors='replace')}"),)


class SymbolStates(dict[str, State | None], Generic[State]):
    """The state of each symbol; None for a symbol that is not followed any more.

    Data of such a symbol was on its way when it was unsubscribed. Before the first `plan`, any
    symbol is followed from its first data on, up to `MAX_SYMBOLS`. Afterwards a look-up of a symbol
    that was never planned raises `VenueError`. Look-ups are plain dict accesses, because there is
    one for every message.

    Args:
        venue: name of the venue.
        make: makes the state of an instrument.
    """

    def __init__(self, venue: str, make: Callable[[InstrumentId], State]) -> None:
        super().__init__()
        self._venue = venue
        self._make = make
        self.planned = False

    def __missing__(self, symbol: str) -> State:
        """Return the state of a symbol seen for the first time.

        Raises:
            VenueError: the symbol was not planned, cannot be one, or is one too many.
        """
        if self.planned or len(self) >= MAX_SYMBOLS:
            why = "not subscribed" if self.planned else f"more than {MAX_SYMBOLS} symbols"
            msg = f"Expected a subscribed symbol, was {symbol[:50]!r}: {why}"
            raise VenueError(msg)
        state = self[check_symbol(symbol)] = self._make(InstrumentId(self._venue, symbol))
        return state

    def plan(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """Follow these symbols only; return each once. States of symbols that stay are kept.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        wanted = tuple(dict.fromkeys(symbols))
        for symbol in wanted:
            try:
                check_symbol(symbol)
            except VenueError as error:
                raise SettingsError(
                    field="symbols", value=symbol, why=str(error), place=self._venue
                ) from error
        self.planned = True
        before = dict(self)
        self.update(dict.fromkeys(self))
        for symbol in wanted:
            state = before.get(symbol)
            if state is None:
                state = self._make(InstrumentId(self._venue, symbol))
            self[symbol] = state
        return wanted

    def followed(self) -> list[State]:
        """Return the states of the symbols that are followed."""
        return [state for state in self.values() if state is not None]


class Subscriptions(Generic[Topic]):
    """The connection plans in force, and the frames that subscribe the topics of each.

    Args:
        topics: returns the topics that a planned connection carries.
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
        """Return the frames to send on a connection that was opened; none if it is not planned."""
        plan = self._plans.get(connection)
        topics = dict.fromkeys(self._topics(plan)) if plan is not None else {}
        return [SendFrame(connection, text) for text in self._frames("subscribe", list(topics))]

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...]:
        """Return the frames that turn an open connection of one plan into one of another."""
        had, wanted = dict.fromkeys(self._topics(before)), dict.fromkeys(self._topics(after))
        gone = [topic for topic in had if topic not in wanted]
        new = [topic for topic in wanted if topic not in had]
        return (*self._frames("unsubscribe", gone), *self._frames("subscribe", new))

    def _frames(self, op: Op, topics: Sequence[Topic]) -> list[str]:
        return [self._request(op, few) for few in batches(topics, self._per_request)]


class BookState(Protocol):
    """The state of a symbol: a book, or an object that has one."""

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the data that this connection, which ended, fed."""

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book if it is synced, and start again."""

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels of each side; nothing unless the book is synced."""


BookStateT = TypeVar("BookStateT", bound=BookState)


class SymbolStream(Generic[BookStateT]):
    """A `StreamAdapter` without `frame`.

    Args:
        symbols: the state of each symbol.
        connections: makes the plans of the connections that carry the data of symbols.
        subscriptions: the subscriptions of each connection, in the order of their requests.
    """

    def __init__(
        self,
        symbols: SymbolStates[BookStateT],
        connections: Callable[[Sequence[str]], Iterable[ConnectionPlan]],
        *subscriptions: Subscriptions[Any],
    ) -> None:
        self._symbols = symbols
        self._connections = connections
        self._subscriptions = subscriptions

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return the connections that carry the data of `symbols`; follow these symbols only.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        plans = tuple(self._connections(self._symbols.plan(symbols)))
        for subscription in self._subscriptions:
            subscription.planned(plans)
        return plans

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the frames that turn an open connection of one plan into one of another.

        None if the connection has to be opened again, because its address changed.
        """
        if before.url != after.url:
            return None
        frames = (subscription.amend(before, after) for subscription in self._subscriptions)
        return tuple(frame for texts in frames for frame in texts)

    def opened(self, connection: str, received_ns: int) -> Sequence[Outcome]:  # noqa: ARG002
        """Return the frames that subscribe the data that the connection is planned to carry."""
        return [
            frame
            for subscription in self._subscriptions
            for frame in subscription.opened(connection)
        ]

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the books that this connection, which ended, fed."""
        return [
            outcome
            for state in self._symbols.followed()
            for outcome in state.closed(connection, received_ns)
        ]

    def answer(
        self,
        request: HttpRequest,  # noqa: ARG002
        status: int | None,  # noqa: ARG002
        body: bytes,  # noqa: ARG002
        received_ns: int,  # noqa: ARG002
    ) -> Sequence[Outcome]:
        """Return nothing, because most adapters make no requests."""
        return ()

    def invalidate(self, symbol: str, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book of a symbol if it is synced, and start again."""
        state = self._symbols.get(symbol)
        return state.invalidate(cause, received_ns) if state is not None else ()

    def depth(
        self, symbol: str, levels: int
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best bids and asks as (price, size), best first; none unless synced."""
        state = self._symbols.get(symbol)
        return state.depth(levels) if state is not None else ([], [])
