from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import VenueError
from perps_actors.market.events import (
    BookTop,
    BookWithdrawn,
    Funding,
    OpenInterest,
    Touch,
    Trade,
    VenueMark,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.simulator.venue_contract import Depth, WholeTicker
from perps_actors.simulator.venues import contract, side_of
from perps_actors.simulator.venues.kraken_futures.rest import (
    KrakenFuturesRestSide,
)
from perps_actors.simulator.venues.kraken_futures.stream import (
    KrakenFuturesSession,
    KrakenFuturesStreams,
    money_of,
)
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.kraken_futures.rest import KrakenFuturesRest
from perps_actors.venues.kraken_futures.stream import KrakenFuturesStream

TERMS = side_of("kraken_futures").terms
BTC = InstrumentId("kraken_futures", "PF_XBTUSD")
AT = 1_700_000_000_123_000_000

serve, serve_rest = KrakenFuturesStreams(), KrakenFuturesRestSide()


def number(text: str) -> DecimalText:
    return DecimalText(text)


class OneProduct:
    """A market of one product with known touch, unless `silent`, and unknown mark."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent

    def instruments(self):
        return [
            contract(
                "kraken_futures", "PF_XBTUSD", TERMS, tick=Decimal("0.5"), lot=Decimal("0.0001")
            )
        ]

    def touch(self, symbol):  # noqa: ARG002 - one symbol
        return (
            None
            if self._silent
            else Touch(BTC, number("30"), number("1"), number("31.5"), number("2"), None, AT, AT)
        )

    def depth(self, symbol):
        return (
            None
            if self._silent
            else Depth(symbol, 7, (("30", "1"), ("29.5", "4.25")), (("31.5", "2"),), AT)
        )

    def venue_mark(self, symbol):  # noqa: ARG002 - one symbol
        return None

    def open_interest(self, symbol):  # noqa: ARG002 - one symbol
        return None


def ask(path: str, query: str = "", *, silent: bool = False) -> tuple[int, dict]:
    answer = serve_rest.answer(f"/derivatives/api/v3/{path}", query, OneProduct(silent=silent), AT)
    return answer.status, json.loads(answer.body)


def said(session: KrakenFuturesSession, **request) -> list[dict]:
    return [json.loads(answer) for answer in session.receive(json.dumps(request))]


def test_each_product_is_acknowledged_separately_with_its_subscribed_feed() -> None:
    session = KrakenFuturesSession("/ws/v1")
    assert said(
        session, event="subscribe", feed="ticker_lite", product_ids=["pf_xbtusd", "PI_XBTUSD"]
    ) == [
        {"event": "subscribed", "feed": "ticker_lite", "product_ids": ["PF_XBTUSD"]},
        {"event": "subscribed", "feed": "ticker_lite", "product_ids": ["PI_XBTUSD"]},
    ]
    assert session.streams() == ("ticker:PF_XBTUSD", "ticker:PI_XBTUSD")
    assert said(session, event="unsubscribe", feed="ticker_lite", product_ids=["PF_XBTUSD"]) == [
        {"event": "unsubscribed", "feed": "ticker_lite", "product_ids": ["PF_XBTUSD"]}
    ]
    assert session.streams() == ("ticker:PI_XBTUSD",)


def test_a_ping_is_answered_and_a_path_without_streams_is_refused() -> None:
    assert said(KrakenFuturesSession("/ws/v1"), event="ping") == [{"event": "pong"}]
    with pytest.raises(VenueError, match="/ws/v2"):
        KrakenFuturesSession("/ws/v2")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("{", {"event": "error", "message": "Json Error"}),
        ("[]", {"event": "alert", "message": "Bad request"}),
        ('{"event":"buy"}', {"event": "alert", "message": "Bad request"}),
        (
            '{"event":"subscribe","feed":"fills","product_ids":["A"]}',
            {"event": "error", "message": "Invalid feed"},
        ),
        (
            '{"event":"subscribe","feed":["book"],"product_ids":["A"]}',
            {"event": "error", "message": "Invalid feed"},
        ),
        (
            '{"event":"subscribe","feed":"book"}',
            {"event": "error", "message": "Invalid product id"},
        ),
        (
            '{"event":"subscribe","feed":"book","product_ids":[]}',
            {"event": "error", "message": "Invalid product id"},
        ),
        (
            '{"event":"subscribe","feed":"book","product_ids":["A",1]}',
            {"event": "error", "message": "Invalid product id"},
        ),
    ],
)
def test_a_malformed_request_is_answered_with_an_error_and_changes_nothing(
    text: str, answer: dict
) -> None:
    session = KrakenFuturesSession("/ws/v1")
    assert [json.loads(each) for each in session.receive(text)] == [answer]
    assert session.streams() == ()
    assert any(
        isinstance(outcome, InvalidInput)
        for outcome in KrakenFuturesStream().frame("c", session.receive(text)[0].encode(), AT)
    )


def test_acknowledgements_of_the_adapters_requests_are_no_invalid_input() -> None:
    adapter, session = KrakenFuturesStream(), KrakenFuturesSession("/ws/v1")
    (plan,) = adapter.plan(["PF_XBTUSD"])
    answers = [
        answer for frame in adapter.opened(plan.name, 1) for answer in session.receive(frame.text)
    ]
    answers += session.receive(plan.keep_alive[0])
    assert [
        outcome for answer in answers for outcome in adapter.frame(plan.name, answer.encode(), AT)
    ] == []
    assert session.streams() == ("book:PF_XBTUSD", "ticker:PF_XBTUSD", "trade:PF_XBTUSD")


def test_the_adapter_reads_the_events_of_the_frames() -> None:
    adapter = KrakenFuturesStream()
    touch = Touch(BTC, number("30"), number("1"), number("31.5"), number("2"), None, AT, AT)
    trade = Trade(BTC, "sell", number("30.5"), number("0.2"), "9", AT, AT)
    mark = VenueMark(BTC, number("30.4"), number("30.3"), AT, AT)
    funding = Funding(BTC, number("-0.00010000"), None, AT + 1_000_000_000, number("30.4"), AT, AT)
    assert list(adapter.frame("c", serve.trade_frame(trade)[1], AT)) == [trade]
    _, frame = serve.ticker_frame(WholeTicker(touch, mark, funding, number("1000")), marked=False)
    assert list(adapter.frame("c", frame, AT)) == [
        touch,
        mark,
        OpenInterest(BTC, number("1000"), AT, AT),
        funding,
    ]


@pytest.mark.parametrize(
    ("symbol", "money"),
    [("PF_XBTUSD", "-5"), ("PI_XBTUSD", "-0.000000002"), ("FI_XBTUSD_210924", "-0.000000002")],
)
def test_funding_is_money_per_contract_of_one_base_asset_or_one_dollar(
    symbol: str, money: str
) -> None:
    instrument = InstrumentId("kraken_futures", symbol)
    mark = VenueMark(instrument, number("50001"), number("50000"), AT, AT)
    funding = Funding(instrument, number("-0.0001"), None, None, mark.mark, AT, AT)
    assert money_of(symbol, mark, funding) == money
    assert money_of(symbol, msgspec.structs.replace(mark, index=None), funding) is None
    assert money_of(symbol, mark, msgspec.structs.replace(funding, rate=None)) is None


PRICES = st.integers(1, 60).map(str)
SIDES = st.dictionaries(PRICES, st.sampled_from(["0", "0.000", "1", "20.50"]), max_size=8).map(
    lambda side: tuple(side.items())
)


@given(SIDES, SIDES)
def test_a_delta_has_one_frame_per_level_and_ends_with_its_own_number(
    bids: tuple, asks: tuple
) -> None:
    frames = serve.depth_frames(
        Depth(
            "PF_XBTUSD",
            99,
            bids,
            asks,
            AT,
            99 - len(bids) - len(asks) + 1,
            99 - len(bids) - len(asks),
        )
    )
    changes = [serve.read_depth(frame) for _, frame in frames]
    assert sorted(level for change in changes for level in change.bids) == sorted(bids)
    assert sorted(level for change in changes for level in change.asks) == sorted(asks)
    assert [change.last for change in changes] == list(range(100 - len(changes), 100))
    assert {
        (change.venue_time_ns, change.last - change.previous, change.whole) for change in changes
    } <= {(AT, 1, False)}


def test_a_book_that_moves_through_old_prices_never_crosses_between_frames() -> None:
    adapter = KrakenFuturesStream()
    book = Depth("PF_XBTUSD", 7, (("30", "1"), ("29", "1")), (("31", "1"), ("32", "1")), AT)
    outcomes = list(adapter.frame("c", serve.snapshot_frame(book)[1], AT))
    up = Depth("PF_XBTUSD", 11, (("31", "2"), ("29", "0")), (("31", "0"), ("33", "1")), AT, 8, 7)
    for _, frame in serve.depth_frames(up):
        outcomes += adapter.frame("c", frame, AT)
    assert not [
        outcome for outcome in outcomes if isinstance(outcome, BookWithdrawn | InvalidInput)
    ]
    top = [outcome for outcome in outcomes if isinstance(outcome, BookTop)][-1]
    assert (top.bid, top.ask, top.sequence) == ("31", "32", 11)


def test_a_snapshot_is_read_back_as_the_whole_book() -> None:
    book = Depth("PF_XBTUSD", 7, (("30.0", "1"), ("29.5", "4.25")), (("31", "1"),), AT, whole=True)
    assert serve.read_depth(serve.snapshot_frame(book)[1]) == book


def test_a_frame_belongs_to_the_stream_of_its_kind_and_product_even_if_damaged() -> None:
    frame = serve.snapshot_frame(Depth("PF_XBTUSD", 7, (("30", "1"),), (), AT))[1]
    assert serve.stream_of(frame) == serve.stream_of(frame[:-20]) == "book:PF_XBTUSD"
    assert (
        serve.stream_of(b'{"time":1,"product_id":"PI_XBTUSD","feed":"ticker"}')
        == "ticker:PI_XBTUSD"
    )
    assert (
        serve.stream_of(b'{"feed":"ticker_lite","product_id":"PI_XBTUSD","bid":1,"ask":2}')
        == "ticker:PI_XBTUSD"
    )
    assert (
        serve.stream_of(b'{"feed":"trade_snapshot","product_id":"PI_XBTUSD","trades":[]}')
        == "trade:PI_XBTUSD"
    )
    assert (
        serve.stream_of(b'{"event":"subscribed","feed":"book","product_ids":["PI_XBTUSD"]}') is None
    )
    assert serve.stream_of(b"\xff") is None


def test_rest_answers_have_the_market_data() -> None:
    status, one = ask("tickers/pf_xbtusd")
    assert (status, one["result"], one["serverTime"]) == (
        200,
        "success",
        "2023-11-14T22:13:20.123Z",
    )
    assert {
        name: one["ticker"][name] for name in ("symbol", "bid", "bidSize", "ask", "askSize")
    } == {
        "symbol": "PF_XBTUSD",
        "bid": 30,
        "bidSize": 1,
        "ask": 31.5,
        "askSize": 2,
    }
    assert ask("tickers")[1]["tickers"] == [one["ticker"]]
    assert ask("orderbook", "symbol=pf_xbtusd")[1]["orderBook"] == {
        "bids": [[30, 1], [29.5, 4.25]],
        "asks": [[31.5, 2]],
    }
    assert ask("tickers", silent=True)[1]["tickers"] == []


@pytest.mark.parametrize(
    ("path", "query", "silent", "status", "error"),
    [
        ("tickers/PF_NONE", "", False, 404, "contractUnavailable"),
        ("tickers/PF_XBTUSD", "", True, 503, "Unavailable"),
        ("orderbook", "", False, 404, "contractUnavailable"),
        ("orderbook", "symbol=PF_XBTUSD", True, 503, "Unavailable"),
        ("nothing", "", False, 404, "notFound"),
    ],
)
def test_a_request_that_cannot_be_answered_gets_the_venues_error(
    path: str,
    query: str,
    silent: bool,  # noqa: FBT001
    status: int,
    error: str,
) -> None:
    answered, body = ask(path, query, silent=silent)
    assert (answered, body["result"], body["error"]) == (status, "error", error)


def test_a_dated_inverse_contract_is_listed_with_its_last_day() -> None:
    dated = contract(
        "kraken_futures",
        "FI_XBTUSD_210924",
        TERMS,
        tick=Decimal("0.5"),
        lot=Decimal(1),
        perpetual=False,
    )

    class Dated(OneProduct):
        def instruments(self):
            return [dated]

    body = serve_rest.answer("/derivatives/api/v3/instruments", "", Dated(), AT).body
    (read,) = KrakenFuturesRest().read_instruments(body)
    assert (read.canonical, read.perpetual, read.linear, read.margin) == (
        "BTC-USD-210924",
        False,
        False,
        "BTC",
    )


def test_requests_beyond_the_limit_of_ten_seconds_are_refused() -> None:
    account, window = serve_rest.new_rate_limit(), 10_000_000_000 * 1000
    assert {account.charge("/derivatives/api/v3/tickers", "", window) for _ in range(500)} == {None}
    refusal = account.charge("/derivatives/api/v3/tickers", "", window + 2_000_000_000)
    assert refusal is not None
    assert (refusal.status, json.loads(refusal.body)["error"], refusal.retry_after_s) == (
        429,
        "apiLimitExceeded",
        9,
    )
    assert account.charge("/derivatives/api/v3/tickers", "", window + 10_000_000_000) is None
