"""OKX over REST: tickers, marks, funding, open interest, books, candles, past funding and the list of instruments.

Source: www.okx.com/docs-v5/en (market and public data), read 2026-11. Limits are an endpoint's and address's, 10 to 40 requests in 2 s.
One budget for all has to hold the tightest of them: 20 requests in 2 s, where one of those with 10 in 2 s counts twice. Refusals have
status 200 and a `code` other than 0. Pages of different age allow 100 to 400 rows of the past in an answer: 100 always works. The
history of funding goes back three months.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, Endpoints, Polled
from perps_actors.venues.okx.parse import (
    funding_of,
    funding_paid_of,
    mark_of,
    open_interest_of,
    past_candle_of,
    touch_of,
)
from perps_actors.venues.okx.schema import (
    INTERVALS,
    SECONDS,
    Answer,
    BookRecord,
    CandleRow,
    FundingRow,
    InstrumentRow,
    MarkRow,
    OpenInterestRow,
    PaidRow,
    TickerRow,
)
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S, ns_if_any
from perps_actors.venues.toolkit.rest import (
    Answers,
    book_reader,
    funding_pages,
    history_reader,
    moments,
    pages,
    parts_of,
    reader_of,
    spelled_interval,
)

# merged docstring:
# """OKX's list of instruments (`GET /api/v5/public/instruments`).
#
# Source: www.okx.com/docs-v5/en, get instruments, read 2026-11. A contract is worth `ctVal` times `ctMult`: units of the base asset where
# it is linear, US dollars where it is inverse. Quantities are in contracts, of which `lotSz` is the smallest step.
# """

NAME: Final = "okx"
LIVE: Final = Endpoints(stream="wss://ws.okx.com:8443", rest="https://www.okx.com")
WEIGHT_PER_MINUTE: Final = 600
MOST: Final = 100
"""Candles or fundings in an answer."""

_PURPOSES: Final = {
    "/api/v5/market/tickers": "quotes",
    "/api/v5/market/ticker": "quotes",
    "/api/v5/public/mark-price": "venue_marks",
    "/api/v5/public/funding-rate": "funding",
    "/api/v5/public/open-interest": "open_interest",
    "/api/v5/market/books": "depth",
    "/api/v5/market/history-candles": "candles",
    "/api/v5/market/candles": "candles",
    "/api/v5/public/funding-rate-history": "funding_history",
    "/api/v5/public/instruments": "instruments",
}
_DEAR: Final = frozenset({"venue_marks", "funding_history"})
_KINDS: Final = ("SWAP", "FUTURES")
_ANSWER: Final = msgspec.json.Decoder(Answer).decode
_BOOK: Final = msgspec.json.Decoder(BookRecord).decode


