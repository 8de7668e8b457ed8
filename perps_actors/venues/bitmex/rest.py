"""BitMEX over REST: all contracts with quote, mark, funding and open interest in one answer; books, candles, past funding and trades.

Source: bitmex.com API explorer and app/restAPI, read 2026-10: 30 requests a minute without a key (120 with one), 429 beyond. Candles
and fundings come oldest first, at most 1,000 and 500 in an answer; a candle is named by the end of its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.plain import levels_of
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.bitmex.parse import (
    Contract,
    funding_paid_of,
    instrument_of,
    past_candle_of,
    trade_of,
)
from perps_actors.venues.bitmex.schema import (
    INTERVALS,
    SECONDS,
    BinRow,
    BookRow,
    FundingRow,
    InstrumentRow,
    TradeRow,
)
from perps_actors.venues.contract import BookSnapshot, Endpoints, Outcome, Polled
from perps_actors.venues.toolkit.fields import NS_PER_S, nanoseconds
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

NAME: Final = "bitmex"
LIVE: Final = Endpoints(stream="wss://ws.bitmex.com", rest="https://www.bitmex.com")
MOST_CANDLES: Final = 1_000
MOST_FUNDINGS: Final = 500

_ACTIVE: Final = "/api/v1/instrument/active"
_ONE: Final = "/api/v1/instrument"
_BUCKETED: Final = "/api/v1/trade/bucketed"
_FUNDING: Final = "/api/v1/funding"
_BOOK: Final = "/api/v1/orderBook/L2"
_PURPOSES: Final = {
    _BOOK: "depth",
    _ACTIVE: "quotes",
    _ONE: "quotes",
    _BUCKETED: "candles",
    _FUNDING: "funding_history",
    "/api/v1/trade": "trades",
}
_LEVELS: Final = msgspec.json.Decoder(list[BookRow], float_hook=str).decode
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class BitmexRest(Answers):
    """A `RestAdapter` for BitMEX.

    Args:
        endpoints: where the venue lives.
    """

    intervals = INTERVALS.keys()

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        super().__init__(
            readers=_READERS,
            book=_book,
            listing=_LIST,
            instrument=lambda row: instrument_of(NAME, row),
        )
        self._base = endpoints.rest

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request: for the one symbol, or for all active contracts, which costs the same."""
        wanted = frozenset(symbols)
        one = f"{_ONE}?symbol={quote(symbols[0], safe='')}" if len(wanted) == 1 else _ACTIVE
        return (self.request_for(self._base + one),) if wanted else ()

    def poll(self, what: Polled, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:  # noqa: ARG002 - one answer has it all
        """Return the request for quotes, which bring mark, index, funding and open interest along."""
        return self.quotes(symbols)

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the whole book."""
        return self.request_for(f"{self._base}{_BOOK}?symbol={quote(symbol, safe='')}&depth=0")

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST_CANDLES` candles.

        Raises:
            SettingsError: no such interval.
        """
        name, step_ns = spelled_interval(INTERVALS, interval_s, NAME), interval_s * NS_PER_S
        what = f"{_BUCKETED}?symbol={quote(symbol, safe='')}&binSize={name}&partial=false&count={MOST_CANDLES}"
        return tuple(
            self.request_for(f"{self._base}{what}{_between((start + step_ns, end + step_ns))}")
            for start, end in pages(since_ns, until_ns, interval_s, MOST_CANDLES)
        )

    def funding_history(self, symbol: str, since_ns: int, until_ns: int) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST_FUNDINGS` hours."""
        what = f"{_FUNDING}?symbol={quote(symbol, safe='')}&count={MOST_FUNDINGS}"
        return tuple(
            self.request_for(f"{self._base}{what}{_between(page)}")
            for page in funding_pages(since_ns, until_ns, MOST_FUNDINGS)
        )

    def instruments(self) -> tuple[HttpRequest, ...]:
        """Return the request for the list of instruments."""
        return (HttpRequest(url=f"{self._base}{_ACTIVE}", purpose="instruments"),)

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        path, query = parts_of(url)
        interval_s = SECONDS.get(query.get("binSize", ""))
        return HttpRequest(
            url=url,
            purpose=_PURPOSES.get(path, "unknown"),
            symbol=query.get("symbol"),
            interval_s=interval_s,
        )


def _between(page: tuple[int, int]) -> str:
    first, last = (
        quote(f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S.000Z}", safe="")
        for second in moments(page, NS_PER_S)
    )
    return f"&startTime={first}&endTime={last}"


def _rows(body: bytes) -> list[msgspec.Raw]:
    """Return the rows of an answer, which may be one alone."""
    return _LIST(body) if body.lstrip()[:1] == b"[" else [msgspec.Raw(body)]


def _contract(instrument: InstrumentId, row: InstrumentRow, received_ns: int) -> Sequence[Outcome]:
    return Contract(instrument).take("partial", row, received_ns)


def _past_trade(instrument: InstrumentId, row: TradeRow, received_ns: int) -> Sequence[Outcome]:
    return trade_of(instrument, row, received_ns, backlog=True)


def _book(body: bytes) -> BookSnapshot:
    """Return the book in an answer; its time is that of the level that changed last. A symbol that is not listed has no rows."""
    rows = _LEVELS(body)
    if not rows:
        msg = "Expected the levels of a listed contract, was none"
        raise VenueError(msg)
    bids, asks = (levels_of(row for row in rows if row.side == side) for side in ("Buy", "Sell"))
    moments = [row.timestamp for row in rows if row.timestamp is not None]
    return BookSnapshot(bids, asks, None, nanoseconds(max(moments)) if moments else None)


_CONTRACTS: Final = reader_of(NAME, _rows, InstrumentRow, _contract)
_READERS: Final = {
    "quotes": _CONTRACTS,
    "instruments": _CONTRACTS,
    "depth": book_reader(NAME, _book),
    "candles": history_reader(NAME, _rows, BinRow, past_candle_of),
    "funding_history": reader_of(NAME, _rows, FundingRow, funding_paid_of),
    "trades": reader_of(NAME, _rows, TradeRow, _past_trade),
}
