from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from perps_actors.errors import VenueError
from perps_actors.market.events import BookTop, Funding, OpenInterest, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.simulator.venue_contract import Depth, WholeTicker
from perps_actors.simulator.venues import contract, side_of
from perps_actors.simulator.venues.deribit.rest import DeribitRestSide
from perps_actors.simulator.venues.deribit.stream import DeribitSession, DeribitStreams
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.deribit.rest import DeribitRest
from perps_actors.venues.deribit.stream import DeribitStream

TERMS = side_of("deribit").terms
BTC = InstrumentId("deribit", "BTC-PERPETUAL")
AT = 1_700_000_000_123_000_000

serve, serve_rest = DeribitStreams("deribit"), DeribitRestSide()


def number(text: str) -> DecimalText:
    return DecimalText(text)


class Some:
    """A market of some symbols with known touch, unless `silent`, and unknown mark."""

    def __init__(self, *symbols: str, silent: bool = False) -> None:
        self._symbols = symbols or ("BTC-PERPETUAL", "SOL_USDC-PERPETUAL")
        self._silent = silent

    def instruments(self):
        steps = {"tick": Decimal("0.5"), "lot": Decimal(10)}
        return [
            contract("deribit", symbol, TERMS, **steps, perpetual=symbol.endswith("PERPETUAL"))
            for symbol in self._symbols
        ]

    def touch(self, symbol):
        instrument = InstrumentId("deribit", symbol)
        return (
            None
            if self._silent
            else Touch(
                instrument, number("30"), number("1"), number("31.5"), number("2"), None, AT, AT
            )
        )

    def depth(self, symbol):
        return (
            None
            if self._silent
            else Depth(symbol, 7, (("30", "1"), ("29", "4")), (("31.5", "2"), ("32", "3")), AT)
        )

    def venue_mark(self, symbol):  # noqa: ARG002 - unknown for all
        return None

    def open_interest(self, symbol):  # noqa: ARG002 - unknown for all
        return None


def ask(method: str, query: str = "", *symbols: str, silent: bool = False) -> tuple[int, dict]:
    answer = serve_rest.answer(f"/api/v2/public/{method}", query, Some(*symbols, silent=silent), AT)
    return answer.status, json.loads(answer.body)


def said(session: DeribitSession, method: str, **params) -> dict:
    (answer,) = session.receive(
        json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    )
    return json.loads(answer)


def test_the_answer_to_a_subscription_lists_the_accepted_channels() -> None:
    session = DeribitSession("/ws/api/v2")
    channels = [
        "book.BTC-PERPETUAL.100ms",
        "book.BTC-PERPETUAL.none.10.100ms",
        "weather.BTC.100ms",
        "trades.BTC-PERPETUAL.agg2",
        "book",
    ]
    answer = said(session, "public/subscribe", channels=channels)
    assert answer == {
        "jsonrpc": "2.0",
        "id": 7,
        "result": ["book.BTC-PERPETUAL.100ms", "trades.BTC-PERPETUAL.agg2"],
    }
    assert session.streams() == ("book.BTC-PERPETUAL", "trades.BTC-PERPETUAL")
    assert said(session, "public/unsubscribe", channels=["book.BTC-PERPETUAL.100ms"])["result"] == [
        "book.BTC-PERPETUAL.100ms"
    ]
    assert session.streams() == ("trades.BTC-PERPETUAL",)


def test_raw_channels_are_refused_without_a_login() -> None:
    session = DeribitSession("/ws/api/v2")
    assert (
        said(session, "public/subscribe", channels=["book.BTC-PERPETUAL.raw"])["error"]["code"]
        == 13778
    )
    assert session.streams() == ()


def test_a_path_without_streams_is_refused() -> None:
    with pytest.raises(VenueError, match="/ws/api/v1"):
        DeribitSession("/ws/api/v1")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", -32700),
        ("[]", -32600),
        ('{"id":1}', -32601),
        ('{"id":1,"method":"private/buy"}', -32601),
        ('{"id":1,"method":"public/subscribe"}', -32602),
        ('{"id":1,"method":"public/subscribe","params":[]}', -32602),
        ('{"id":1,"method":"public/subscribe","params":{"channels":[]}}', -32602),
        ('{"id":1,"method":"public/subscribe","params":{"channels":["a",1]}}', -32602),
        (
            json.dumps(
                {
                    "id": 1,
                    "method": "public/subscribe",
                    "params": {"channels": ["book.A.100ms"] * 501},
                }
            ),
            -32602,
        ),
        ('{"id":1,"method":"public/set_heartbeat","params":{"interval":9}}', -32602),
    ],
)
def test_a_malformed_request_is_answered_with_an_error_and_changes_nothing(
    text: str, code: int
) -> None:
    session = DeribitSession("/ws/api/v2")
    (answer,) = session.receive(text)
    assert json.loads(answer)["error"]["code"] == code
    assert session.streams() == ()
    assert any(
        isinstance(outcome, InvalidInput)
        for outcome in DeribitStream().frame("c", answer.encode(), AT)
    )


