"""HTX's frames: every one is a gzip file of its own, and recordings may hold them unpacked.

Source: huobiapi.github.io/docs/usdt_swap/v1/en ("WebSocket Heartbeat and Connection"), read 2026-11.
"""

from __future__ import annotations

import gzip
import zlib
from typing import Final

from perps_actors.transport.body import ACCEPTED, Body

MAX_FRAME_BYTES: Final = 4 * 2**20
"""Of an unpacked frame; a book of 150 levels a side has 8,000."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = zlib.MAX_WBITS | 16


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


def packed(text: bytes) -> bytes:
    """Return the frame that holds a text; what is packed already stays as it is."""
    return text if text.startswith(_GZIP_MAGIC) else gzip.compress(text, compresslevel=1, mtime=0)


def beginning(data: bytes, most: int) -> bytes:
    """Return the first `most` bytes of a frame's text, which may be damaged behind them; nothing of a frame that begins damaged."""
    if not data.startswith(_GZIP_MAGIC):
        return data[:most]
    try:
        return zlib.decompressobj(_GZIP).decompress(data, most)
    except zlib.error:
        return b""
