"""Events as lines of text: JSON for programs, aligned for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from perps_actors.messages.records import Event

_NS_PER_S = 1_000_000_000
_encode = msgspec.json.Encoder().encode


def json_line(sequence: int, event: Event) -> str:
    """Return an event as one JSON object: its sequence number `seq`, the common fields, and its own fields under `data`."""
    fields = {"seq": sequence} | {name: getattr(event, name) for name in event.__struct_fields__}
    return _encode(fields | {"data": dict(event.data)}).decode()


def plain_line(sequence: int, event: Event) -> str:
    """Return an event as a line to read: time of receipt (UTC), sequence number, kind, symbol, source, data.

    Nothing in it can move a terminal's cursor: text from outside that is not printable, or has spaces, is spelled as JSON.
    """
    data = " ".join(f"{_shown(name)}={_shown(value)}" for name, value in event.data)
    subject = event.venue if event.symbol is None else event.symbol
    source = event.source or "-"
    return f"{_utc(event.received_ns)} {sequence:>9} {_shown(event.kind):<24} {_shown(subject):<14} {source:<7}{data}".rstrip()


def _utc(ns: int) -> str:
    seconds, rest = divmod(ns, _NS_PER_S)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{ns:<30}"
    return f"{moment.replace(tzinfo=None).isoformat()}.{rest:09}Z"


def _shown(value: Any) -> str:
    if isinstance(value, str) and value.isprintable() and value and " " not in value:
        return value
    return "".join(
        char if " " <= char <= "~" else _escaped(char) for char in _encode(value).decode()
    )


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
