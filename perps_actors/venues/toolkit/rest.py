"""Requests and answers of REST, as far as they are the same at every venue.

Rows of an answer are read one by one, so that a bad row is one invalid input and does not cost its
neighbours. The past is requested page by page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from perps_actors.errors import MarketError, SettingsError, VenueError
from perps_actors.market.book import check_levels
from perps_actors.market.events import MarketEvent
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, InvalidInput, Outcome, Polled
from perps_actors.venues.toolkit.fields import NS_PER_S, check_symbol
from perps_actors.venues.toolkit.stream_book import StreamBook

MAX_ROWS: Final = 50_000
"""Rows read of one answer; the longest answers are years of hourly funding."""
SHORTEST_FUNDING_S: Final = 3_600
"""The shortest funding interval of any venue."""

Paths = tuple[str, str | None]
"""The path for one symbol, and that for all of a group of symbols; None if there is none."""

AnswerReader = Callable[[HttpRequest, bytes, int], Sequence[Outcome]]
"""Reads the body of an answer to a request, received at a time; may raise on another body."""


def parts_of(url: str) -> tuple[str, dict[str, str]]:
    """Return path and parameters of an address, the first non-empty value of each.

    Empty for a text that is not an address.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", {}
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


def status_trouble(request: HttpRequest, status: int | None) -> InvalidInput | None:
    """Return the invalid input for a status of an answer; None if it is 200."""
    if status == 200:
        return None
    if status is None:
        why = "no answer"
    elif status in (418, 429):
        banned = ", address banned" if status == 418 else ""
        why = f"status {status}: rate limit exceeded{banned}"
    else:
        why = f"status {status}" + (": venue out of order" if status >= 500 else "")
    return InvalidInput(f"Expected an answer for {request.purpose}, was {why}", request.symbol)


def read_rows(
    venue: str,
    rows: Sequence[msgspec.Raw],
    decode: Callable[[msgspec.Raw], Any],
    events: Callable[[InstrumentId, Any], Sequence[Outcome]],
    symbol: str | None = None,
) -> list[Outcome]:
    """Return the outcomes of rows, with one invalid input for each bad row.

    Args:
        venue: name of the venue.
        rows: the rows of an answer; all beyond `MAX_ROWS` are one invalid input.
        decode: makes a record of a row, or raises.
        events: returns the outcomes of a record about its instrument; may raise.
        symbol: the symbol of all rows; None if each record has a `symbol`.
    """
    outcomes: list[Outcome] = []
    for raw in rows[:MAX_ROWS]:
        named = symbol
        try:
            row = decode(raw)
            named = row.symbol if symbol is None else symbol
            outcomes += events(InstrumentId(venue, check_symbol(named)), row)
        except Exception as error:  # noqa: BLE001 - a bad row must not cost its neighbours
            outcomes.append(InvalidInput(f"{error}: in row {bytes(raw)[:80]!r}", named))
    if len(rows) > MAX_ROWS:
        outcomes.append(InvalidInput(f"Expected at most {MAX_ROWS} rows, was {len(rows)}"))
    return outcomes


def reader_of(
    venue: str,
    rows_of: Callable[[bytes], Sequence[msgspec.Raw]],
    record: Any,
    events: Callable[[InstrumentId, Any, int], Sequence[Outcome]],
    *,
    named: bool = True,
) -> AnswerReader:
    """Return a reader of answers that have rows.

    Args:
        venue: name of the venue.
        rows_of: finds the rows in a body; may raise.
        record: the type of a row.
        events: returns the outcomes of a row, received at a time; may raise.
        named: whether each record has a `symbol`; otherwise all are about the requested one.
    """
    decode = msgspec.json.Decoder(record).decode

    def read(request: HttpRequest, body: bytes, received_ns: int) -> Sequence[Outcome]:
        return read_rows(
            venue,
            rows_of(body),
            decode,
            lambda instrument, row: events(instrument, row, received_ns),
            symbol=None if named else request.symbol or "",
        )

    return read


def candle_reader(
    venue: str,
    rows_of: Callable[[bytes], Sequence[msgspec.Raw]],
    record: Any,
    candle: Callable[[InstrumentId, Any, int, int], MarketEvent],
) -> AnswerReader:
    """Return a reader of candles of the requested instrument and length.

    Args:
        venue: name of the venue.
        rows_of: finds the rows in a body; may raise.
        record: the type of a row.
        candle: returns the candle in a row, of a length, received at a time; may raise.
    """
    decode = msgspec.json.Decoder(record).decode

    def read(request: HttpRequest, body: bytes, received_ns: int) -> Sequence[Outcome]:
        return read_rows(
            venue,
            rows_of(body),
            decode,
            lambda instrument, row: [candle(instrument, row, interval_of(request), received_ns)],
            symbol=request.symbol or "",
        )

    return read


