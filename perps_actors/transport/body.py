"""The body of an HTTP answer as it comes in, within its limit also where it is compressed. Sans-I/O."""

from __future__ import annotations

import zlib

from perps_actors.errors import TransportError

ACCEPTED = "gzip"
"""The encoding that is asked for; any other but `identity` is refused."""

_GZIP = zlib.MAX_WBITS | 16


class Body:
    """Collects a body. Content is decompressed here, because urllib3 can be kept busy for ever by compressed nothing.

    Args:
        encoding: the answer's Content-Encoding.
        limit: bytes it may have, as received and decompressed.

    Raises:
        TransportError: an encoding that was not asked for.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", ACCEPTED):
            msg = f"the answer is encoded as {encoding[:40]!r}, which was not asked for"
            raise TransportError(msg)
        self._gzip = zlib.decompressobj(_GZIP) if encoding == ACCEPTED else None
        self._limit = limit
        self._received = 0
        self._content = bytearray()

    @property
    def room(self) -> int:
        """How many bytes more may be received; a reader who asks for one beyond them sees in time that there are too many."""
        return self._limit - self._received

    def add(self, data: bytes) -> None:
        """Take the next bytes as received.

        Raises:
            TransportError: longer than the limit, or not compressed as it says.
        """
        self._received += len(data)
        if self._gzip is None:
            self._content += data
        else:
            self._inflate(self._gzip, data)
        if max(self._received, len(self._content)) > self._limit:
            msg = f"the answer is longer than {self._limit} bytes"
            raise TransportError(msg)

    def _inflate(self, gzip: zlib._Decompress, data: bytes) -> None:
        # One byte more than may come shows that there is too much, without making all of it.
        room = self._limit + 1 - len(self._content)
        try:
            self._content += gzip.decompress(data, room)
        except zlib.error as error:
            msg = f"the answer is not gzip: {error}"
            raise TransportError(msg) from error
        if gzip.unused_data:
            msg = "the answer goes on after the end of its compression"
            raise TransportError(msg)

    def whole(self) -> bytes:
        """Return the content, when all has come.

        Raises:
            TransportError: its compression is cut short.
        """
        if self._gzip is not None and self._received and not self._gzip.eof:
            msg = "the answer ends in the middle of its compression"
            raise TransportError(msg)
        return bytes(self._content)
