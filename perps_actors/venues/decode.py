"""Decode the raw lines of a recording to market events, one dictionary for each event.

Both formats are those of the recordings. A raw line has `t`, `conn`, `dir`, `url`, `data` and maybe
`enc`. An event has `kind`, `t`, `line`, `symbol`, `ts` and the fields of its kind. Numbers are
strings in plain notation, times strings in seconds. The format has no candles and past fundings, so
these are left out.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import attrs
import msgspec

from perps_actors.market.candle import Candle
from perps_actors.market.events import (
    BookTop,
    BookWithdrawn,
    Funding,
    FundingPaid,
    Liquidation,
    OpenInterest,
    Touch,
    Trade,
    VenueMark,
)
from perps_actors.market.numbers import plain
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput, Outcome, SendFrame
from perps_actors.venues.registry import Venue

Decoded = dict[str, Any]
"""An event as a dictionary."""

DEPTH_EVERY = 100
"""Book messages of a symbol between two `depth` events."""
DEPTH_LEVELS = 10

_MAX_TIME_S = 9_000_000_000


class _Line(msgspec.Struct, gc=False):
    dir: str
    data: str
    t: int | float | None = None
    conn: str = ""
    url: str = ""
    enc: str | None = None


def decode(venue: Venue, lines: Iterable[str]) -> Iterator[Decoded | InvalidInput]:
    """Yield the events of `venue` in `lines`, and an invalid input for each line that has none.

    Answers to REST requests are read wherever they stand. Requests of the venue's adapter are
    ignored. A `depth` event of the ten best levels follows every hundredth book message of a symbol
    and its last one.
    """
    return _Decoder(venue).events(lines)


@attrs.define
class _LastBook:
    """The last book message of a symbol."""

    head: Decoded
    count: int
    synced: bool = True
    """Whether the book was not withdrawn since."""


class _Decoder:
    def __init__(self, venue: Venue) -> None:
        self._stream = venue.stream(venue.endpoints)
        self._rest = venue.rest(venue.endpoints)
        self._line = msgspec.json.Decoder(_Line)
        self._books: dict[str, _LastBook] = {}

    def events(self, lines: Iterable[str]) -> Iterator[Decoded | InvalidInput]:
        for number, text in enumerate(lines):
            if not text.strip():
                continue
            try:
                line = self._line.decode(text)
                outcomes = self._outcomes(line)
            except Exception as error:  # noqa: BLE001 - hostile text
                yield InvalidInput(f"line {number}: {error}: in {text[:80]!r}")
                continue
            for outcome in outcomes:
                yield from self._plain(outcome, line.t, number)
        for last in self._books.values():
            if last.synced and last.count % DEPTH_EVERY:
                yield self._depth(last.head)

    def _outcomes(self, line: _Line) -> Sequence[Outcome]:
        if line.t is not None and not 0 <= line.t <= _MAX_TIME_S:
            msg = f"Expected a time in seconds since 1970, was {line.t}"
            raise ValueError(msg)
        received_ns = round((line.t or 0) * 1_000_000_000)
        data = _bytes_of(line)
        if line.dir == "ws":
            return self._stream.frame(line.conn, data, received_ns)
        if line.dir == "http":
            request = self._rest.request_for(line.url)
            return [
                *self._stream.answer(request, 200, data, received_ns),
                *self._rest.read(request, 200, data, received_ns),
            ]
        if line.dir == "sent":
            return ()
        msg = f"Expected dir ws, http or sent, was {line.dir[:20]!r}"
        raise ValueError(msg)

    def _plain(
        self, outcome: Outcome, t: float | None, number: int
    ) -> Iterator[Decoded | InvalidInput]:
        if isinstance(outcome, InvalidInput):
            yield InvalidInput(f"line {number}: {outcome.what}", outcome.symbol)
            return
        if isinstance(outcome, BookWithdrawn):
            if (withdrawn := self._books.get(outcome.instrument.symbol)) is not None:
                withdrawn.synced = False
            return
        if isinstance(outcome, SendFrame | HttpRequest | Candle | FundingPaid):
            return
        kind, fields = _FORMATS[type(outcome)](outcome)
        symbol = outcome.instrument.symbol
        head = {"t": t, "line": number, "symbol": symbol, "ts": _seconds(outcome.venue_time_ns)}
        yield {"kind": kind, **head, **fields}
        if kind == "bbo":
            last = self._books.get(symbol)
            count = last.count + 1 if last is not None else 1
            self._books[symbol] = _LastBook(head, count)
            if count % DEPTH_EVERY == 0:
                yield self._depth(head)

    def _depth(self, head: Decoded) -> Decoded:
        bids, asks = (
            [[plain(price), plain(size)] for price, size in side]
            for side in self._stream.depth(head["symbol"], DEPTH_LEVELS)
        )
        return {"kind": "depth", **head, "bids": bids, "asks": asks}


def _bytes_of(line: _Line) -> bytes:
    if line.enc is None:
        return line.data.encode()
    if line.enc != "base64":
        msg = f"Expected enc base64, was {line.enc[:20]!r}"
        raise ValueError(msg)
    try:
        return b64decode(line.data, validate=True)
    except binascii.Error as error:
        msg = f"Expected base64, was {line.data[:40]!r}: {error}"
        raise ValueError(msg) from error


def _seconds(time_ns: int | None) -> str | None:
    if time_ns is None:
        return None
    whole, part = divmod(time_ns, 1_000_000_000)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".")


def _number(text: str | None) -> str | None:
    return plain(text) if text is not None else None


def _top(event: BookTop) -> tuple[str, Decoded]:
    return "bbo", {
        "event": "snapshot" if event.snapshot else "update",
        "bid": _number(event.bid),
        "bid_size": _number(event.bid_size),
        "ask": _number(event.ask),
        "ask_size": _number(event.ask_size),
        "bid_levels": event.bid_levels,
        "ask_levels": event.ask_levels,
        "seq": None if event.sequence is None else str(event.sequence),
    }


def _ticker(event: Touch) -> tuple[str, Decoded]:
    fields = {
        name: _number(getattr(event, name))
        for name in ("bid", "ask", "bid_size", "ask_size", "last")
    }
    for side in ("bid", "ask"):
        if fields[side] is None and fields[f"{side}_size"] == "0":
            fields[side] = "0"  # as venues spell an empty side
    return "ticker", {
        name: value for name, value in fields.items() if value is not None or name in ("bid", "ask")
    }


def _trade(event: Trade) -> tuple[str, Decoded]:
    fields: Decoded = {
        "side": event.side,
        "price": plain(event.price),
        "amount": plain(event.amount),
        "id": event.trade_id,
    }
    return "trade", {**fields, "backlog": True} if event.backlog else fields


def _mark(event: VenueMark) -> tuple[str, Decoded]:
    return "mark", {"mark": _number(event.mark), "index": _number(event.index)}


def _funding(event: Funding) -> tuple[str, Decoded]:
    return "funding", {
        "rate": _number(event.rate),
        "predicted": _number(event.predicted),
        "next_time": _seconds(event.next_time_ns),
        "mark": _number(event.mark),
    }


def _open_interest(event: OpenInterest) -> tuple[str, Decoded]:
    return "open_interest", {"open_interest": plain(event.open_interest)}


def _liquidation(event: Liquidation) -> tuple[str, Decoded]:
    return "liquidation", {
        "side": event.side,
        "price": plain(event.price),
        "amount": plain(event.amount),
    }


_FORMATS: dict[type, Callable[[Any], tuple[str, Decoded]]] = {
    BookTop: _top,
    Touch: _ticker,
    Trade: _trade,
    VenueMark: _mark,
    Funding: _funding,
    OpenInterest: _open_interest,
    Liquidation: _liquidation,
}
