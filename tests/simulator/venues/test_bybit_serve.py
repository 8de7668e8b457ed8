from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from perps_actors.errors import VenueError
from perps_actors.market.events import (
    BookTop,
    Earlier,
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
from perps_actors.simulator.venues.bybit.rest import BybitRestSide
from perps_actors.simulator.venues.bybit.stream import BybitSession, BybitStreams
from perps_actors.venues.bybit.rest import BybitRest
from perps_actors.venues.bybit.stream import BybitStream
from perps_actors.venues.contract import InvalidInput

SERVE, REST = BybitStreams(), BybitRestSide()
BTC = InstrumentId("bybit", "BTCUSDT")
AT = 1_700_000_000_123_000_000
S = 1_000_000_000


def number(text: str) -> DecimalText:
    return DecimalText(text)


BOOK = Depth(
    "BTCUSDT", 77, tuple((str(price), "1") for price in range(30, 0, -1)), (("31", "2"),), AT
)
TOUCH = Touch(BTC, number("30"), number("1"), number("31"), number("2"), None, AT, AT)
MARK = VenueMark(BTC, number("30.4"), number("30.3"), AT, AT)
FUNDING = Funding(BTC, number("-0.0001"), None, AT + S, number("30.4"), AT, AT)
TICKER = WholeTicker(TOUCH, MARK, FUNDING, number("1000"))


class OneBook:
    """A market of one symbol with known touch and book, and unknown mark."""

    def instruments(self):
        return [
            contract(
                "bybit",
                "BTCUSDT",
                side_of("bybit").terms,
                tick=Decimal("0.10"),
                lot=Decimal("0.001"),
            )
        ]

    def depth(self, symbol):  # noqa: ARG002 - one symbol
        return BOOK

    def touch(self, symbol):  # noqa: ARG002 - one symbol
        return TOUCH

    def venue_mark(self, symbol):  # noqa: ARG002 - one symbol
        return None

    def open_interest(self, symbol):  # noqa: ARG002 - one symbol
        return None


def ask(path: str, query: str = "") -> tuple[int, dict]:
    answer = REST.answer(f"/v5/market/{path}", query, OneBook(), AT)
    return answer.status, json.loads(answer.body)


def linear() -> BybitSession:
    return BybitSession("/v5/public/linear")


def say(session: BybitSession, op: str, *topics: str) -> dict:
    (answer,) = session.receive(json.dumps({"req_id": "7", "op": op, "args": topics}))
    return json.loads(answer)


@pytest.mark.parametrize("path", ["/v5/public", "/v5/public/option", "/v5/private", "linear", "/"])
def test_a_path_without_streams_is_refused(path: str) -> None:
    with pytest.raises(VenueError, match="Expected a path"):
        BybitSession(path)


def test_subscriptions_are_changed_and_acknowledged_with_the_clients_id() -> None:
    session = linear()
    said = say(
        session, "subscribe", "orderbook.50.BTCUSDT", "tickers.BTCUSDT", "publicTrade.BTCUSDT"
    )
    assert (said["success"], said["op"], said["req_id"]) == (True, "subscribe", "7")
    assert session.streams() == ("orderbook.BTCUSDT", "tickers.BTCUSDT", "publicTrade.BTCUSDT")
    assert say(session, "unsubscribe", "tickers.BTCUSDT")["success"]
    assert session.streams() == ("orderbook.BTCUSDT", "publicTrade.BTCUSDT")


def test_a_book_is_one_stream_for_all_depths() -> None:
    session = linear()
    say(session, "subscribe", "orderbook.50.XRPUSDT")
    recorded = b'{"topic":"orderbook.500.XRPUSDT","type":"delta","ts":1,"data":{"s":"XRPUSDT"'
    assert SERVE.stream_of(recorded) in session.streams()
    say(session, "unsubscribe", "orderbook.500.XRPUSDT")
    assert session.streams() == ()


def test_a_ping_is_answered_with_a_pong() -> None:
    (answer,) = linear().receive('{"op":"ping"}')
    assert (json.loads(answer)["op"], json.loads(answer)["ret_msg"]) == ("ping", "pong")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "[" * 60_000,
        '{"op":"buy","args":["tickers.BTCUSDT"]}',
        '{"op":"subscribe"}',
        '{"op":"subscribe","args":[]}',
        '{"op":"subscribe","args":"tickers.BTCUSDT"}',
        '{"op":"subscribe","args":[1]}',
        '{"op":"subscribe","args":["orderbook.25.BTCUSDT"]}',
        '{"op":"subscribe","args":["tickers."]}',
        '{"op":"subscribe","args":["candles.BTCUSDT"]}',
        '{"op":"subscribe","args":["tickers.BTCUSD"]}',
        '{"op":"subscribe","args":["tickers.BTCUSDT","candles.BTCUSDT"]}',
        json.dumps({"op": "subscribe", "args": [f"tickers.A{n:030}USDT" for n in range(600)]}),
    ],
)
def test_an_invalid_request_is_refused_as_a_whole_and_changes_nothing(text: str) -> None:
    session = linear()
    (answer,) = session.receive(text)
    assert json.loads(answer)["success"] is False
    assert session.streams() == ()


