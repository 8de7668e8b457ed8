"""HTX's frames: every one is a gzip file of its own, and recordings may hold them unpacked.

Source: huobiapi.github.io/docs/usdt_swap/v1/en ("WebSocket Heartbeat and Connection"), read 2026-11.
"""

from __future__ import annotations

from typing import Final

from perps_actors.transport.body import ACCEPTED, Body

MAX_FRAME_BYTES: Final = 4 * 2**20
"""Of an unpacked frame; a book of 150 levels a side has 8,000."""

_GZIP_MAGIC: Final = b"\x1f\x8b"


def unpacked(data: bytes) -> bytes:
    """Return the text of a frame.

    Raises:
        TransportError: no gzip, cut short, or longer than `MAX_FRAME_BYTES`.
    """
    if not data.startswith(_GZIP_MAGIC):
        return data
    body = Body(ACCEPTED, MAX_FRAME_BYTES)
    body.add(data)
    return body.whole()
