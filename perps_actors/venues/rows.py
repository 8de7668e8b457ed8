"""REST answers that are lists of rows: read one by one, so that a bad row is a complaint and its neighbours are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import Complaint, Outcome
from perps_actors.venues.symbols import check_symbol

MAX_ROWS: Final = 5_000
"""Rows read of one answer."""


def read_rows(
    venue: str,
    rows: Sequence[msgspec.Raw],
    decode: Callable[[msgspec.Raw], Any],
    events: Callable[[InstrumentId, Any], Sequence[Outcome]],
) -> list[Outcome]:
    """Return what the rows say.

    Args:
        venue: name of the venue.
        rows: as they stand in the answer; those beyond `MAX_ROWS` are one complaint.
        decode: makes a record with a `symbol` of a row, or raises.
        events: what a record says of its instrument; may raise.
    """
    outcomes: list[Outcome] = []
    for raw in rows[:MAX_ROWS]:
        symbol = None
        try:
            row = decode(raw)
            symbol = row.symbol
            outcomes += events(InstrumentId(venue, check_symbol(symbol)), row)
        except Exception as error:  # noqa: BLE001 - one bad row is a complaint, and its neighbours are read
            outcomes.append(Complaint(f"{error}: in row {bytes(raw)[:80]!r}", symbol))
    if len(rows) > MAX_ROWS:
        outcomes.append(Complaint(f"Expected at most {MAX_ROWS} rows, was {len(rows)}"))
    return outcomes
