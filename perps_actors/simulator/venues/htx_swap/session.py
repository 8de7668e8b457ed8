"""One client of HTX's streams of swaps, from the venue's side: what it asks for, and what it is answered.

Source: huobiapi.github.io/docs/usdt_swap/v1/en (WebSocket heartbeat, subscription, order push, error codes), read 2026-11, and what others
measured on 2026-09-23 (github.com/nemanull/arbitrage-observatory, docs/profiles/htx/websocket.md). All that goes out is gzip in binary
frames. Each family has a path for its market and one for its notifications, marks and indices of both have one more; a topic is refused
on any other path. The first ping comes at once and one more every 5 s; who left four unanswered is closed, and a ping of the client is
not answered. Symbols may be spelled in any case. Here answers carry no time, for nothing here reads a clock; every symbol is granted,
for what is listed is not known; topics that no adapter reads, and those of all contracts together (`public.*`), are refused; a topic
of a market that is asked for twice is granted, but its book does not begin anew.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.simulator.venue_contract import StreamSession
from perps_actors.venues.htx_swap.parse import parts_of_channel, topic_reader
from perps_actors.venues.htx_swap.schema import FAMILIES, family_of, packed
from perps_actors.venues.htx_swap.stream import ROUTES
from perps_actors.venues.toolkit.fields import NS_PER_MS

MAX_UNANSWERED: Final = 4

_ROUTE_OF: Final = {
    suffix.partition(".")[0]: route
    for route in ROUTES.values()
    for suffixes in route.topics.values()
    for suffix in suffixes
}
_NOTIFICATION_PATHS: Final = frozenset(family.notification for family in FAMILIES)
_PATHS: Final = frozenset(route.path(family) for route in ROUTES.values() for family in FAMILIES)
_TOPIC_ERROR, _NOT_SUBSCRIBED, _REPEATED, _MISSING = 2010, 2012, 2014, 2040

_encode = msgspec.json.Encoder().encode


def stream_name(topic: str) -> str | None:
    """Return what a topic is called here, kind and symbol, whatever depth or period; None where it is none that is served."""
    first, (symbol, suffix) = topic.partition(".")[0], parts_of_channel(topic)
    kind = suffix.partition(".")[0]
    route = _ROUTE_OF.get(kind)
    if route is None or first != route.kind or symbol in ("", "*"):
        return None
    known = suffix == kind if first == "public" else topic_reader(suffix) is not None
    return f"{kind}:{symbol}" if known else None


def symbol_of(stream: str) -> str:
    """Return the symbol a stream is about."""
    return stream.partition(":")[2]


def path_of(stream: str) -> str:
    """Return the path on which a stream goes out."""
    kind, _, symbol = stream.partition(":")
    return _ROUTE_OF[kind].path(family_of(symbol))


class HtxSession(StreamSession):
    """One client connection.

    Args:
        path: of the request; names what the connection may carry.
        query: of the request; means nothing here.

    Raises:
        VenueError: a path on which there are no streams.
    """

    ping_every_s = 5.0

    def __init__(self, path: str, query: str = "") -> None:  # noqa: ARG002 - as every venue's session has it
        if path not in _PATHS:
            msg = f"Expected one of the paths {', '.join(sorted(_PATHS))}, was {path[:80]!r}"
            raise VenueError(msg)
        self._path = path
        self._notifies = path in _NOTIFICATION_PATHS
        self._topics: dict[str, str] = {}
        self._unanswered: list[int | str] = []

    def streams(self) -> tuple[str, ...]:
        """Return the streams that go out on this connection."""
        return tuple(dict.fromkeys(self._topics.values()))

    def packed(self, text: bytes) -> bytes:
        """Return the gzip file in which a text goes out."""
        return packed(text)

    def ping(self, now_ns: int) -> str:
        """Return the next ping, whose number is the time in milliseconds.

        Raises:
            VenueError: the client left the last `MAX_UNANSWERED` unanswered.
        """
        if len(self._unanswered) == MAX_UNANSWERED:
            msg = "ping check expired"
            raise VenueError(msg)
        number = now_ns // NS_PER_MS
        self._unanswered.append(str(number) if self._notifies else number)
        return _said(op="ping", ts=str(number)) if self._notifies else _said(ping=number)

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answer to a text frame of the client, if it wants one; a refusal if the frame is malformed."""
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            request = None
        if not isinstance(request, dict):
            return (_refused("", "not json, is not json string"),)
        if self._notifies:
            return self._notify(request)
        if "ping" in request or "pong" in request:
            return self._heard(request.get("pong"))
        return (self._serve(request),)

    def _heard(self, number: Any) -> tuple[str, ...]:
        """A pong came: with the number of a ping it answers that one and those before it."""
        if number in self._unanswered:
            del self._unanswered[: self._unanswered.index(number) + 1]
        return ()

    def _serve(self, request: dict[str, Any]) -> str:
        """Answer a request for a market's topic."""
        named = _short(request.get("id"))
        verb = "sub" if "sub" in request else "unsub"
        topic = _spelled(request.get(verb))
        stream = self._carried(topic)
        if stream is None:
            return _refused(named, f"invalid topic {topic[:100]}")
        if verb == "sub":
            self._topics[topic] = stream
        elif self._topics.pop(topic, None) is None:
            return _refused(named, f"unsub with not subbed topic {topic}")
        return _said(id=named, status="ok", **{f"{verb}bed": topic})

    def _notify(self, request: dict[str, Any]) -> tuple[str, ...]:
        """Answer a request on a connection of notifications."""
        op = request.get("op")
        if op == "pong":
            return self._heard(request.get("ts"))
        if op not in ("sub", "unsub"):
            return (_said(op="error"),)
        named = {"cid": _short(request["cid"])} if "cid" in request else {}
        topic = _spelled(request.get("topic"))
        code, why = self._change(op, topic)
        return (
            _said(
                op=op,
                **named,
                topic=topic[:100],
                **{"err-code": code},
                **({"err-msg": why} if why else {}),
            ),
        )

    def _change(self, op: str, topic: str) -> tuple[int, str]:
        """Subscribe or unsubscribe; return the code of the answer, and why where it is none of success."""
        if not topic:
            return _MISSING, "Missing required parameter."
        stream = self._carried(topic)
        if stream is None:
            return _TOPIC_ERROR, "Topic error."
        if op == "sub" and topic in self._topics:
            return _REPEATED, "Repeated subscription."
        if op == "sub":
            self._topics[topic] = stream
        elif self._topics.pop(topic, None) is None:
            return _NOT_SUBSCRIBED, "Topic not subscribed."
        return 0, ""

    def _carried(self, topic: str) -> str | None:
        stream = stream_name(topic)
        return stream if stream is not None and path_of(stream) == self._path else None


def _spelled(topic: Any) -> str:
    """Return a topic with its symbol in upper case; an empty text for what is none."""
    first, _, rest = topic.partition(".") if isinstance(topic, str) else ("", "", "")
    symbol, dot, suffix = rest.partition(".")
    return f"{first}.{symbol.upper()}{dot}{suffix}" if rest else first


def _short(named: Any) -> str:
    """Return the name that a client gave its request."""
    return named[:64] if isinstance(named, str) else ""


def _refused(named: str, why: str) -> str:
    return _said(status="error", id=named, **{"err-code": "bad-request", "err-msg": why})


def _said(**answer: Any) -> str:
    return _encode(answer).decode()
