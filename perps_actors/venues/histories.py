"""What is asked of the past, page by page, and read from it: candles and fundings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from perps_actors.errors import SettingsError, VenueError
from perps_actors.market.events import MarketEvent
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.answers import AnswerReader
from perps_actors.venues.fields import NS_PER_S
from perps_actors.venues.rows import read_rows

SHORTEST_FUNDING_S: Final = 3_600
"""No venue settles funding more often."""


def spelled_interval(intervals: Mapping[int, str], interval_s: int, venue: str) -> str:
    """Return how a venue spells the length of a candle.

    Raises:
        SettingsError: it has none of that length.
    """
    spelled = intervals.get(interval_s)
    if spelled is None:
        why = f"expected seconds of {', '.join(map(str, intervals))}"
        raise SettingsError(field="interval_s", value=interval_s, why=why, place=venue)
    return spelled


def pages(since_ns: int, until_ns: int, step_s: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield spans of at most `most` steps that cover `since_ns` to before `until_ns`, oldest first, as (from, before).

    They begin and end where steps do, in time since 1970, so that each candle that opens in the span is in one of them.
    """
    step_ns = step_s * NS_PER_S
    page_ns = step_ns * most
    last = -(-until_ns // step_ns) * step_ns
    for start in range(-(-since_ns // step_ns) * step_ns, last, page_ns):
        yield start, min(start + page_ns, last)


def funding_pages(since_ns: int, until_ns: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield spans in each of which at most `most` fundings are paid, oldest first, as (from, before)."""
    page_ns = SHORTEST_FUNDING_S * NS_PER_S * most
    for start in range(since_ns, until_ns, page_ns):
        yield start, min(start + page_ns, until_ns)


def moments(page: tuple[int, int], unit_ns: int) -> tuple[int, int]:
    """Return the first and the last whole unit of time in a span, for venues to which both ends of a span belong."""
    start_ns, end_ns = page
    return -(-start_ns // unit_ns), -(-end_ns // unit_ns) - 1


def history_reader(
    venue: str,
    rows_of: Callable[[bytes], Sequence[msgspec.Raw]],
    record: Any,
    reading: Callable[[InstrumentId, Any, HttpRequest, int], MarketEvent],
) -> AnswerReader:
    """Return what reads answers whose rows are all of the instrument that was asked for.

    Args:
        venue: name of the venue.
        rows_of: finds the rows in a body; may raise.
        record: the type of a row.
        reading: what a row says in answer to a request, received at a time; may raise.
    """
    decode = msgspec.json.Decoder(record).decode

    def read(request: HttpRequest, body: bytes, received_ns: int) -> Sequence[Any]:
        return read_rows(
            venue,
            rows_of(body),
            decode,
            lambda instrument, row: [reading(instrument, row, request, received_ns)],
            symbol=request.symbol or "",
        )

    return read


def interval_of(request: HttpRequest) -> int:
    """Return the length of the candles that a request asks for, in seconds.

    Raises:
        VenueError: its address names none that is known.
    """
    if request.interval_s is None:
        msg = f"Expected a request for candles of a known length, was {request.url[:100]!r}"
        raise VenueError(msg)
    return request.interval_s
