"""One client connection of Deribit or of one of its gateways: JSON-RPC requests and their answers.

Source: docs.deribit.com (JSON-RPC overview, errors, public/subscribe, session-management), read 2026-10. The answer to a subscription
lists the channels that were taken; what is no channel is left out without an error. `raw` channels are for those who log in (13778).
Heartbeats are granted and not sent: a test request needs a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.simulator.venue_contract import Channel, StreamSession

PATH: Final = "/ws/api/v2"
KINDS: Final[dict[str, Channel]] = {"book": "book", "ticker": "ticker", "trades": "trades"}
MAX_CHANNELS: Final = 500
"""Channels in one request."""
MIN_HEARTBEAT_S: Final = 10

_INTERVALS: Final = ("100ms", "agg2", "raw")

_encode: Final = msgspec.json.Encoder().encode


class _Params(msgspec.Struct):
    channel: str
    data: msgspec.Raw


class Named(msgspec.Struct):
    """A notification: what channel it is of, and its data unread."""

    params: _Params


_named: Final = msgspec.json.Decoder(Named).decode


class _Refusal(Exception):
    def __init__(self, code: int, message: str, **data: str) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, **({"data": data} if data else {})}


def stream_of_channel(channel: str) -> str | None:
    """Return the stream of a channel such as `book.BTC-PERPETUAL.100ms`; None for channels that are not served."""
    kind, _, rest = channel.partition(".")
    symbol, _, interval = rest.partition(".")
    return f"{kind}.{symbol}" if kind in KINDS and symbol and interval in _INTERVALS else None


class DeribitSession(StreamSession):
    """One client connection: what it asked for and what it is answered.

    Args:
        path: of the request.
        query: of the request; nothing is read from it.

    Raises:
        VenueError: a path on which there are no streams.
    """

    def __init__(self, path: str, query: str = "") -> None:  # noqa: ARG002 - as every venue's session is made
        if path.rstrip("/") != PATH:
            msg = f"Expected the path {PATH}, was {path[:80]!r}"
            raise VenueError(msg)
        self._asked: dict[str, str] = {}

    def streams(self) -> tuple[str, ...]:
        """Return the streams that go out on this connection."""
        return tuple(self._asked)

    def dress(self, frame: bytes) -> bytes:
        """Return a notification under the name of the channel that was asked for. What is no notification stays as it is."""
        try:
            params = _named(frame).params
        except (msgspec.DecodeError, UnicodeDecodeError):
            return frame
        channel = self._asked.get(stream_of_channel(params.channel) or "", params.channel)
        if channel == params.channel:
            return frame
        return _encode(
            {
                "jsonrpc": "2.0",
                "method": "subscription",
                "params": {"channel": channel, "data": params.data},
            }
        )

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answer to a text frame of the client; an error answer if the frame is malformed."""
        try:
            request = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return (_answer(None, error={"code": -32700, "message": "Parse error"}),)
        if not isinstance(request, dict):
            return (_answer(None, error={"code": -32600, "message": "Invalid Request"}),)
        number = request.get("id")
        try:
            return (
                _answer(number, result=self._result(request.get("method"), request.get("params"))),
            )
        except _Refusal as refusal:
            return (_answer(number, error=refusal.error),)

    def _result(self, method: Any, params: Any) -> Any:
        params = params if isinstance(params, dict) else {}
        match method:
            case "public/subscribe":
                return self._subscribe(_channels(params))
            case "public/unsubscribe":
                return self._unsubscribe(_channels(params))
            case "public/set_heartbeat":
                interval = params.get("interval")
                if type(interval) is not int or interval < MIN_HEARTBEAT_S:
                    raise _Refusal(
                        -32602,
                        "Invalid params",
                        reason=f"must be at least {MIN_HEARTBEAT_S}",
                        param="interval",
                    )
                return "ok"
            case "public/test":
                return {"version": "1.2.26"}
            case _:
                raise _Refusal(-32601, "Method not found")

    def _subscribe(self, channels: Sequence[str]) -> list[str]:
        if any(channel.endswith(".raw") for channel in channels):
            raise _Refusal(13778, "raw_subscriptions_not_available_for_unauthorized")
        taken = {
            channel: stream
            for channel in channels
            if (stream := stream_of_channel(channel)) is not None
        }
        self._asked |= {stream: channel for channel, stream in taken.items()}
        return list(taken)

    def _unsubscribe(self, channels: Sequence[str]) -> list[str]:
        left = [channel for channel in self._asked.values() if channel in channels]
        self._asked = {
            stream: channel for stream, channel in self._asked.items() if channel not in left
        }
        return left


def _channels(params: dict[str, Any]) -> list[str]:
    channels = params.get("channels")
    if (
        not isinstance(channels, list)
        or not channels
        or not all(isinstance(channel, str) for channel in channels)
    ):
        raise _Refusal(
            -32602, "Invalid params", reason="must be a list of channels", param="channels"
        )
    if len(channels) > MAX_CHANNELS:
        raise _Refusal(
            -32602, "Invalid params", reason=f"at most {MAX_CHANNELS} channels", param="channels"
        )
    return channels


def _answer(number: Any, **said: Any) -> str:
    return _encode(
        {"jsonrpc": "2.0", **({} if number is None else {"id": number}), **said}
    ).decode()
