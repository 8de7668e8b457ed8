"""Addresses of REST requests, read the same way at every venue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from perps_actors.errors import MarketError, SettingsError, VenueError
from perps_actors.market.book import check_levels
from perps_actors.market.events import MarketEvent
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, InvalidInput, Outcome
from perps_actors.venues.toolkit.fields import NS_PER_S, check_symbol
from perps_actors.venues.toolkit.stream_book import StreamBook

# merged docstring:
# """REST answers that are lists of rows: read one by one, so that a bad row is a complaint and its neighbours are read."""
# merged docstring:
# """Lists of instruments: what is no list is an error, a row that cannot be read is left out."""
# merged docstring:
# """How REST answers are read, alike at every venue: the right reader, the status, and a complaint for what is no such answer."""
# merged docstring:
# """What is asked of the past, page by page, and read from it: candles and fundings."""


def parts_of(url: str) -> tuple[str, dict[str, str]]:
    """Return path and parameters of an address, of each parameter the first that is not empty; nothing of what is no address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", {}
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


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
            outcomes.append(InvalidInput(f"{error}: in row {bytes(raw)[:80]!r}", named))
    if len(rows) > MAX_ROWS:
        outcomes.append(InvalidInput(f"Expected at most {MAX_ROWS} rows, was {len(rows)}"))
    return outcomes


def read_listing(
    body: bytes,
    rows_of: Callable[[bytes], Sequence[msgspec.Raw]],
    instrument_of: Callable[[msgspec.Raw], Instrument | None],
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


def _read(
    row: msgspec.Raw, instrument_of: Callable[[msgspec.Raw], Instrument | None]
) -> Instrument | None:
    try:
        return instrument_of(row)
    except (
        msgspec.MsgspecError,
        MarketError,
        VenueError,
        ValueError,
        ArithmeticError,
        OSError,
        RecursionError,
    ):
        return None


AnswerReader = Callable[[HttpRequest, bytes, int], Sequence[Outcome]]
"""What the body of an answer to a request says, received at a time; may raise on what is no such answer."""


def read_answer(
    readers: Mapping[str, AnswerReader],
    request: HttpRequest,
    status: int | None,
    body: bytes,
    received_ns: int,
) -> Sequence[Outcome]:
    """Return what an answer says, read by the reader of its request's purpose; nothing where there is none."""
    reader = readers.get(request.purpose)
    if reader is None:
        return ()
    trouble = status_trouble(request, status)
    if trouble is not None:
        return (trouble,)
    try:
        return reader(request, body, received_ns)
    except Exception as error:  # noqa: BLE001 - whatever hostile text does to a decoder is a complaint
        return (
            InvalidInput(
                f"Expected an answer for {request.purpose}: {error}: in {body[:60]!r}",
                request.symbol,
            ),
        )


def reader_of(
    venue: str,
    rows_of: Callable[[bytes], Sequence[msgspec.Raw]],
    record: Any,
    events: Callable[[InstrumentId, Any, int], Sequence[Outcome]],
) -> AnswerReader:
    """Return what reads answers that are rows, each naming its symbol.

    Args:
        venue: name of the venue.
        rows_of: finds the rows in a body; may raise.
        record: the type of a row, with a field `symbol`.
        events: what a row says of its instrument, received at a time; may raise.
    """
    decode = msgspec.json.Decoder(record).decode

    def read(_: HttpRequest, body: bytes, received_ns: int) -> Sequence[Outcome]:
        return read_rows(
            venue,
            rows_of(body),
            decode,
            lambda instrument, row: events(instrument, row, received_ns),
        )

    return read


def read_book(body: bytes, snapshot_of: Callable[[bytes], BookSnapshot]) -> BookSnapshot:
    """Return the book in an answer, its levels checked.

    Raises:
        VenueError: the answer is none, or has a level that no book can have.
    """
    try:
        book = snapshot_of(body)
        check_levels(book.bids, book.asks)
    except Exception as error:
        msg = f"Expected a book, was {body[:60]!r}: {error}"
        raise VenueError(msg) from error
    return book


def book_reader(venue: str, snapshot_of: Callable[[bytes], BookSnapshot]) -> AnswerReader:
    """Return what reads books of the symbol that was asked for, as the top of each."""

    def read(request: HttpRequest, body: bytes, received_ns: int) -> Sequence[Outcome]:
        told = read_book(body, snapshot_of)
        symbol = told.symbol or request.symbol or ""
        if request.symbol not in (None, symbol):
            msg = f"Expected the book of {request.symbol}, was of {symbol[:50]!r}"
            raise VenueError(msg)
        book = StreamBook(InstrumentId(venue, check_symbol(symbol)))
        return book.snapshot(
            told.bids,
            told.asks,
            None,
            sequence=told.sequence,
            venue_time_ns=told.venue_time_ns,
            received_ns=received_ns,
        )

    return read


class Answers:
    """The half of a `RestAdapter` that reads, alike at every venue.

    Args:
        readers: by the purpose of a request.
        book: finds the book in an answer to `depth`; may raise.
        listing: finds the rows in a list of instruments; may raise.
        instrument: reads such a row; may raise, None for what is no instrument of ours.
    """

    def __init__(
        self,
        *,
        readers: Mapping[str, AnswerReader],
        book: Callable[[bytes], BookSnapshot],
        listing: Callable[[bytes], Sequence[msgspec.Raw]],
        instrument: Callable[[msgspec.Raw], Instrument | None],
    ) -> None:
        self._readers = readers
        self._book = book
        self._listing = listing
        self._instrument = instrument

    def read(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the market events in an answer: all rows of a bulk answer, each bad row a complaint of its own."""
        return read_answer(self._readers, request, status, body, received_ns)

    def read_book(self, body: bytes) -> BookSnapshot:
        """Return the book in an answer to `depth`.

        Raises:
            VenueError: the answer is none.
        """
        return read_book(body, self._book)

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed instruments; a row that cannot be read is left out.

        Raises:
            VenueError: the answer is no such list.
        """
        return read_listing(body, self._listing, self._instrument)


def status_trouble(request: HttpRequest, status: int | None) -> InvalidInput | None:
    """Return what is wrong with the status of an answer; None if it is 200."""
    if status == 200:
        return None
    if status is None:
        why = "no answer"
    elif status in (418, 429):
        why = f"status {status}: rate limit exceeded" + (
            ", address banned" if status == 418 else ""
        )
    else:
        why = f"status {status}" + (": venue out of order" if status >= 500 else "")
    return InvalidInput(f"Expected an answer for {request.purpose}, was {why}", request.symbol)


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
