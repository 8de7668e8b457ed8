"""HTX swaps over REST: quotes, marks, funding, open interest, books, candles and instruments.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (reference and
market data), read 2026-11. Others measured on 2026-09-23 that these addresses still answer, 240
times in 3 s (github.com/nemanull/arbitrage-observatory, docs/profiles/htx/rest.md).

- A refusal has HTTP status 200 and `status` "error".
- A mark is the close of a candle, and a request names one contract.
- The history of funding has no span. It comes in pages of 50, newest first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs
import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import levels_of
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, Endpoints, Outcome, Polled
from perps_actors.venues.htx_swap.parse import (
    candle_in,
    funding_of,
    funding_paid_of,
    listed_best_of,
    listed_index_of,
    mark_of,
    open_interest_of,
    parts_of_channel,
    time_of,
)
from perps_actors.venues.htx_swap.schema import (
    INTERVALS,
    LINEAR,
    MARGIN_TYPES,
    SECONDS,
    Answer,
    CandleRow,
    ContractRow,
    FullBook,
    FundingRow,
    IndexRow,
    Kline,
    OpenInterestRow,
    PaidPage,
    PaidRow,
    QuoteRow,
    margin_type_of,
)
from perps_actors.venues.toolkit.fields import NS_PER_S, check_symbol, text_of
from perps_actors.venues.toolkit.rest import (
    AnswerReader,
    VenueRest,
    book_reader,
    candle_reader,
    read_rows,
    reader_of,
)

NAME: Final = "htx_swap"
LIVE: Final = Endpoints(stream="wss://api.hbdm.com", rest="https://api.hbdm.com")
WEIGHT_PER_MINUTE: Final = 4_800

_ANSWER: Final = msgspec.json.Decoder(Answer).decode
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_PAGE: Final = msgspec.json.Decoder(PaidPage).decode
_BOOK: Final = msgspec.json.Decoder(FullBook).decode
_KLINE: Final = msgspec.json.Decoder(Kline).decode
_CONTRACT: Final = msgspec.json.Decoder(ContractRow).decode
_LISTED: Final = 1


_PATHS: Final = {
    "quotes": "{quotes}/bbo",
    "depth": "{quotes}/depth",
    "marks": "{mark_klines}",
    "candles": "{quotes}/history/kline",
    "funding_history": "{api}/swap_historical_funding_rate",
    "index": "{api}/swap_index",
    "funding": "{api}/swap_batch_funding_rate",
    "open_interest": "{api}/swap_open_interest",
    "instruments": "{api}/swap_contract_info",
}
_PURPOSES: Final = {
    path.format_map(attrs.asdict(margin_type)): purpose
    for purpose, path in _PATHS.items()
    for margin_type in MARGIN_TYPES
} | {f"{margin_type.api}/swap_funding_rate": "funding" for margin_type in MARGIN_TYPES}
_POLLED: Final[tuple[Polled, ...]] = ("index", "funding", "open_interest")


class HtxSwapRest(VenueRest):
    """A `RestAdapter` for HTX swaps.

    Args:
        endpoints: the venue's addresses.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        super().__init__(
            endpoints.rest,
            NAME,
            quotes=(_PATHS["quotes"] + "?contract_code={symbol}", _PATHS["quotes"]),
            polls={
                "mark": (_PATHS["marks"] + "?contract_code={symbol}&period=1min&size=1", None),
                **{
                    what: (_PATHS[what] + "?contract_code={symbol}", _PATHS[what])
                    for what in _POLLED
                },
            },
            depth=_PATHS["depth"] + "?contract_code={symbol}&type=step0",
            candles=_PATHS["candles"]
            + "?contract_code={symbol}&period={interval}&from={first}&to={last}",
            fundings=_PATHS["funding_history"]
            + "?contract_code={symbol}&page_index={page}&page_size=50",
            unit_ns=NS_PER_S,
            most_candles=2_000,
            most_fundings=50,
            purposes=_PURPOSES,
            symbol="contract_code",
            interval="period",
            intervals=INTERVALS,
            seconds=SECONDS,
            lists=[path for path, purpose in _PURPOSES.items() if purpose == "instruments"],
            readers=_READERS,
            book=_book,
            listing=_rows,
            instrument=instrument_of,
        )

    def _fields(self, symbol: str) -> Mapping[str, object]:
        return attrs.asdict(margin_type_of(symbol))


