"""Reading a moment in time that an operator typed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from perps_actors.errors import SettingsError

_NANOSECONDS = re.compile(r"-?[0-9]{1,20}")
# The standard library knows six digits of a second; the journal keeps nine.
_FRACTION = re.compile(r"(?<=[T ][0-9]{2}:[0-9]{2}:[0-9]{2})[.,]([0-9]+)(?![0-9.,])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_since(text: str, *, place: str = "command line") -> int:
    """Return the wall time that `text` names, in nanoseconds since 1970.

    Args:
        text: digits alone are nanoseconds since 1970; else a date or time of ISO 8601, UTC where it names no offset; digits of a
            second beyond the ninth are cut.
        place: where it came from, for the error.

    Raises:
        SettingsError: it is neither.
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
