"""Messages that carry changed fields only: what they left alone keeps its earlier value, and its earlier time."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from msgspec.structs import replace

from perps_actors.market.events import Earlier, Funding, Touch, VenueMark

Said = TypeVar("Said", Touch, VenueMark, Funding)


def completed(said: Said, before: Said | None, left_alone: Collection[str]) -> Said:
    """Return `said` with the fields that its message left alone as they were `before`, each marked with its time of then.

    Args:
        said: what the message carried; None in the other fields.
        before: the event completed last, None if there is none.
        left_alone: names of the fields that the message did not carry, which is not the same as fields it said to be empty.
    """
    if before is None or not left_alone:
        return said
    of_then = {field.field: field for field in before.earlier}
    values = {name: value for name in left_alone if (value := getattr(before, name)) is not None}
    earlier = tuple(of_then.get(name) or Earlier(name, before.venue_time_ns, before.received_ns) for name in values)
    return replace(said, earlier=earlier, **values)
