"""Addresses that may be connected to: encrypted, or on this machine."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import attrs

from perps_actors.errors import TransportError

_PRINTABLE = re.compile(r"[\x21-\x7e]+")


@attrs.frozen
class ServerAddress:
    """Where to connect, taken from a URL that passed every check."""

    host: str
    """Name or number, IPv6 without brackets."""
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
    """Return where a URL leads.

    Args:
        url: an absolute URL.
        encrypted: the scheme over TLS, good for every host.
        plain: the scheme without TLS, good on loopback only.

    Raises:
        TransportError: another scheme, a plain one beyond loopback, no host, credentials in the URL, or characters no URL has.
            The error names scheme and host only: a query may carry what nobody should read.
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
        msg = f"Expected {encrypted}://host without credentials, was {parts.scheme[:20]}://{(parts.hostname or '')[:80]}"
        raise TransportError(msg)
    tls = parts.scheme == encrypted
    if not tls and not is_loopback(parts.hostname):
        msg = (
            f"{plain}:// is allowed on loopback only, use {encrypted}:// for {parts.hostname[:80]}"
        )
        raise TransportError(msg)
    return ServerAddress(parts.hostname, port or (443 if tls else 80), tls)