def test_a_book_is_sent_under_the_subscribed_topic() -> None:
    session, made, best = (
        linear(),
        SERVE.snapshot_frame(BOOK)[1],
        b'{"topic":"orderbook.1.BTCUSDT","type":"snapshot"}',
    )
    say(session, "subscribe", "orderbook.200.BTCUSDT", "orderbook.1.ETHUSDT")
    assert session.formatted(made) == made.replace(b"orderbook.50.", b"orderbook.200.")
    assert session.formatted(best) == best
    other = made.replace(b"BTC", b"ETH")
    assert session.formatted(other) == other
    say(session, "subscribe", "orderbook.50.BTCUSDT")
    assert session.formatted(made) == made


def test_a_repeated_subscription_is_refused() -> None:
    session = linear()
    say(session, "subscribe", "tickers.BTCUSDT")
    assert say(session, "subscribe", "tickers.BTCUSDT") == {
        "success": False,
        "ret_msg": "error:already subscribed,topic:tickers.BTCUSDT",
        "req_id": "7",
        "op": "subscribe",
        "conn_id": "simulated",
    }


def test_the_adapter_reads_the_events_of_the_frames() -> None:
    adapter = BybitStream()
    trade = Trade(BTC, "sell", number("30.5"), number("0.2"), "9", AT, AT)
    held = OpenInterest(BTC, number("1000"), AT, AT)
    assert list(adapter.frame("linear-0", SERVE.trade_frame(trade)[1], AT)) == [trade]
    assert list(adapter.frame("linear-0", SERVE.first_ticker_frame(TICKER)[1], AT)) == [
        TOUCH,
        MARK,
        FUNDING,
        held,
    ]
    assert list(adapter.frame("linear-0", SERVE.ticker_frame(TICKER, marked=False)[1], AT)) == [
        TOUCH,
        held,
    ]
    assert list(adapter.frame("linear-0", SERVE.ticker_frame(TICKER, marked=True)[1], AT)) == [
        TOUCH,
        MARK,
        FUNDING,
        held,
    ]


def test_a_ticker_with_a_mark_has_the_value_of_the_open_interest() -> None:
    whole, changed = (
        json.loads(SERVE.ticker_frame(TICKER, marked=marked)[1])["data"] for marked in (True, False)
    )
    assert (whole["openInterest"], whole["openInterestValue"]) == ("1000", "30400")
    assert (changed["openInterest"], "openInterestValue" in changed) == ("1000", False)


def test_unknown_fields_of_a_mark_are_left_out_of_its_ticker() -> None:
    adapter = BybitStream()
    list(adapter.frame("linear-0", SERVE.first_ticker_frame(TICKER)[1], AT))
    later = VenueMark(BTC, number("30.6"), None, AT + S, AT + S)
    touch = msgspec.structs.replace(TOUCH, venue_time_ns=AT + S)
    ticker = WholeTicker(
        touch, later, Funding(BTC, None, None, None, number("30.6"), AT + S, AT + S), None
    )
    _, mark, *_ = adapter.frame("linear-0", SERVE.ticker_frame(ticker, marked=True)[1], AT + S)
    assert (mark.mark, mark.index, mark.earlier) == ("30.6", "30.3", (Earlier("index", AT, AT),))


def test_the_adapter_builds_the_book_that_was_served() -> None:
    adapter = BybitStream()
    change = Depth("BTCUSDT", 78, (("30", "0"), ("29", "5")), (), AT + 1_000_000)
    frames = [SERVE.snapshot_frame(BOOK)[1], SERVE.depth_frames(change)[0][1]]
    tops = [outcome for frame in frames for outcome in adapter.frame("linear-0", frame, AT)]
    assert [
        (top.snapshot, top.bid, top.bid_size, top.ask, top.sequence)
        for top in tops
        if isinstance(top, BookTop)
    ] == [
        (True, "30", "1", "31", 77),
        (False, "29", "5", "31", 78),
    ]


