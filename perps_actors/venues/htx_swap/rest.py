"""HTX swaps over REST: quotes, marks, index, funding, open interest, books, candles, past funding and the lists of instruments.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (reference and market data), read 2026-11; that these
addresses still answer, 240 times in 3 s, was measured by others on 2026-09-23 (github.com/nemanull/arbitrage-observatory,
docs/profiles/htx/rest.md). A refusal has status 200 and `status` "error". A mark comes as the close of a candle, one contract a request.
The history of funding is told in pages of 50, the newest first, whatever the span.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import levels_of
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, Endpoints, Outcome, Polled
from perps_actors.venues.htx_swap.parse import (
    funding_of,
    funding_paid_of,
    instrument_of,
    listed_best_of,
    listed_index_of,
    open_interest_of,
    past_candle_of,
    time_of,
)
from perps_actors.venues.htx_swap.schema import (
    FAMILIES,
    INTERVALS,
    LIVE,
    NAME,
    SECONDS,
    Answer,
    CandleRow,
    Family,
    Frame,
    FullBook,
    FundingRow,
    IndexRow,
    OpenInterestRow,
    PaidPage,
    PaidRow,
    QuoteRow,
    by_family,
    family_of,
)
from perps_actors.venues.htx_swap.stream import SymbolState, parts_of_channel, reading_of
from perps_actors.venues.toolkit.fields import NS_PER_S, check_symbol
from perps_actors.venues.toolkit.rest import (
    AnswerReader,
    Answers,
    funding_pages,
    history_reader,
    moments,
    pages,
    parts_of,
    read_rows,
    reader_of,
    spelled_interval,
)

WEIGHT_PER_MINUTE: Final = 4_800
MOST_CANDLES: Final = 2_000
MOST_FUNDINGS: Final = 50

_ANSWER: Final = msgspec.json.Decoder(Answer).decode
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_PAGE: Final = msgspec.json.Decoder(PaidPage).decode
_BOOK: Final = msgspec.json.Decoder(FullBook).decode


class _Path(NamedTuple):
    of: Callable[[Family], str]
    more: str = ""
    """Query beside the contract."""


_PATHS: Final = {
    "quotes": _Path(lambda family: f"{family.quotes}/bbo"),
    "depth": _Path(lambda family: f"{family.quotes}/depth", "&type=step0"),
    "marks": _Path(lambda family: family.mark_klines, "&period=1min&size=1"),
    "candles": _Path(lambda family: f"{family.quotes}/history/kline"),
    "funding_history": _Path(lambda family: f"{family.api}/swap_historical_funding_rate"),
    "index": _Path(lambda family: f"{family.api}/swap_index"),
    "funding": _Path(lambda family: f"{family.api}/swap_batch_funding_rate"),
    "open_interest": _Path(lambda family: f"{family.api}/swap_open_interest"),
    "instruments": _Path(lambda family: f"{family.api}/swap_contract_info"),
}
_PURPOSES: Final = {
    path.of(family): purpose for purpose, path in _PATHS.items() for family in FAMILIES
} | {f"{family.api}/swap_funding_rate": "funding" for family in FAMILIES}


class HtxSwapRest(Answers):
    """A `RestAdapter` for HTX swaps.

    Args:
        endpoints: where the venue lives.
    """

    intervals = INTERVALS.keys()

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        super().__init__(readers=_READERS, book=_book, listing=_rows, instrument=instrument_of)
        self._base = endpoints.rest

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request a family: for the one symbol, or for all that the venue lists."""
        return self._one_or_all("quotes", symbols)

    def poll(self, what: Polled, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request a family for index, funding or open interest; one a symbol for marks."""
        if what == "mark":
            return tuple(
                self._request("marks", family_of(symbol), symbol)
                for symbol in dict.fromkeys(symbols)
            )
        return self._one_or_all(what, symbols)

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the 150 best levels a side."""
        return self._request("depth", family_of(symbol), symbol)

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST_CANDLES` candles.

        Raises:
            SettingsError: no such interval.
        """
        period = f"&period={spelled_interval(INTERVALS, interval_s, NAME)}"
        return tuple(
            self._request("candles", family_of(symbol), symbol, f"{period}&from={first}&to={last}")
            for first, last in (
                moments(page, NS_PER_S)
                for page in pages(since_ns, until_ns, interval_s, MOST_CANDLES)
            )
        )

    def funding_history(self, symbol: str, since_ns: int, until_ns: int) -> tuple[HttpRequest, ...]:
        """Return requests for the newest fundings, as many as can have been paid in so long a span."""
        return tuple(
            self._request(
                "funding_history",
                family_of(symbol),
                symbol,
                f"&page_index={index}&page_size={MOST_FUNDINGS}",
            )
            for index, _ in enumerate(funding_pages(since_ns, until_ns, MOST_FUNDINGS), start=1)
        )

    def instruments(self) -> tuple[HttpRequest, ...]:
        """Return the requests for the swaps of each family."""
        return tuple(self._request("instruments", family) for family in FAMILIES)

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        path, query = parts_of(url)
        purpose = _PURPOSES.get(path, "unknown")
        interval_s = SECONDS.get(query.get("period", "")) if purpose == "candles" else None
        return HttpRequest(
            url=url, purpose=purpose, symbol=query.get("contract_code"), interval_s=interval_s
        )

    def _one_or_all(self, purpose: str, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        families = by_family(tuple(dict.fromkeys(symbols)))
        return tuple(
            self._request(purpose, family, members[0] if len(members) == 1 else None)
            for family, members in families
        )

    def _request(
        self, purpose: str, family: Family, symbol: str | None = None, more: str = ""
    ) -> HttpRequest:
        path = _PATHS[purpose]
        named = (
            f"?contract_code={quote(symbol, safe='')}{path.more}{more}"
            if symbol is not None
            else ""
        )
        return self.request_for(f"{self._base}{path.of(family)}{named}")


def _accepted(body: bytes) -> Answer:
    answer = _ANSWER(body)
    if answer.status == "ok":
        return answer
    msg = f"The venue refused: {body[:150].decode(errors='replace')}"
    raise VenueError(msg)


def _data(answer: Answer) -> list[msgspec.Raw]:
    """Return the rows of an answer; that to a request for one contract may be the row itself."""
    return [answer.data] if bytes(answer.data)[:1] == b"{" else _LIST(answer.data)


def _rows(body: bytes) -> list[msgspec.Raw]:
    return _data(_accepted(body))


def _book(body: bytes) -> BookSnapshot:
    answer = _accepted(body)
    tick = _BOOK(answer.tick)
    return BookSnapshot(
        levels_of(tick.bids or ()), levels_of(tick.asks or ()), None, time_of(answer.time)
    )


def _pushed(tick_of: Callable[[Answer], msgspec.Raw]) -> AnswerReader:
    """Return what reads answers that have the channel and the tick of a push."""

    def read(_: HttpRequest, body: bytes, received_ns: int) -> Sequence[Outcome]:
        answer = _accepted(body)
        symbol, topic = parts_of_channel(answer.channel or "")
        reading = reading_of(topic)
        if reading is None:
            msg = f"Expected a channel, was {str(answer.channel)[:60]!r}"
            raise VenueError(msg)
        frame = Frame(channel=answer.channel, time=answer.time, tick=tick_of(answer))
        return reading(
            SymbolState(InstrumentId(NAME, check_symbol(symbol))), frame, topic, "", received_ns
        )

    return read


def _listed(
    rows_of: Callable[[Answer], list[msgspec.Raw]],
    record: Any,
    events: Callable[[InstrumentId, Any, int | None, int], Sequence[Outcome]],
) -> AnswerReader:
    """Return what reads rows that are told at the time of their answer."""
    decode = msgspec.json.Decoder(record).decode

    def read(_: HttpRequest, body: bytes, received_ns: int) -> Sequence[Outcome]:
        answer = _accepted(body)
        time_ns = time_of(answer.time)
        return read_rows(
            NAME,
            rows_of(answer),
            decode,
            lambda instrument, row: events(instrument, row, time_ns, received_ns),
        )

    return read


_READERS: Final = {
    "quotes": _listed(lambda answer: _LIST(answer.ticks), QuoteRow, listed_best_of),
    "index": _listed(_data, IndexRow, listed_index_of),
    "funding": _listed(_data, FundingRow, funding_of),
    "open_interest": _listed(_data, OpenInterestRow, open_interest_of),
    "depth": _pushed(lambda answer: answer.tick),
    "marks": _pushed(lambda answer: _data(answer)[-1]),
    "candles": history_reader(NAME, _rows, CandleRow, past_candle_of),
    "funding_history": reader_of(
        NAME, lambda body: _PAGE(_accepted(body).data).rows, PaidRow, funding_paid_of
    ),
}