def test_answers_to_the_adapters_requests_are_no_invalid_input() -> None:
    adapter, session = DeribitStream(), DeribitSession("/ws/api/v2")
    (plan,) = adapter.plan(["BTC-PERPETUAL"])
    answers = [
        answer for frame in adapter.opened(plan.name, 1) for answer in session.receive(frame.text)
    ]
    answers += session.receive(plan.keep_alive[0])
    assert [
        outcome for answer in answers for outcome in adapter.frame(plan.name, answer.encode(), AT)
    ] == []
    assert session.streams() == (
        "book.BTC-PERPETUAL",
        "ticker.BTC-PERPETUAL",
        "trades.BTC-PERPETUAL",
    )


def test_a_frame_is_sent_under_the_subscribed_channel() -> None:
    session = DeribitSession("/ws/api/v2")
    said(session, "public/subscribe", channels=["ticker.BTC-PERPETUAL.100ms"])
    recorded = (
        b'{"jsonrpc":"2.0","method":"subscription",'
        b'"params":{"channel":"ticker.BTC-PERPETUAL.raw","data":{"mark_price":8.70e3}}}'
    )
    assert session.formatted(recorded) == recorded.replace(b"raw", b"100ms")
    assert session.formatted(recorded[:-20]) == recorded[:-20]
    assert session.formatted(recorded.replace(b"BTC", b"ETH")) == recorded.replace(b"BTC", b"ETH")


def test_the_adapter_reads_the_events_of_the_frames() -> None:
    adapter = DeribitStream()
    touch = Touch(BTC, number("30"), number("1"), number("31.5"), number("2"), None, AT, AT)
    trade = Trade(BTC, "sell", number("30.5"), number("0.2"), "9", AT, AT)
    mark = VenueMark(BTC, number("30.4"), number("30.3"), AT, AT)
    funding = Funding(BTC, number("-0.00010000"), None, None, number("30.4"), AT, AT)
    assert list(adapter.frame("c", serve.trade_frame(trade)[1], AT)) == [trade]
    _, frame = serve.ticker_frame(WholeTicker(touch, mark, funding, number("1000")), marked=False)
    assert list(adapter.frame("c", frame, AT)) == [
        touch,
        mark,
        funding,
        OpenInterest(BTC, number("1000"), AT, AT),
    ]


def test_the_adapter_builds_the_book_that_was_served() -> None:
    adapter = DeribitStream()
    outcomes = list(
        adapter.frame(
            "c",
            serve.snapshot_frame(Depth("BTC-PERPETUAL", 70, (("30", "1"),), (("31", "2"),), AT))[1],
            AT,
        )
    )
    change = Depth(
        "BTC-PERPETUAL",
        80,
        (("30", "0"), ("29", "4")),
        (("31", "3"),),
        AT,
        71,
        70,
        frozenset({"29"}),
    )
    ((_, frame),) = serve.depth_frames(change)
    outcomes += adapter.frame("c", frame, AT)
    assert not [outcome for outcome in outcomes if isinstance(outcome, InvalidInput)]
    top = [outcome for outcome in outcomes if isinstance(outcome, BookTop)][-1]
    assert (top.bid, top.bid_size, top.ask, top.ask_size, top.sequence) == (
        "29",
        "4",
        "31",
        "3",
        80,
    )
    assert json.loads(frame)["params"]["data"]["bids"] == [["delete", 30, 0], ["new", 29, 4]]
    assert json.loads(frame)["params"]["data"]["asks"] == [["change", 31, 3]]


def test_written_frames_are_read_back() -> None:
    whole = Depth("BTC-PERPETUAL", 7, (("30.0", "1"),), (), AT, whole=True)
    assert (
        msgspec.structs.replace(serve.read_depth(serve.snapshot_frame(whole)[1]), added=frozenset())
        == whole
    )
    change = Depth(
        "BTC-PERPETUAL", 80, (("30", "0"),), (("31", "3"),), AT, 71, 70, frozenset({"31"})
    )
    assert serve.read_depth(serve.depth_frames(change)[0][1]) == change


