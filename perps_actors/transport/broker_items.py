"""From what a host's broker gives to JSON, as a venue would have sent it. What cannot be spelled is told, never raised at the host."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

import msgspec

from perps_actors.errors import TransportError

QUOTE_FIELDS: Final = (
    "best_bid",
    "bid",
    "best_ask",
    "ask",
    "last",
    "last_price",
    "price",
    "time",
    "timestamp",
    "ts",
)
"""Attributes that are read of a quote which is no dict."""

# Types of other libraries (numbers of numpy, times of pandas) say best as text what they are.
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


def frame_of(item: Any, max_bytes: int) -> bytes:
    """Return a stream's item as a frame; of what is no dict, cannot be encoded or is too large, a text that no adapter takes."""
    try:
        return _object(item, max_bytes)
    except TransportError as error:
        return _encode(str(error).encode("ascii", "backslashreplace").decode())


def quote_body(quote: Any, max_bytes: int) -> bytes:
    """Return a quote (a dict, or an object with some of `QUOTE_FIELDS`) as the body of an answer.

    Raises:
        TransportError: it is neither, cannot be encoded or is too large.
    """
    if isinstance(quote, Mapping):
        return _object(quote, max_bytes)
    fields = {
        name: value for name in QUOTE_FIELDS if (value := getattr(quote, name, None)) is not None
    }
    if not fields:
        msg = f"Expected a quote, was {_kind(quote)}"
        raise TransportError(msg)
    return _object(fields, max_bytes)


def described(error: BaseException) -> str:
    """Return type and text of what the host's code raised."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an exception of the host's that cannot even be spelled
        return type(error).__name__


def _object(item: Any, max_bytes: int) -> bytes:
    if not isinstance(item, Mapping):
        msg = f"Expected a dict, was {_kind(item)}"
        raise TransportError(msg)
    try:
        data = _encode(item if isinstance(item, dict) else dict(item))
        # JSON has no NaN: it would be spelled null, as what is missing is.
        if b"null" in data and any(map(_is_no_number, item.values())):
            data = _encode(
                {
                    name: str(value) if _is_no_number(value) else value
                    for name, value in item.items()
                }
            )
    except Exception as error:
        msg = f"Expected a dict that can be encoded: {described(error)}"
        raise TransportError(msg) from error
    if len(data) > max_bytes:
        msg = f"Expected a dict of at most {max_bytes} bytes, was {len(data)}"
        raise TransportError(msg)
    return data


def _is_no_number(value: object) -> bool:
    return isinstance(value, float) and not isfinite(value)


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
