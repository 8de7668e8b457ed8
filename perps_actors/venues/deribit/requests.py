"""The JSON-RPC requests that a Deribit stream sends, and which of them were granted.

Source: docs.deribit.com (JSON-RPC overview, public/subscribe), read 2026-10: a request names its number, and its answer repeats it. The
answer to a subscription lists the channels that were taken; the others are left out without an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

MAX_AWAITED: Final = 1_000
"""Requests whose answer is still expected; beyond that the oldest is forgotten."""


def request(number: int, method: str, params: Mapping[str, Any]) -> str:
    """Return the text of a request."""
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    ).decode()


class Requests:
    """Numbers requests and remembers what the subscriptions among them asked for."""

    def __init__(self) -> None:
        self._number = 0
        self._awaited: dict[int, tuple[str, ...]] = {}

    def make(self, method: str, params: Mapping[str, Any]) -> str:
        """Return a request with a number of its own."""
        self._number += 1
        return request(self._number, method, params)

    def subscribe(self, channels: Sequence[str]) -> str:
        """Return a request for these channels, whose answer is expected to grant them."""
        text = self.make("public/subscribe", {"channels": channels})
        self._awaited[self._number] = tuple(channels)
        if len(self._awaited) > MAX_AWAITED:
            del self._awaited[next(iter(self._awaited))]
        return text

    def refused(self, number: int | str | None, granted: Sequence[str]) -> tuple[str, ...]:
        """Return the channels that an answer does not grant."""
        asked = self._awaited.pop(number, ()) if isinstance(number, int) else ()
        return tuple(channel for channel in asked if channel not in granted)