def book_reader(venue: str, snapshot_of: Callable[[bytes], BookSnapshot]) -> AnswerReader:
    """Return a reader of books of the requested symbol, which returns the top of each."""

    def read(request: HttpRequest, body: bytes, received_ns: int) -> Sequence[Outcome]:
        answer = _checked_book(body, snapshot_of)
        symbol = answer.symbol or request.symbol or ""
        if request.symbol not in (None, symbol):
            msg = f"Expected the book of {request.symbol}, was of {symbol[:50]!r}"
            raise VenueError(msg)
        book = StreamBook(InstrumentId(venue, check_symbol(symbol)))
        return book.snapshot(
            answer.bids,
            answer.asks,
            None,
            sequence=answer.sequence,
            venue_time_ns=answer.venue_time_ns,
            received_ns=received_ns,
        )

    return read


def _checked_book(body: bytes, snapshot_of: Callable[[bytes], BookSnapshot]) -> BookSnapshot:
    try:
        book = snapshot_of(body)
        check_levels(book.bids, book.asks)
    except Exception as error:
        msg = f"Expected a book, was {body[:60]!r}: {error}"
        raise VenueError(msg) from error
    return book


class VenueRest:
    """A `RestAdapter` made of a venue's paths and readers.

    Paths are templates. Their fields are `symbol`, `interval` (the venue's name of it), `first` and
    `last` (the first and the last moment of a span), `before` and `after` (the moments around it),
    `page` (a number from 1), and those of `_fields`.

    Args:
        base: the address of the venue, to which paths are appended.
        venue: name of the venue.
        quotes: the path of quotes.
        polls: the paths of data that quotes do not have; None for data that REST does not have.
        depth: the path of a book.
        candles: the path of candles.
        fundings: the path of past fundings.
        unit_ns: the unit of moments, of which both ends of a span belong to it.
        most_candles: the most candles in an answer.
        most_fundings: the most fundings in an answer.
        longest_s: the longest span of candles that may be requested.
        purposes: the purpose of a request to each path, on whatever host.
        symbol: the parameter that names the symbol.
        interval: the parameter that names the interval of candles.
        intervals: the name of each candle interval that can be requested.
        seconds: the candle interval of each name.
        weights: the weight of a request of each purpose, if it is not 1.
        lists: the paths of the lists of instruments.
        readers: the reader of each purpose of a request.
        book: finds the book in an answer to `depth`; may raise.
        listing: finds the rows in a list of instruments; may raise.
        instrument: reads such a row; may raise, or return None for another kind of instrument.
    """

    def __init__(
        self,
        base: str,
        venue: str,
        *,
        quotes: Paths,
        polls: Mapping[Polled, Paths | None] | None = None,
        depth: str,
        candles: str,
        fundings: str,
        unit_ns: int,
        most_candles: int,
        most_fundings: int,
        longest_s: int = sys.maxsize,
        purposes: Mapping[str, str],
        symbol: str,
        interval: str,
        intervals: Mapping[int, str],
        seconds: Mapping[str, int],
        weights: Mapping[str, int] | None = None,
        lists: Sequence[str] = (),
        readers: Mapping[str, AnswerReader],
        book: Callable[[bytes], BookSnapshot],
        listing: Callable[[bytes], Sequence[msgspec.Raw]],
        instrument: Callable[[msgspec.Raw], Instrument | None],
    ) -> None:
        self.intervals: Collection[int] = tuple(dict.fromkeys(seconds.values()))
        self._base, self._venue = base, venue
        self._quotes, self._polls, self._depth = quotes, polls or {}, depth
        self._candles, self._fundings, self._unit_ns = candles, fundings, unit_ns
        self._most_candles, self._most_fundings = most_candles, most_fundings
        self._longest_s, self._names = longest_s, intervals
        self._purposes = purposes
        self._symbol, self._interval, self._seconds = symbol, interval, seconds
        self._weights = weights or {}
        self._lists = lists
        self._readers = readers
        self._book = book
        self._listing = listing
        self._instrument = instrument

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return the requests for best bid and ask of `symbols`, as few as the venue allows."""
        return self._requests(self._quotes, symbols)

    def poll(self, what: Polled, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return the requests for a kind of data; those for quotes if their answers have it."""
        paths = self._polls.get(what, self._quotes)
        return self._requests(paths, symbols) if paths is not None else ()

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for a book with as many levels as possible."""
        return self._get(self._path(self._depth, symbol))

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return the requests for candles that open in a span of time, oldest first.

        Raises:
            SettingsError: the venue has no candles of this length.
        """
        name = self._names.get(interval_s)
        if name is None:
            why = f"expected seconds of {', '.join(map(str, self._names))}"
            raise SettingsError(field="interval_s", value=interval_s, why=why, place=self._venue)
        most = max(1, min(self._most_candles, self._longest_s // interval_s))
        return tuple(
            self._get(self._path(self._candles, symbol, span, interval=name))
            for span in pages(since_ns, until_ns, interval_s, most)
        )

    def funding_history(self, symbol: str, since_ns: int, until_ns: int) -> tuple[HttpRequest, ...]:
        """Return the requests for fundings that were paid in a span of time."""
        spans = funding_pages(since_ns, until_ns, self._most_fundings)
        return tuple(
            self._get(self._path(self._fundings, symbol, span, page=page))
            for page, span in enumerate(spans, start=1)
        )

    def _requests(self, paths: Paths, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return a request for each group of symbols with the same fields, else for each symbol."""
        one, every = paths
        groups: dict[str, list[str]] = {}
        for symbol in dict.fromkeys(symbols):
            group = symbol if every is None else str(self._fields(symbol))
            groups.setdefault(group, []).append(symbol)
        return tuple(
            self._get(self._path(one if every is None or len(group) == 1 else every, group[0]))
            for group in groups.values()
        )

    def _path(
        self, template: str, symbol: str, span: tuple[int, int] = (0, 0), **more: object
    ) -> str:
        fields = {"symbol": quote(symbol, safe=""), **self._fields(symbol), **self._moments(span)}
        return template.format_map(fields | more)

    def _fields(self, symbol: str) -> Mapping[str, object]:  # noqa: ARG002
        """Return more fields of paths. Symbols of which they differ need requests of their own."""
        return {}

    def _moments(self, span: tuple[int, int]) -> dict[str, object]:
        """Return the fields of paths that name a span."""
        first, last = moments(span, self._unit_ns)
        return {"first": first, "last": last, "before": first - 1, "after": last + 1}

    def instruments(self) -> tuple[HttpRequest, ...]:
        """Return the requests for the lists of instruments."""
        return tuple(self._get(path) for path in self._lists)

    def request_for(self, url: str) -> HttpRequest:
        """Return the request of an address; its purpose is `unknown` if it is never made here."""
        path, query = parts_of(url)
        purpose = self._purposes.get(path, "unknown")
        interval_s = self._seconds.get(query.get(self._interval, ""))
        return HttpRequest(
            url=url,
            weight=self._weights.get(purpose, 1),
            purpose=purpose,
            symbol=query.get(self._symbol),
            interval_s=interval_s if purpose == "candles" else None,
        )

    def _get(self, path: str) -> HttpRequest:
        return self.request_for(self._base + path)

    def read(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the outcomes of an answer; none if its purpose has no reader."""
        read = self._readers.get(request.purpose)
        if read is None:
            return ()
        trouble = status_trouble(request, status)
        if trouble is not None:
            return (trouble,)
        try:
            return read(request, body, received_ns)
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoder
            what = f"Expected an answer for {request.purpose}: {error}: in {body[:60]!r}"
            return (InvalidInput(what, request.symbol),)

    def read_book(self, body: bytes) -> BookSnapshot:
        """Return the book in an answer to `depth`, its levels checked.

        Raises:
            VenueError: the answer is not a book, or has a level that no book can have.
        """
        return _checked_book(body, self._book)

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed instruments, without rows that cannot be read.

        Raises:
            VenueError: the answer is not such a list.
        """
        try:
            rows = self._listing(body)
        except Exception as error:
            msg = f"Expected a list of instruments, was {body[:60]!r}: {error}"
            raise VenueError(msg) from error
        found = map(self._instrument_of, rows)
        return tuple(instrument for instrument in found if instrument is not None)

    def _instrument_of(self, row: msgspec.Raw) -> Instrument | None:
        try:
            return self._instrument(row)
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


def term_of(delivery_s: int | None) -> str:
    """Return the last part of an instrument's canonical name: PERP, or the delivery day in UTC.

    Raises:
        OverflowError, ValueError: a time that no calendar has.
    """
    return "PERP" if delivery_s is None else f"{datetime.fromtimestamp(delivery_s, UTC):%y%m%d}"


def interval_of(request: HttpRequest) -> int:
    """Return the interval of the candles that a request names, in seconds.

    Raises:
        VenueError: its address names no known interval.
    """
    if request.interval_s is None:
        msg = f"Expected a request for candles of a known length, was {request.url[:100]!r}"
        raise VenueError(msg)
    return request.interval_s


def pages(since_ns: int, until_ns: int, step_s: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield spans (from, before) of at most `most` steps that cover a span of time, oldest first.

    They begin and end at multiples of the step since 1970, so each candle that opens in the span is
    in one of them.
    """
    step_ns = step_s * NS_PER_S
    page_ns = step_ns * most
    last = -(-until_ns // step_ns) * step_ns
    for start in range(-(-since_ns // step_ns) * step_ns, last, page_ns):
        yield start, min(start + page_ns, last)


def funding_pages(since_ns: int, until_ns: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield spans (from, before) with at most `most` fundings each, oldest first."""
    page_ns = SHORTEST_FUNDING_S * NS_PER_S * most
    for start in range(since_ns, until_ns, page_ns):
        yield start, min(start + page_ns, until_ns)


def moments(page: tuple[int, int], unit_ns: int) -> tuple[int, int]:
    """Return the first and the last whole unit of time in a span, for venues that include both."""
    start_ns, end_ns = page
    return -(-start_ns // unit_ns), -(-end_ns // unit_ns) - 1
