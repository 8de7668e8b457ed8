"""A venue's REST answers from the server's side: the parts that the venues share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import attrs
import msgspec

from perps_actors.kernel.clock import NS_PER_S
from perps_actors.market.candle import Candle
from perps_actors.market.events import FundingPaid
from perps_actors.market.instrument import Instrument
from perps_actors.simulator.venue_contract import Depth, MarketView, encode

T = TypeVar("T")
Row = TypeVar("Row")


@attrs.frozen
class RestAnswer:
    """An HTTP answer with a JSON body."""

    status: int
    body: bytes
    retry_after_s: int | None = None


class RestRefusal(Exception):
    """A request is refused.

    Args:
        status: HTTP status of the answer.
        said: fields of the answer's body.
    """

    def __init__(self, status: int, said: Mapping[str, Any]) -> None:
        super().__init__(status, said)
        self.status = status
        self.said = said


class NotKnown(Exception):
    """The market data for an answer is not known (yet), so an empty answer would be wrong."""


def known(value: T | None) -> T:
    """Return a value of the market.

    Raises:
        NotKnown: it is None.
    """
    if value is None:
        raise NotKnown
    return value


def listed_as(symbol: str, market: MarketView) -> Instrument | None:
    """Return the instrument that is listed under a symbol."""
    return next((listed for listed in market.instruments() if listed.id.symbol == symbol), None)


def required(symbol: str, market: MarketView, refusal: RestRefusal) -> Instrument:
    """Return the instrument that is listed under a symbol.

    Raises:
        RestRefusal: none is listed; it is the `refusal`.
    """
    listed = listed_as(symbol, market)
    if listed is None:
        raise refusal
    return listed


def present(rows: Iterable[Row | None]) -> list[Row]:
    """Return the rows that are known."""
    return [row for row in rows if row is not None]


class Span(NamedTuple):
    """Time span of a request for history, and the largest number of rows of its answer."""

    since_ns: int
    until_ns: int
    most: int

    def candles(
        self, market: MarketView, symbol: str, interval_s: int | None, *, oldest: bool
    ) -> Sequence[Candle]:
        """Return the candles that opened in the span, cut to `most`.

        Raises:
            NotKnown: they are not known, or the venue has no candles of this length.
        """
        found = market.candles(symbol, known(interval_s), self.since_ns, self.until_ns)
        return self.cut(known(found), oldest=oldest)

    def fundings(self, market: MarketView, symbol: str, *, oldest: bool) -> Sequence[FundingPaid]:
        """Return the fundings that were settled in the span, cut to `most`.

        Raises:
            NotKnown: they are not known.
        """
        found = market.fundings(symbol, self.since_ns, self.until_ns)
        return self.cut(known(found), oldest=oldest)

    def cut(self, rows: Sequence[Row], *, oldest: bool) -> Sequence[Row]:
        """Return at most `most` rows: the oldest, else the newest."""
        return rows[: self.most] if oldest else rows[max(0, len(rows) - self.most) :]


def span_of(
    params: Mapping[str, str],
    names: tuple[str, str, str],
    unit_ns: int,
    now_ns: int,
    *,
    usual: int,
    most: int,
) -> Span:
    """Return the span of a request. A parameter that is missing or not a number is ignored.

    Args:
        params: parameters of the request.
        names: names of the first moment, the last moment (inclusive) and the number of rows.
        unit_ns: unit of the moments in nanoseconds.
        now_ns: present time.
        usual: number of rows without a parameter.
        most: largest number of rows that the venue sends.
    """
    since, until, count = (
        int(text) if (text := params.get(name, ""))[:20].isdecimal() and len(text) < 20 else None
        for name in names
    )
    return Span(
        since * unit_ns if since is not None else 0,
        (until + 1) * unit_ns if until is not None else now_ns + 1,
        min(count if count is not None else usual, most),
    )


class RequestWindow:
    """Requests of one address in the current window of a fixed length, counted by key.

    Args:
        length_s: length of a window in seconds.
    """

    def __init__(self, length_s: int) -> None:
        self._length_ns = length_s * NS_PER_S
        self._number = 0
        self._used: Counter[str] = Counter()

    def use(self, now_ns: int, limit: int, *, key: str = "", weight: int = 1) -> int | None:
        """Count a request; return the nanoseconds left of the window if it exceeds the limit."""
        number, into_ns = divmod(now_ns, self._length_ns)
        if number != self._number:
            self._number, self._used = number, Counter()
        self._used[key] += weight
        return None if self._used[key] <= limit else self._length_ns - into_ns

    def used(self, key: str = "") -> int:
        """Return the weight used in the current window."""
        return self._used[key]

    @property
    def ends_s(self) -> int:
        """End of the current window in seconds since 1970."""
        return (self._number + 1) * self._length_ns // NS_PER_S


class RateLimit:
    """What one address used of a venue's rate limit. By default all requests count equally.

    Args:
        too_many: makes the refusal from the seconds to wait.
    """

    limit: ClassVar[int]
    window_s: ClassVar[int]
    waits_exactly: ClassVar[bool] = False
    """Whether a refused client may come back at the end of the window, not a second later."""

    def __init__(self, too_many: Callable[[int], RestAnswer]) -> None:
        self._too_many = too_many
        self._window = RequestWindow(self.window_s)

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:
        """Count a request; return its refusal if it exceeds the limit."""
        key, limit = self._limit_of(path)
        weight = self._weight_of(path, query)
        return self._refusal(self._window.use(now_ns, limit, key=key, weight=weight))

    def headers(self) -> dict[str, str]:
        """Return the headers of every answer; none if the venue sends no counters."""
        return {}

    def _refusal(self, left_ns: int | None) -> RestAnswer | None:
        """Return the refusal until the window ends; None if the limit was kept."""
        if left_ns is None:
            return None
        # Venues round differently: some name the first second after the window, some its end.
        after = 1 + left_ns // NS_PER_S
        return self._too_many(-(-left_ns // NS_PER_S) if self.waits_exactly else after)

    def _limit_of(self, path: str) -> tuple[str, int]:  # noqa: ARG002 - for limits by path
        """Return the key under which a request counts, and its limit."""
        return "", self.limit

    def _weight_of(self, path: str, query: str) -> int:  # noqa: ARG002 - for weighted requests
        return 1


class RestSide(ABC):
    """A venue's REST answers as its server gives them."""

    rate_limit: ClassVar[type[RateLimit]]
    ignored_parameters: ClassVar[tuple[str, ...]] = ()
    """Parameters in which two equal requests of a recording may differ."""
    unknown: ClassVar[tuple[int, Mapping[str, Any]]]
    """Status and fields of the answer if the market data is not known."""
    exceeded: ClassVar[tuple[int, Mapping[str, Any]]]
    """Status and fields of the refusal beyond the rate limit."""

    def new_rate_limit(self) -> RateLimit:
        """Return the account of one address."""
        return self.rate_limit(self.too_many)

    def answer(self, path: str, query: str, market: MarketView, now_ns: int) -> RestAnswer:
        """Return the answer to a GET request; an error answer if it cannot be served."""
        try:
            body = self._body(path, dict(parse_qsl(query)), market, now_ns)
        except NotKnown:
            status, said = self.unknown
        except RestRefusal as refusal:
            status, said = refusal.status, refusal.said
        else:
            return RestAnswer(200, encode(body))
        return RestAnswer(status, encode(self._refusal_body(said, now_ns)))

    def too_many(self, retry_after_s: int, status: int | None = None) -> RestAnswer:
        """Return the refusal beyond the rate limit, or (503) of a venue that is down."""
        usual, said = self.exceeded
        body = encode(self.unknown[1] if status == 503 else said)
        return RestAnswer(status or usual, body, retry_after_s)

    def request_key(self, path: str, query: str) -> tuple[str, ...]:
        """Return path and parameters in one spelling: equal keys mean equal requests."""
        return (
            path,
            *(
                f"{name}={value}"
                for name, value in sorted(parse_qsl(query))
                if name not in self.ignored_parameters
            ),
        )

    def snapshot_symbol(self, path: str, query: str) -> str | None:  # noqa: ARG002 - for REST books
        """Return the symbol whose book's snapshot is requested; None for other requests."""
        return None

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Return the snapshot in an answer to such a request; `msgspec.DecodeError` if none."""
        msg = f"Expected no snapshot of {symbol} by REST, was {body[:60]!r}"
        raise msgspec.DecodeError(msg)

    @abstractmethod
    def _body(self, path: str, params: dict[str, str], market: MarketView, now_ns: int) -> Any:
        """Return the body of an answer.

        Raises:
            NotKnown: the market data is not known (yet).
            RestRefusal: the request cannot be served.
        """

    def _refusal_body(
        self,
        said: Mapping[str, Any],
        now_ns: int,  # noqa: ARG002
    ) -> Mapping[str, Any]:
        """Return the body of a refusal."""
        return said
