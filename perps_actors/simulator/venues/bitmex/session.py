"""One client of BitMEX's streams, from the venue's side: what it asks for, and what it is answered.

Source: bitmex.com/app/wsAPI, read 2026-10: `op` is `subscribe` or `unsubscribe`, `args` one topic or several, and each topic is
acknowledged or refused by itself. The bare text `ping` is answered with `pong`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from perps_actors.simulator.venue_contract import StreamSession
from perps_actors.venues.bitmex.schema import TABLES

_OPS: Final = ("subscribe", "unsubscribe")
_BAD_REQUEST: Final = 400


class BitmexSession(StreamSession):
    """One client connection.

    Args:
        topics: what the address asks for.
    """

    def __init__(self, topics: Iterable[str] = ()) -> None:
        self._topics = dict.fromkeys(topics)

    def streams(self) -> tuple[str, ...]:
        """Return the topics that go out on this connection."""
        return tuple(self._topics)

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answers to a text frame of the client, one a topic."""
        if text == "ping":
            return ("pong",)
        try:
            request = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            return (_refusal(f"Invalid JSON: {error}", None),)
        op = request.get("op") if isinstance(request, dict) else None
        if op not in _OPS:
            return (_refusal(f"Unknown operation: {str(op)[:40]}", request),)
        args = request.get("args")
        topics = [args] if isinstance(args, str) else args
        if (
            not isinstance(topics, list)
            or not topics
            or not all(isinstance(topic, str) for topic in topics)
        ):
            return (_refusal("Expected args to be a topic or a list of topics", request),)
        return tuple(
            self._subscribe(topic, request)
            if op == "subscribe"
            else self._unsubscribe(topic, request)
            for topic in topics
        )

    def _subscribe(self, topic: str, request: Any) -> str:
        table, _, symbol = topic.partition(":")
        if table not in TABLES:
            return _refusal(f"Unknown table: {table[:40]}", request)
        if not symbol:
            return _refusal(f"Expected a topic like {table}:XBTUSD, was {topic}", request)
        if topic in self._topics:
            return _refusal(f"You are already subscribed to this topic: {topic[:80]}", request)
        self._topics[topic] = None
        return _encode({"success": True, "subscribe": topic, "request": request})

    def _unsubscribe(self, topic: str, request: Any) -> str:
        if topic not in self._topics:
            return _refusal(f"Not subscribed to this topic: {topic[:80]}", request)
        del self._topics[topic]
        return _encode({"success": True, "unsubscribe": topic, "request": request})


def _refusal(error: str, request: Any) -> str:
    return _encode({"status": _BAD_REQUEST, "error": error, "meta": {}, "request": request})


def _encode(answer: dict[str, Any]) -> str:
    return msgspec.json.encode(answer).decode()
