"""Lists of instruments: what is no list is an error, a row that cannot be read is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.instrument import Instrument


def read_listing(
    body: bytes, rows_of: Callable[[bytes], Sequence[msgspec.Raw]], instrument_of: Callable[[msgspec.Raw], Instrument | None]
) -> tuple[Instrument, ...]:
    """Return the instruments in an answer.

    Args:
        body: the answer.
        rows_of: finds the rows in it.
        instrument_of: reads a row; None for what is no instrument of ours.

    Raises:
        VenueError: the answer is no such list.
    """
    try:
        rows = rows_of(body)
    except Exception as error:
        msg = f"Expected a list of instruments, was {body[:60]!r}: {error}"
        raise VenueError(msg) from error
    found = (_read(row, instrument_of) for row in rows)
    return tuple(instrument for instrument in found if instrument is not None)


def _read(row: msgspec.Raw, instrument_of: Callable[[msgspec.Raw], Instrument | None]) -> Instrument | None:
    try:
        return instrument_of(row)
    except (msgspec.MsgspecError, MarketError, VenueError, ValueError, ArithmeticError, OSError, RecursionError):
        return None
