"""How REST answers are read, alike at every venue: the right reader, the status, and a complaint for what is no such answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.sorted_book import check_levels
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, Complaint, Outcome
from perps_actors.venues.listings import read_listing
from perps_actors.venues.pushed_book import PushedBook
from perps_actors.venues.rows import read_rows
from perps_actors.venues.symbols import check_symbol

AnswerReader = Callable[[HttpRequest, bytes, int], Sequence[Outcome]]
"""What the body of an answer to a request says, received at a time; may raise on what is no such answer."""


def read_answer(
    readers: Mapping[str, AnswerReader], request: HttpRequest, status: int | None, body: bytes, received_ns: int
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
        return (Complaint(f"Expected an answer for {request.purpose}: {error}: in {body[:60]!r}", request.symbol),)


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
        return read_rows(venue, rows_of(body), decode, lambda instrument, row: events(instrument, row, received_ns))

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
        book = PushedBook(InstrumentId(venue, check_symbol(symbol)))
        return book.snapshot(told.bids, told.asks, None, sequence=told.sequence, venue_time_ns=told.venue_time_ns, received_ns=received_ns)

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

    def read(self, request: HttpRequest, status: int | None, body: bytes, received_ns: int) -> Sequence[Outcome]:
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


def status_trouble(request: HttpRequest, status: int | None) -> Complaint | None:
    """Return what is wrong with the status of an answer; None if it is 200."""
    if status == 200:
        return None
    if status is None:
        why = "no answer"
    elif status in (418, 429):
        why = f"status {status}: rate limit exceeded" + (", address banned" if status == 418 else "")
    else:
        why = f"status {status}" + (": venue out of order" if status >= 500 else "")
    return Complaint(f"Expected an answer for {request.purpose}, was {why}", request.symbol)
