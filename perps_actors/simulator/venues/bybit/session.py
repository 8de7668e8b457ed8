"""One client of Bybit's streams, from the venue's side: what it asks for, and what it is answered.

Source: bybit-exchange.github.io/docs/v5/ws/connect, read 2026-11. A connection carries one category, which its path names. A request
with a topic that is not there, or that is subscribed already, is refused as a whole.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.simulator.venue_contract import StreamSession
from perps_actors.venues.bybit.parse import DEPTHS, READERS
from perps_actors.venues.bybit.schema import CATEGORIES, category_of
from perps_actors.venues.bybit.stream import CHANNELS

MAX_TOPIC_CHARACTERS: Final = 21_000
"""Of all topics of a connection together."""

_KINDS: Final = frozenset(READERS)
_DEEPER: Final = DEPTHS[DEPTHS.index(CHANNELS["book"].partition(".")[2]) + 1 :]
_HEAD: Final = b'{"topic":"'
_MOST_HEAD: Final = 200

_encode = msgspec.json.Encoder().encode


def stream_name(topic: str) -> str:
    """Return what a topic is called here: its kind and its symbol, whatever the depth of a book."""
    return f"{topic.partition('.')[0]}.{symbol_of(topic)}"


def symbol_of(topic: str) -> str:
    """Return the symbol that a topic, or a stream, is about."""
    return topic.rpartition(".")[2]


class BybitSession(StreamSession):
    """One client connection: what it asked for and what it is answered.

    Args:
        path: of the request; names the category.
        query: of the request; means nothing here.

    Raises:
        VenueError: a path on which there are no streams.
    """

    def __init__(self, path: str, query: str = "") -> None:  # noqa: ARG002 - as every venue's session has it
        category = path.removeprefix("/v5/public/")
        if path == category or category not in CATEGORIES:
            msg = f"Expected a path like /v5/public/linear, was {path[:80]!r}"
            raise VenueError(msg)
        self._category = category
        self._topics: dict[str, None] = {}
        self._streams: tuple[str, ...] = ()
        self._renamed: dict[bytes, bytes] = {}

    def streams(self) -> tuple[str, ...]:
        """Return the streams that go out on this connection."""
        return self._streams

    def dress(self, frame: bytes) -> bytes:
        """Return a frame as this connection wants it: as it is, but for a book's topic."""
        topic = frame[:_MOST_HEAD].removeprefix(_HEAD).partition(b'"')[0] if self._renamed else b""
        return frame.replace(topic, self._renamed[topic], 1) if topic in self._renamed else frame

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answer to a text frame of the client; a refusal if the frame is malformed."""
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            request = None
        if not isinstance(request, dict):
            return (_said(success=False, ret_msg="Json parse error"),)
        named = {key: str(request[key])[:64] for key in ("req_id", "op") if key in request}
        if named.get("op") == "ping":
            return (_said(success=True, ret_msg="pong", **named),)
        refusal = self._change(request.get("op"), request.get("args"))
        return (_said(success=refusal is None, ret_msg=refusal or "", **named),)

    def _change(self, op: Any, topics: Any) -> str | None:
        """Subscribe or unsubscribe; return why not, where it is refused."""
        if op not in ("subscribe", "unsubscribe"):
            return f"error:unknown op,op:{str(op)[:40]}"
        if (
            not isinstance(topics, list)
            or not topics
            or not all(isinstance(topic, str) for topic in topics)
        ):
            return "error:request args is empty"
        if op == "unsubscribe":
            left = {stream_name(topic) for topic in topics}
            self._ask({topic: None for topic in self._topics if stream_name(topic) not in left})
            return None
        refusals = [refusal for topic in topics if (refusal := self._refusal(topic)) is not None]
        asked = self._topics | dict.fromkeys(topics)
        if sum(map(len, asked)) > MAX_TOPIC_CHARACTERS:
            refusals.append("error:args size is too large")
        if not refusals:
            self._ask(asked)
        return refusals[0] if refusals else None

    def _ask(self, topics: dict[str, None]) -> None:
        self._topics = topics
        self._streams = tuple(dict.fromkeys(stream_name(topic) for topic in topics))
        deeper = {
            f"{CHANNELS['book']}.{symbol_of(topic)}": topic
            for topic in topics
            if topic.split(".")[1] in _DEEPER
        }
        self._renamed = {
            made.encode(): asked.encode() for made, asked in deeper.items() if made not in topics
        }

    def _refusal(self, topic: str) -> str | None:
        if not self._has(topic):
            return f"error:handler not found,topic:{topic[:80]}"
        return f"error:already subscribed,topic:{topic}" if topic in self._topics else None

    def _has(self, topic: str) -> bool:
        kind, _, rest = topic.partition(".")
        depth, _, symbol = rest.rpartition(".")
        known = kind in _KINDS and (depth in DEPTHS if kind == "orderbook" else not depth)
        return known and bool(symbol) and category_of(symbol) == self._category


def _said(**answer: Any) -> str:
    return _encode({**answer, "conn_id": "simulated"}).decode()
