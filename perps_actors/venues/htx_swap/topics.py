"""HTX's topics: which carry what, on which stream, and the frames that subscribe and unsubscribe them.

Source: huobiapi.github.io/docs/usdt_swap/v1/en (WebSocket), read 2026-11: one topic a frame, and at most 40 subscriptions a second.
Mark and index prices come as candles, on a stream of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs
import msgspec

from perps_actors.market.mark import Source
from perps_actors.venues.htx_swap.families import INDEX, Family
from perps_actors.venues.toolkit.subscriptions import Op

MAX_TOPICS: Final = 40
"""Topics of a connection: they are subscribed all at once."""
BOOK: Final = "depth.size_150.high_freq"

_VERBS: Final[dict[Op, str]] = {"subscribe": "sub", "unsubscribe": "unsub"}


def request(op: Op, topics: Sequence[str]) -> str:
    """Return the frame that subscribes or unsubscribes one topic: notifications (`public`) are asked for in another way."""
    (topic,) = topics
    asked = (
        {"op": _VERBS[op], "topic": topic} if topic.startswith("public.") else {_VERBS[op]: topic}
    )
    if topic.endswith(".high_freq"):
        asked["data_type"] = "incremental"
    return msgspec.json.encode(asked).decode()


@attrs.frozen(kw_only=True)
class Route:
    """A kind of connection: its path, and the topics that it carries by channel."""

    path: Callable[[Family], str]
    kind: str
    """First part of its topics."""
    topics: Mapping[str, tuple[str, ...]]
    """What follows the symbol in them, by channel."""
    sources: Mapping[str, Source]
    """Which channels marks are made of, and as what."""


ROUTES: Final[Mapping[str, Route]] = {
    "market": Route(
        path=lambda family: family.market,
        kind="market",
        topics={
            "book": (BOOK,),
            "touch": ("bbo",),
            "trades": ("trade.detail",),
            "candles": ("kline.1min",),
        },
        sources={"book": "book", "touch": "touch", "trades": "trades"},
    ),
    "index": Route(
        path=lambda _: INDEX,
        kind="market",
        topics={"marks": ("mark_price.1min", "index.1min")},
        sources={},
    ),
    "notification": Route(
        path=lambda family: family.notification,
        kind="public",
        topics={"funding": ("funding_rate",), "liquidations": ("liquidation_orders",)},
        sources={},
    ),
}
"""By a part of the name of the connection."""
CHANNELS: Final = frozenset(channel for route in ROUTES.values() for channel in route.topics)