def _by_kind(symbols: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for symbol in dict.fromkeys(symbols):
        found.setdefault("SWAP" if symbol.endswith("-SWAP") else "FUTURES", []).append(symbol)
    return found


class OkxRest(Answers):
    """A `RestAdapter` for OKX.

    Args:
        endpoints: where the venue lives.
    """

    intervals = INTERVALS.keys()

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        super().__init__(
            readers=_READERS,
            book=_book,
            listing=_rows,
            instrument=lambda row: instrument_of(NAME, row),
        )
        self._base = endpoints.rest

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request: for the one symbol, or for all perpetuals (and one more for dated futures, where there are some)."""
        wanted = tuple(dict.fromkeys(symbols))
        if len(wanted) == 1:
            return (self._request(f"market/ticker?instId={quote(wanted[0], safe='')}"),)
        return tuple(self._request(f"market/tickers?instType={kind}") for kind in _by_kind(wanted))

    def poll(self, what: Polled, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request for marks or open interest of all perpetuals, and of all dated futures; for funding one a perpetual."""
        kinds = _by_kind(symbols)
        match what:
            case "mark":
                return tuple(self._request(f"public/mark-price?instType={kind}") for kind in kinds)
            case "open_interest":
                return tuple(
                    self._request(f"public/open-interest?instType={kind}") for kind in kinds
                )
            case "funding":
                return tuple(
                    self._request(f"public/funding-rate?instId={quote(one, safe='')}")
                    for one in kinds.get("SWAP", ())
                )
            case "index":
                return ()

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the 400 best levels a side."""
        return self._request(f"market/books?instId={quote(symbol, safe='')}&sz=400")

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST` candles.

        Raises:
            SettingsError: no such interval.
        """
        what = f"market/history-candles?instId={quote(symbol, safe='')}&bar={spelled_interval(INTERVALS, interval_s, NAME)}"
        return tuple(
            self._request(f"{what}{_between(page)}")
            for page in pages(since_ns, until_ns, interval_s, MOST)
        )

    def funding_history(self, symbol: str, since_ns: int, until_ns: int) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST` hours."""
        what = f"public/funding-rate-history?instId={quote(symbol, safe='')}"
        return tuple(
            self._request(f"{what}{_between(page)}")
            for page in funding_pages(since_ns, until_ns, MOST)
        )

    def instruments(self) -> tuple[HttpRequest, ...]:
        """Return the requests for the lists of perpetuals and of dated futures."""
        return tuple(self._request(f"public/instruments?instType={kind}") for kind in _KINDS)

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        path, query = parts_of(url)
        purpose, interval_s = _PURPOSES.get(path, "unknown"), SECONDS.get(query.get("bar", "1m"))
        weight = 2 if purpose in _DEAR else 1
        return HttpRequest(
            url=url,
            weight=weight,
            purpose=purpose,
            symbol=query.get("instId"),
            interval_s=interval_s if purpose == "candles" else None,
        )

    def _request(self, what: str) -> HttpRequest:
        return self.request_for(f"{self._base}/api/v5/{what}")


def _between(page: tuple[int, int]) -> str:
    """Return the parameters of a span: `before` is what it begins after, `after` what it ends before."""
    first, last = moments(page, NS_PER_MS)
    return f"&before={first - 1}&after={last + 1}&limit={MOST}"


def _rows(body: bytes) -> list[msgspec.Raw]:
    answer = _ANSWER(body)
    if answer.code != "0":
        msg = f"refused with {answer.code[:10]}: {answer.message[:60]}"
        raise VenueError(msg)
    return answer.data


def _book(body: bytes) -> BookSnapshot:
    (row,) = _rows(body)
    record = _BOOK(row)
    return BookSnapshot(record.bids, record.asks, record.sequence, ns_if_any(record.time))


_READERS: Final = {
    "quotes": reader_of(NAME, _rows, TickerRow, touch_of),
    "venue_marks": reader_of(
        NAME,
        _rows,
        MarkRow,
        lambda instrument, row, received_ns: [mark_of(instrument, row, received_ns)],
    ),
    "funding": reader_of(NAME, _rows, FundingRow, funding_of),
    "open_interest": reader_of(NAME, _rows, OpenInterestRow, open_interest_of),
    "depth": book_reader(NAME, _book),
    "candles": history_reader(NAME, _rows, CandleRow, past_candle_of),
    "funding_history": reader_of(NAME, _rows, PaidRow, funding_paid_of),
}


_ROW = msgspec.json.Decoder(InstrumentRow)


def instrument_of(venue: str, raw: msgspec.Raw) -> Instrument:
    """Return the perpetual or dated future of `venue` in a row.

    Raises:
        MarketError, VenueError, msgspec.MsgspecError, OverflowError: the row cannot be read, or is of something else.
    """
    row = _ROW.decode(raw)
    tick, lot, value, multiplier = map(
        positive, (row.tick, row.lot, row.contract_value, row.multiplier or "1")
    )
    perpetual = row.inst_type == "SWAP"
    term = (
        "PERP"
        if perpetual
        else f"{datetime.fromtimestamp((ns_if_any(row.expiry) or 0) // NS_PER_S, UTC):%y%m%d}"
    )
    base, _, quote = row.underlying.partition("-")
    pair = "-".join(
        row.symbol.split("-")[:2]
    )  # BTC-USD_UM beside BTC-USD: the same underlying, another margin
    return Instrument(
        id=InstrumentId(venue, row.symbol),
        canonical=f"{pair}-{term}",
        base=base,
        quote=quote,
        margin=row.margin,
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=Decimal(value) * Decimal(multiplier),
        linear=row.contract_type == "linear",
        perpetual=perpetual,
        trading=row.state == "live",
    )
