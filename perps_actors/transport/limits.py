"""Limits of connections and requests, and which addresses may be used."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs

from perps_actors.errors import TransportError

READ_BYTES: Final = 65_536
"""The most bytes of one read of a WebSocket."""


def _http_proxy(_: Limits, __: attrs.Attribute[str | None], value: str | None) -> None:
    """Refuse proxies other than `http://host:port`: errors would show credentials."""
    if value is None:
        return
    parts = urlsplit(value)
    if parts.scheme != "http" or not parts.hostname or not parts.port or "@" in parts.netloc:
        msg = "Expected a proxy as http://host:port without credentials"
        raise TransportError(msg)


@attrs.frozen(kw_only=True)
class Limits:
    """Limits of connections and requests, and how they are made.

    Raises:
        TransportError: the proxy is not `http://host:port`.
    """

    max_message_bytes: int = 4 * 2**20
    """A WebSocket message, whether in one frame or in fragments together."""
    max_answer_bytes: int = 32 * 2**20
    """The body of an HTTP answer, as received and after decompression."""
    handshake_s: float = 10.0
    """Total time to open a connection: look-up, TCP, TLS and the WebSocket handshake."""
    request_total_s: float = 10.0
    """Total time of a request, including its wait for a worker."""
    workers: int = 4
    """The most requests under way at a time."""
    queue: int = 64
    """The most requests that wait for a worker; further ones are refused."""
    ca_file: str | Path | None = None
    """Trusted certificates in PEM; None: the system's for streams, `requests`'s for REST."""
    proxy: str | None = attrs.field(default=None, validator=_http_proxy)
    """`http://host:port`, for all but loopback; proxies of the environment are never used."""


_PRINTABLE = re.compile(r"[\x21-\x7e]+")


@attrs.frozen
class ServerAddress:
    """The server of a URL that passed every check."""

    host: str
    """Name or IP address, IPv6 without brackets."""
    port: int
    tls: bool

    @property
    def authority(self) -> str:
        """`host:port` as a CONNECT request names it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine: 127.0.0.0/8, ::1 or `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def checked_address(url: str, *, encrypted: str, plain: str) -> ServerAddress:
    """Return the server of a URL.

    Args:
        url: an absolute URL.
        encrypted: the scheme with TLS, allowed for every host.
        plain: the scheme without TLS, allowed on loopback only.

    Raises:
        TransportError: another scheme, a plain one beyond loopback, no host, credentials in the
            URL, or characters that are not allowed. The error names scheme and host only, because
            the rest may be secret.
    """
    if not _PRINTABLE.fullmatch(url):
        msg = "Expected a URL of printable ASCII characters"
        raise TransportError(msg)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        msg = "Expected a URL with a host and a valid port"
        raise TransportError(msg) from error
    if parts.scheme not in (encrypted, plain) or not parts.hostname or "@" in parts.netloc:
        found = f"{parts.scheme[:20]}://{(parts.hostname or '')[:80]}"
        msg = f"Expected {encrypted}://host without credentials, was {found}"
        raise TransportError(msg)
    tls = parts.scheme == encrypted
    if not tls and not is_loopback(parts.hostname):
        msg = (
            f"{plain}:// is allowed on loopback only, use {encrypted}:// for {parts.hostname[:80]}"
        )
        raise TransportError(msg)
    return ServerAddress(parts.hostname, port or (443 if tls else 80), tls)
