"""What the outside may cost: sizes, times and numbers beyond which an exchange is given up."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs

from perps_actors.errors import TransportError

READ_BYTES: Final = 65_536
"""What one read of a WebSocket takes at most."""


def _http_proxy(_: Limits, __: attrs.Attribute[str | None], value: str | None) -> None:
    """Refuse proxies other than `http://host:port`: credentials would be seen in errors, other kinds are not spoken here."""
    if value is None:
        return
    parts = urlsplit(value)
    if parts.scheme != "http" or not parts.hostname or not parts.port or "@" in parts.netloc:
        msg = "Expected a proxy as http://host:port without credentials"
        raise TransportError(msg)


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds of connections and requests, and how the outside is reached.

    Raises:
        TransportError: the proxy is no `http://host:port`.
    """

    max_message_bytes: int = 4 * 2**20
    """A WebSocket message, whether in one frame or in fragments together."""
    max_answer_bytes: int = 32 * 2**20
    """The body of an HTTP answer, as received and after decompression."""
    handshake_s: float = 10.0
    """From the start of a connection to its being open: address look-up, TCP, TLS and the WebSocket handshake together."""
    request_total_s: float = 10.0
    """From `request` to its answer, waiting for a worker included."""
    workers: int = 4
    """Exchanges at the same time."""
    queue: int = 64
    """Requests that may wait for a worker; one more is refused at once."""
    ca_file: str | Path | None = None
    """Certificates that are trusted, in PEM; None: those of the system (streams) or of `requests` (requests)."""
    proxy: str | None = attrs.field(default=None, validator=_http_proxy)
    """`http://host:port` through which all but loopback `ws://` and `http://` goes; the environment's are never used."""
