"""One client of OKX's streams, from the venue's side: what it asks for, and what it is answered.

Source: www.okx.com/docs-v5/en (overview, WebSocket), read 2026-11: each channel of a request is acknowledged or refused by itself, with
60018 where it does not exist and 60012 where the request cannot be read. The bare text `ping` is answered with `pong`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.simulator.venue_contract import StreamSession
from perps_actors.venues.okx.schema import CHANNELS, LIQUIDATIONS

PATH: Final = "/ws/v5/public"

_KEY_OF: Final = {channel: "instId" for channels in CHANNELS.values() for channel in channels} | {
    LIQUIDATIONS[0]: LIQUIDATIONS[1]
}

_encode = msgspec.json.Encoder().encode


class OkxSession(StreamSession):
    """One client connection.

    Args:
        path: of the request.
        query: of the request; means nothing here.

    Raises:
        VenueError: a path on which there are no streams.
    """

    def __init__(self, path: str, query: str = "") -> None:  # noqa: ARG002 - as every venue's session has it
        if path != PATH:
            msg = f"Expected the path {PATH}, was {path[:80]!r}"
            raise VenueError(msg)
        self._streams: dict[str, None] = {}

    def streams(self) -> tuple[str, ...]:
        """Return the streams that go out on this connection."""
        return tuple(self._streams)

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answers to a text frame of the client, one a channel."""
        if text == "ping":
            return ("pong",)
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            request = None
        op, args = (
            (request.get("op"), request.get("args")) if isinstance(request, dict) else (None, None)
        )
        if op not in ("subscribe", "unsubscribe") or not isinstance(args, list) or not args:
            return (_error("60012", f"Invalid request: {text[:80]}"),)
        return tuple(self._change(op, arg) for arg in args)

    def _change(self, op: str, arg: Any) -> str:
        channel = arg.get("channel") if isinstance(arg, dict) else None
        name = (
            arg.get(_KEY_OF[channel]) if isinstance(channel, str) and channel in _KEY_OF else None
        )
        if not isinstance(channel, str) or not isinstance(name, str) or not name:
            what = _encode(arg).decode()[:80]
            return _error(
                "60018",
                f"Wrong URL or channel:{what} doesn't exist. Please use the correct URL, channel and parameters.",
            )
        stream = stream_name(channel, name)
        if op == "subscribe":
            self._streams[stream] = None
        else:
            self._streams.pop(stream, None)
        return _encode({"event": op, "arg": arg, "connId": "simulated"}).decode()


def stream_name(channel: str, name: str) -> str:
    """Return what a channel of an instrument, or of whatever else it is chosen by, is called here."""
    return f"{channel}.{name}"


def _error(code: str, msg: str) -> str:
    return _encode({"event": "error", "code": code, "msg": msg, "connId": "simulated"}).decode()
