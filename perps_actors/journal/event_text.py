"""Events as lines of text, JSON or aligned, and times that an operator types."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from perps_actors.errors import SettingsError
from perps_actors.messages.records import Event

_NS_PER_S = 1_000_000_000
_encode = msgspec.json.Encoder().encode


def json_line(sequence: int, event: Event) -> str:
    """Return an event as a JSON object: `seq`, the common fields, and its own fields in `data`."""
    fields = {"seq": sequence} | {name: getattr(event, name) for name in event.__struct_fields__}
    return _encode(fields | {"data": dict(event.data)}).decode()


def plain_line(sequence: int, event: Event) -> str:
    """Return an aligned line: time of receipt (UTC), sequence, kind, symbol, source, data.

    Text that is not printable, or has spaces, is shown as JSON, so that text from outside cannot
    move a terminal's cursor.
    """
    data = " ".join(f"{_shown(name)}={_shown(value)}" for name, value in event.data)
    subject = event.venue if event.symbol is None else event.symbol
    source = event.source or "-"
    head = f"{_utc(event.received_ns)} {sequence:>9} {_shown(event.kind):<24}"
    return f"{head} {_shown(subject):<14} {source:<7}{data}".rstrip()


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


_NANOSECONDS = re.compile(r"-?[0-9]{1,20}")
# datetime reads six digits of a second, while the journal keeps nine.
_FRACTION = re.compile(r"(?<=[T ][0-9]{2}:[0-9]{2}:[0-9]{2})[.,]([0-9]+)(?![0-9.,])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_since(text: str, *, place: str = "command line") -> int:
    """Return a wall time in nanoseconds since 1970.

    Args:
        text: nanoseconds since 1970 (digits only), or an ISO 8601 date or time, in UTC if it names
            no offset. Digits of a second beyond the ninth are cut.
        place: the option or call that gave the text, for the error.

    Raises:
        SettingsError: the text is neither.
    """
    if _NANOSECONDS.fullmatch(text):
        return int(text)
    found = _FRACTION.search(text)
    fraction = found[1] if found else ""
    try:
        moment = datetime.fromisoformat(_FRACTION.sub("", text))
    except ValueError as error:
        why = "Expected a time like 2025-01-31T12:00:00Z or nanoseconds since 1970"
        raise SettingsError(field="--since", value=text, why=why, place=place) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000 + int(fraction[:9].ljust(9, "0"))
