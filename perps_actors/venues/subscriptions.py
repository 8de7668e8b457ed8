"""Which connection carries which topics, for venues that are told in frames, and the frames that tell them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import Generic, Literal, TypeVar

from perps_actors.errors import SettingsError
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import SendFrame

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
        raise SettingsError(field="channels", value=channel, why=f"expected some of {', '.join(sorted(offered))}", place=venue)
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
        self, topics: Callable[[ConnectionPlan], Iterable[Topic]], request: Callable[[Op, Sequence[Topic]], str], per_request: int
    ) -> None:
        self._topics = topics
        self._request = request
        self._per_request = per_request
        self._plans: dict[str, ConnectionPlan] = {}

    def planned(self, plans: Iterable[ConnectionPlan]) -> tuple[ConnectionPlan, ...]:
        """Put these plans in force and return them."""
        self._plans = {plan.name: plan for plan in plans}
        return tuple(self._plans.values())

    def opened(self, connection: str) -> list[SendFrame]:
        """Return what to send on a connection that was opened; nothing where none of that name is planned."""
        plan = self._plans.get(connection)
        topics = dict.fromkeys(self._topics(plan)) if plan is not None else {}
        return [SendFrame(connection, text) for text in self._frames("subscribe", list(topics))]

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the frames that make an open connection of one plan one of another; None when it has to be opened anew."""
        if before.url != after.url:
            return None
        had, wanted = dict.fromkeys(self._topics(before)), dict.fromkeys(self._topics(after))
        gone, new = [topic for topic in had if topic not in wanted], [topic for topic in wanted if topic not in had]
        return (*self._frames("unsubscribe", gone), *self._frames("subscribe", new))

    def _frames(self, op: Op, topics: Sequence[Topic]) -> list[str]:
        return [self._request(op, few) for few in batches(topics, self._per_request)]
