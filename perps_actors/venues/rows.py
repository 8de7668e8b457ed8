"""REST answers that are lists of rows: read one by one, so that a bad row is a complaint and its neighbours are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import Complaint, Outcome
from perps_actors.venues.symbols import check_symbol

MAX_ROWS: Final = 50_000
"""Rows read of one answer; the longest are histories of hourly funding over years."""


def read_rows(
    venue: str,
    rows: Sequence[msgspec.Raw],
    decode: Callable[[msgspec.Raw], Any],
    events: Callable[[InstrumentId, Any], Sequence[Outcome]],
    symbol: str | None = None,
) -> list[Outcome]:
    """Return what the rows say.

    Args:
        venue: name of the venue.
        rows: as they stand in the answer; those beyond `MAX_ROWS` are one complaint.
        decode: makes a record of a row, or raises.
        events: what a record says of its instrument; may raise.
        symbol: whose rows they are; None: each record has a `symbol` of its own.
    """
    outcomes: list[Outcome] = []
    for raw in rows[:MAX_ROWS]:
        named = symbol
        try:
            row = decode(raw)
            named = row.symbol if symbol is None else symbol
            outcomes += events(InstrumentId(venue, check_symbol(named)), row)
        except Exception as error:  # noqa: BLE001 - one bad row is a complaint, and its neighbours are read
            outcomes.append(Complaint(f"{error}: in row {bytes(raw)[:80]!r}", named))
    if len(rows) > MAX_ROWS:
        outcomes.append(Complaint(f"Expected at most {MAX_ROWS} rows, was {len(rows)}"))
    return outcomes
