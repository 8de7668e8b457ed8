"""One client of Gate.io's futures streams, from the venue's side: what it asks for, and what it is answered.

Source: gate.com/docs/developers/futures/ws/en, read 2026-11. A request names one channel; a contract that does not exist is
acknowledged like one that does. Answers carry the time of their request, for nothing here reads a clock, and its number if it has one.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.simulator.venue_contract import StreamSession

PATH: Final = "/v4/ws/usdt"
BOOKS_PUSHED: Final = "futures.obu"
BOOKS_CHANGED: Final = "futures.order_book_update"

_CHANNELS: Final = (
    BOOKS_PUSHED,
    BOOKS_CHANGED,
    "futures.book_ticker",
    "futures.trades",
    "futures.tickers",
    "futures.public_liquidates",
)
_BAD_REQUEST, _BAD_ARGUMENT = 1, 2
_PUSHED_LEVELS: Final = ("50", "400")
_PACES: Final = ("20ms", "100ms")


class _Request(msgspec.Struct):
    channel: str
    time: int = 0
    event: str = ""
    payload: list[str] = []
    id: int | None = None


_request = msgspec.json.Decoder(_Request).decode


class GateioSession(StreamSession):
    """One client connection. A stream is named by channel and contract, whatever levels and pace are asked for.

    Args:
        path: of the request.
        query: of the request; says nothing.

    Raises:
        VenueError: a path on which there are no streams.
    """

    def __init__(self, path: str, query: str = "") -> None:  # noqa: ARG002 - as every venue's side has it
        if path.rstrip("/") != PATH:
            msg = f"Expected the path {PATH}, was {path[:80]!r}"
            raise VenueError(msg)
        self._streams: dict[str, None] = {}

    def streams(self) -> tuple[str, ...]:
        """Return the streams that go out on this connection."""
        return tuple(self._streams)

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answer to a text frame of the client; an error answer if the frame is malformed."""
        try:
            request = _request(text)
        except msgspec.DecodeError as error:
            return (
                _answer(
                    _Request(""),
                    error={"code": _BAD_REQUEST, "message": f"Invalid request body: {error}"},
                ),
            )
        if request.channel == "futures.ping":
            request.channel = "futures.pong"
            return (_answer(request),)
        streams, problem = _asked(request)
        if problem:
            return (
                _answer(
                    request,
                    error={"code": _BAD_ARGUMENT, "message": problem},
                    result={"status": "fail"},
                ),
            )
        for stream in streams:
            if request.event == "subscribe":
                self._streams[stream] = None
            else:
                self._streams.pop(stream, None)
        return (_answer(request, result={"status": "success"}),)


def _asked(request: _Request) -> tuple[list[str], str]:
    """Return the streams that a request names, and what is wrong with it."""
    channel, payload = request.channel, request.payload
    if channel not in _CHANNELS:
        return [], f"unknown channel {channel[:40]}"
    if request.event not in ("subscribe", "unsubscribe"):
        return [], f"unknown event {request.event[:40]}"
    if channel == BOOKS_PUSHED:
        named = [name.split(".") for name in payload]
        wrong = any(
            len(parts) != len("ocl") or parts[0] != "ob" or parts[2] not in _PUSHED_LEVELS
            for parts in named
        )
        contracts = [] if wrong else [parts[1] for parts in named]
    elif channel == BOOKS_CHANGED:
        contracts = payload[:1] if payload[1:2] and payload[1] in _PACES else []
    else:
        contracts = payload
    return [
        f"{channel}:{contract}" for contract in contracts
    ], "" if contracts else f"invalid payload {str(payload)[:80]}"


def _answer(request: _Request, error: Any = None, result: Any = None) -> str:
    told: dict[str, Any] = {
        "time": request.time,
        "time_ms": request.time * 1000,
        "channel": request.channel,
        "event": request.event,
    }
    told |= {"id": request.id} if request.id is not None else {}
    return msgspec.json.encode(
        {**told, "payload": request.payload, "error": error, "result": result}
    ).decode()