def test_written_frames_are_read_back() -> None:
    change = Depth("BTCUSDT", 78, (("30", "0"),), (("31", "2.5"),), AT)
    stream, frame = SERVE.depth_frames(change)[0]
    assert SERVE.read_depth(frame) == change
    assert SERVE.read_depth(SERVE.snapshot_frame(BOOK)[1]) == msgspec.structs.replace(
        BOOK, whole=True
    )
    assert (
        SERVE.stream_of(frame)
        == stream
        == SERVE.stream_of(b' {"type":"delta","data":{},"topic":"orderbook.50.BTCUSDT"}')
    )
    assert SERVE.stream_of(frame[:-20]) == stream
    assert (SERVE.channel_of(stream), SERVE.symbol_of(stream), SERVE.route_of(stream)) == (
        "book",
        "BTCUSDT",
        "linear",
    )
    assert SERVE.stream_of(b'{"success":true,"ret_msg":"","op":"subscribe"}') is None
    assert SERVE.stream_of(b"\xff") is None


def test_a_book_with_update_number_one_is_a_snapshot() -> None:
    assert SERVE.read_depth(SERVE.depth_frames(Depth("BTCUSDT", 1, (), (), AT))[0][1]).whole


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("tickers", "", 200, 10001),
        ("tickers", "category=spot", 200, 10001),
        ("tickers", "category=linear&symbol=NOPE", 200, 10001),
        ("orderbook", "category=linear", 200, 10001),
        ("orderbook", "category=linear&symbol=BTCUSDT&limit=501", 200, 10001),
        ("orderbook", "category=linear&symbol=BTCUSDT&limit=x", 200, 10001),
        ("nothing", "", 404, None),
    ],
)
def test_a_request_that_cannot_be_answered_gets_the_venues_error(
    path: str, query: str, status: int, code: int | None
) -> None:
    answered, body = ask(path, query)
    assert (answered, body.get("retCode")) == (status, code)


def test_rest_answers_have_only_known_market_data() -> None:
    (row,) = ask("tickers", "category=linear")[1]["result"]["list"]
    assert ask("tickers", "category=linear&symbol=BTCUSDT")[1]["result"]["list"] == [row]
    assert (row["bid1Price"], row["ask1Size"], row["markPrice"], row["lastPrice"]) == (
        "30",
        "2",
        "",
        "",
    )
    assert ask("tickers", "category=inverse")[1]["result"]["list"] == []
    book = ask("orderbook", "category=linear&symbol=BTCUSDT&limit=3")[1]["result"]
    assert (book["u"], book["b"], book["a"]) == (
        77,
        [["30", "1"], ["29", "1"], ["28", "1"]],
        [["31", "2"]],
    )
    assert ask("time")[1]["result"]["timeNano"] == str(AT)


def test_the_adapter_reads_quotes_and_books_of_the_answers() -> None:
    rest = BybitRest()
    (quotes,) = rest.quotes(["BTCUSDT"])
    for request, kind in ((quotes, Touch), (rest.depth("BTCUSDT"), BookTop)):
        path, _, query = request.url.removeprefix("https://api.bybit.com").partition("?")
        outcomes = rest.read(request, 200, REST.answer(path, query, OneBook(), AT).body, AT)
        assert [
            (outcome.bid, outcome.ask) for outcome in outcomes if isinstance(outcome, kind)
        ] == [("30", "31")]
        assert not [outcome for outcome in outcomes if isinstance(outcome, InvalidInput)]


def test_requests_for_different_sizes_have_equal_keys() -> None:
    assert REST.request_key(
        "/v5/market/orderbook", "category=linear&symbol=A&limit=500"
    ) == REST.request_key("/v5/market/orderbook", "symbol=A&category=linear")
    assert REST.request_key("/v5/market/tickers", "category=linear") != REST.request_key(
        "/v5/market/tickers", "category=inverse"
    )


def test_an_address_beyond_the_limit_is_banned_for_ten_minutes() -> None:
    account, start = REST.new_rate_limit(), 5 * S * 1000
    assert [account.charge("/v5/market/time", "", start) for _ in range(600)] == [None] * 600
    refusal = account.charge("/v5/market/time", "", start + 4 * S)
    assert refusal is not None
    assert (refusal.status, json.loads(refusal.body)["retCode"], refusal.retry_after_s) == (
        403,
        10018,
        600,
    )
    later = account.charge("/v5/market/time", "", start + 104 * S)
    assert (later.status, later.retry_after_s) == (403, 500)
    assert account.charge("/v5/market/time", "", start + 604 * S) is None
    assert account.headers() == {}
