"""Addresses of REST requests, read the same way at every venue."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit


def parts_of(url: str) -> tuple[str, dict[str, str]]:
    """Return path and parameters of an address, of each parameter the first that is not empty; nothing of what is no address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", {}
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}