def _accepted(body: bytes) -> Answer:
    answer = _ANSWER(body)
    if answer.status == "ok":
        return answer
    msg = f"The venue refused: {body[:150].decode(errors='replace')}"
    raise VenueError(msg)


def _data(answer: Answer) -> list[msgspec.Raw]:
    """Return the rows of an answer, which for one contract may be the row itself."""
    return [answer.data] if bytes(answer.data)[:1] == b"{" else _LIST(answer.data)


def _rows(body: bytes) -> list[msgspec.Raw]:
    return _data(_accepted(body))


def _book(body: bytes) -> BookSnapshot:
    answer = _accepted(body)
    tick, (symbol, _) = _BOOK(answer.tick), parts_of_channel(answer.channel or "")
    if tick.bids is None or tick.asks is None:
        msg = "Expected bids and asks, was a book without its sides"
        raise VenueError(msg)
    bids, asks = levels_of(tick.bids), levels_of(tick.asks)
    return BookSnapshot(bids, asks, None, time_of(answer.time), symbol)


def _marks(_: HttpRequest, body: bytes, received_ns: int) -> Sequence[Outcome]:
    answer = _accepted(body)
    symbol, topic = parts_of_channel(answer.channel or "")
    if not topic.startswith("mark_price."):
        msg = f"Expected a channel of mark prices, was {str(answer.channel)[:60]!r}"
        raise VenueError(msg)
    instrument, kline = InstrumentId(NAME, check_symbol(symbol)), _KLINE(_data(answer)[-1])
    return (mark_of(instrument, kline, time_of(answer.time), received_ns),)


def _listed(
    rows_of: Callable[[Answer], list[msgspec.Raw]],
    record: Any,
    events: Callable[[InstrumentId, Any, int | None, int], Sequence[Outcome]],
) -> AnswerReader:
    """Return the reader of answers whose rows have the time of the answer."""
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
    "depth": book_reader(NAME, _book),
    "marks": _marks,
    "candles": candle_reader(NAME, _rows, CandleRow, candle_in),
    "funding_history": reader_of(
        NAME, lambda body: _PAGE(_accepted(body).data).rows, PaidRow, funding_paid_of
    ),
}


def instrument_of(raw: msgspec.Raw) -> Instrument:
    """Return the instrument in a row of `swap_contract_info`.

    Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en, read 2026-11.
    Orders and books count whole contracts, each of an amount of the base asset (linear) or of US
    dollars (coin-margined). A `contract_status` of 1 means open for trade.

    Raises:
        MarketError, msgspec.MsgspecError, ValueError: the row cannot be read.
    """
    row = _CONTRACT(raw)
    tick, size = positive(text_of(row.price_tick)), positive(text_of(row.contract_size))
    # A perpetual is BTC-USDT; a dated contract is BTC-USDT-211231 with its day of delivery.
    base, quote, *delivery = row.symbol.split("-")
    linear = margin_type_of(row.symbol) is LINEAR
    return Instrument(
        id=InstrumentId(NAME, row.symbol),
        canonical="-".join((base, quote, *(delivery or ("PERP",)))),
        base=base,
        quote=quote,
        margin=(row.margin or quote) if linear else base,
        tick=Decimal(tick),
        lot=Decimal(1),
        contract_size=Decimal(size),
        linear=linear,
        perpetual=not delivery,
        trading=row.status == _LISTED,
    )