def test_a_frame_belongs_to_the_stream_of_its_channel_even_if_damaged() -> None:
    stream, frame = serve.snapshot_frame(Depth("BTC-PERPETUAL", 7, (("30", "1"),), (), AT))
    assert (
        serve.stream_of(frame)
        == serve.stream_of(frame[:-20])
        == serve.stream_of(frame.replace(b"100ms", b"raw"))
        == stream
    )
    assert serve.stream_of(b'{"jsonrpc":"2.0","id":0,"result":["book.BTC-PERPETUAL.raw"]}') is None
    assert (
        serve.stream_of(b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}')
        is None
    )


def test_quotes_by_currency_have_the_futures_settled_in_it() -> None:
    (row,) = ask("get_book_summary_by_currency", "currency=USDC&kind=future")[1]["result"]
    assert (row["instrument_name"], row["bid_price"], row["ask_price"]) == (
        "SOL_USDC-PERPETUAL",
        30,
        31.5,
    )
    assert ask("get_book_summary_by_instrument", "instrument_name=SOL_USDC-PERPETUAL")[1][
        "result"
    ] == [row]
    assert (
        ask("get_book_summary_by_instrument", "instrument_name=SOL_USDC-PERPETUAL", silent=True)[1][
            "result"
        ]
        == []
    )
    assert ask("get_book_summary_by_currency", "currency=BTC&kind=option")[1]["result"] == []
    assert ask("get_book_summary_by_currency", "currency=BTC", silent=True)[1]["result"] == []


def test_other_answers_have_the_market_data() -> None:
    one = ask("ticker", "instrument_name=BTC-PERPETUAL")[1]["result"]
    assert (
        one["best_bid_price"],
        one["best_bid_amount"],
        one["best_ask_price"],
        one["best_ask_amount"],
    ) == (30, 1, 31.5, 2)
    book = ask("get_order_book", "instrument_name=BTC-PERPETUAL&depth=1")[1]["result"]
    assert (book["change_id"], book["bids"], book["asks"], book["best_ask_price"]) == (
        7,
        [[30, 1]],
        [[31.5, 2]],
        31.5,
    )
    assert len(ask("get_order_book", "instrument_name=BTC-PERPETUAL")[1]["result"]["bids"]) == 2
    assert ask("get_time")[1]["result"] == 1_700_000_000_123
    assert "version" in ask("test")[1]["result"]


def test_dated_futures_are_listed_with_their_day_and_options_as_such() -> None:
    symbols = ("BTC-PERPETUAL", "BTC-24SEP21", "BTC-24SEP21-40000-P")
    body = serve_rest.answer(
        "/api/v2/public/get_instruments", "currency=any&kind=future", Some(*symbols), AT
    ).body
    read = DeribitRest().read_instruments(body)
    assert [(one.id.symbol, one.perpetual, one.canonical.rpartition("-")[2]) for one in read] == [
        ("BTC-PERPETUAL", True, "PERP"),
        ("BTC-24SEP21", False, "210924"),
    ]
    assert [
        row["kind"] for row in ask("get_instruments", "currency=any", *symbols)[1]["result"]
    ] == ["future", "future", "option"]


@pytest.mark.parametrize(
    ("method", "query", "silent", "status", "code"),
    [
        ("ticker", "instrument_name=NOPE", False, 400, -32602),
        ("ticker", "", False, 400, -32602),
        ("ticker", "instrument_name=BTC-PERPETUAL", True, 503, 11051),
        ("get_order_book", "instrument_name=BTC-PERPETUAL&depth=3", False, 400, -32602),
        ("get_order_book", "instrument_name=BTC-PERPETUAL", True, 503, 11051),
        ("get_book_summary_by_currency", "", False, 400, -32602),
        ("nothing", "", False, 400, -32601),
    ],
)
def test_a_request_that_cannot_be_answered_gets_the_venues_error(
    method: str,
    query: str,
    silent: bool,  # noqa: FBT001
    status: int,
    code: int,
) -> None:
    answered, body = ask(method, query, silent=silent)
    assert (answered, body["error"]["code"]) == (status, code)


def test_credits_return_per_second_and_requests_beyond_them_are_refused() -> None:
    account, path = serve_rest.new_rate_limit(), "/api/v2/public/get_instruments"
    assert [account.charge(path, "", AT) for _ in range(5)] == [None] * 5
    refusal = account.charge("/api/v2/public/ticker", "", AT)
    assert refusal is not None
    assert (refusal.status, json.loads(refusal.body)["error"]["code"], refusal.retry_after_s) == (
        429,
        10028,
        1,
    )
    assert account.charge("/api/v2/public/ticker", "", AT + 50_000_000) is None
    assert account.charge(path, "", AT + 1_000_000_000) is not None
    assert account.charge(path, "", AT + 1_050_000_000) is None
