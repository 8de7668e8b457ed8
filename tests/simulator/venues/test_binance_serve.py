from __future__ import annotations

import json
from decimal import Decimal

import pytest

from perps_actors.errors import VenueError
from perps_actors.market.events import BookTop, Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.simulator.venue_contract import Depth
from perps_actors.simulator.venues import contract, side_of
from perps_actors.simulator.venues.binance_futures.rest import BinanceRestSide
from perps_actors.simulator.venues.binance_futures.stream import BinanceStreams
from perps_actors.venues.binance_futures.schema import USD_M
from perps_actors.venues.binance_futures.stream import BinanceFuturesStream
from perps_actors.venues.contract import InvalidInput

TERMS = side_of("binance_futures").terms


serve, serve_rest = BinanceStreams(USD_M), BinanceRestSide(USD_M)
StreamSession, WeightAccount = serve.session, serve_rest.new_rate_limit
BTC = InstrumentId("binance_futures", "BTCUSDT")
AT = 1_700_000_000_123_000_000


def number(text: str) -> DecimalText:
    return DecimalText(text)


class OneBook:
    """A market of one symbol with known touch and book, unknown mark and open interest."""

    def instruments(self):
        return [
            contract(
                "binance_futures", "BTCUSDT", TERMS, tick=Decimal("0.10"), lot=Decimal("0.001")
            )
        ]

    def depth(self, symbol):
        return Depth(symbol, 77, tuple((str(p), "1") for p in range(30, 0, -1)), (("31", "2"),), AT)

    def touch(self, symbol):  # noqa: ARG002 - one symbol
        return Touch(BTC, number("30"), number("1"), number("31"), number("2"), None, AT, AT)

    def venue_mark(self, symbol):  # noqa: ARG002 - one symbol
        return None

    def open_interest(self, symbol):  # noqa: ARG002 - one symbol
        return None


def ask(path: str, query: str = "") -> tuple[int, object]:
    answer = serve_rest.answer(path, query, OneBook(), AT)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("path", "carried"),
    [
        ("/public/stream", ("btcusdt@depth@100ms", "btcusdt@bookTicker")),
        ("/market/stream", ("btcusdt@aggTrade", "btcusdt@markPrice@1s", "btcusdt@kline_1m")),
        ("/stream", ("btcusdt@depth@100ms", "btcusdt@bookTicker")),
    ],
)
def test_a_stream_is_sent_only_on_its_own_path(path: str, carried: tuple[str, ...]) -> None:
    subscribed = (
        "btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@aggTrade"
        "/btcusdt%40markPrice%401s/btcusdt@kline_1m"
    )
    assert carried == StreamSession(path, f"streams={subscribed}").streams()


def test_a_raw_connection_gets_the_data_without_an_envelope() -> None:
    frame = serve.depth_frames(Depth("BTCUSDT", 12, (("1", "2"),), (), AT, 11, 10))[0][1]
    session = StreamSession("/public/ws/btcusdt@depth@100ms")
    assert session.streams() == ("btcusdt@depth@100ms",)
    assert json.loads(session.formatted(frame)) == json.loads(frame)["data"]
    assert (
        session.formatted(b'{"stream":"btcusdt@depth@100ms","data":{')
        == b'{"stream":"btcusdt@depth@100ms","data":{'
    )


def test_a_path_without_streams_is_refused() -> None:
    with pytest.raises(VenueError, match="/private"):
        StreamSession("/private/stream")


def test_subscriptions_are_changed_listed_and_acknowledged() -> None:
    session = StreamSession("/public/stream")
    assert json.loads(
        session.receive('{"method":"SUBSCRIBE","params":["a@depth","b@depth"],"id":1}')[0]
    ) == {"result": None, "id": 1}
    assert json.loads(
        session.receive('{"method":"UNSUBSCRIBE","params":["a@depth"],"id":2}')[0]
    ) == {"result": None, "id": 2}
    assert json.loads(session.receive('{"method":"LIST_SUBSCRIPTIONS","id":3}')[0]) == {
        "result": ["b@depth"],
        "id": 3,
    }
    assert session.streams() == ("b@depth",)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ('{"method":"SUBSCRIBE","params":["a@depth"]}', 2),
        ('{"method":"SUBSCRIBE","params":["a@depth"],"id":-1}', 2),
        ('{"method":"SUBSCRIBE","params":"a@depth","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
        ('{"method":"BUY","params":[],"id":1}', 2),
        (
            json.dumps(
                {"method": "SUBSCRIBE", "params": [f"{n}@depth" for n in range(1025)], "id": 1}
            ),
            2,
        ),
    ],
)
def test_a_malformed_request_is_answered_with_an_error_and_changes_nothing(
    text: str, code: int
) -> None:
    session = StreamSession("/public/stream")
    assert json.loads(session.receive(text)[0])["code"] == code
    assert session.streams() == ()


def test_the_adapter_reads_the_events_of_the_frames() -> None:
    adapter = BinanceFuturesStream()
    touch = Touch(BTC, number("30"), number("1"), number("31"), number("2"), None, AT, AT)
    trade = Trade(BTC, "sell", number("30.5"), number("0.2"), "9", AT, AT)
    mark = VenueMark(BTC, number("30.4"), number("30.3"), AT, AT)
    funding = Funding(BTC, number("-0.00010000"), None, AT + 1_000_000_000, number("30.4"), AT, AT)
    assert list(adapter.frame("public-0", serve.touch_frame(touch, 5)[1], AT)) == [touch]
    assert list(adapter.frame("market-0", serve.trade_frame(trade)[1], AT)) == [trade]
    ((_, told),) = serve.mark_frames(mark, funding)
    assert list(adapter.frame("market-0", told, AT)) == [mark, funding]


def test_the_adapter_builds_the_book_that_was_served() -> None:
    adapter = BinanceFuturesStream()
    (request,) = adapter.frame(
        "public-0",
        serve.depth_frames(Depth("BTCUSDT", 80, (("30", "0"),), (), AT, 70, 69))[0][1],
        AT,
    )
    outcomes = adapter.answer(
        request, 200, serve_rest.answer("/fapi/v1/depth", "symbol=BTCUSDT", OneBook(), AT).body, AT
    )
    assert not [outcome for outcome in outcomes if isinstance(outcome, InvalidInput)]
    tops = [outcome for outcome in outcomes if isinstance(outcome, BookTop)]
    assert (tops[-1].bid, tops[-1].ask, tops[-1].sequence) == ("29", "31", 80)


def test_written_frames_are_read_back() -> None:
    change = Depth("BTCUSDT", 12, (("1.0", "2"),), (("3", "0.000"),), AT, 11, 10)
    ((stream, frame),) = serve.depth_frames(change)
    assert serve.read_depth(frame) == change
    assert (
        serve.stream_of(frame)
        == stream
        == serve.stream_of(b' {"data":{},"stream":"btcusdt@depth@100ms"}')
    )
    assert serve.stream_of(frame[:-20]) == stream
    assert serve.stream_of(b'{"result":null,"id":1}') is None


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/fapi/v1/depth", "symbol=NOPE", 400, -1121),
        ("/fapi/v1/depth", "", 400, -1102),
        ("/fapi/v1/depth", "symbol=BTCUSDT&limit=7", 400, -4021),
        ("/fapi/v1/ticker/bookTicker", "symbol=NOPE", 400, -1121),
        ("/fapi/v1/premiumIndex", "symbol=BTCUSDT", 503, -1001),
        ("/fapi/v1/openInterest", "symbol=BTCUSDT", 503, -1001),
        ("/fapi/v1/openInterest", "", 400, -1102),
        ("/fapi/v1/nothing", "", 404, -5000),
    ],
)
def test_a_request_that_cannot_be_answered_gets_the_venues_error(
    path: str, query: str, status: int, code: int
) -> None:
    answered, body = ask(path, query)
    assert (answered, body["code"]) == (status, code)


def test_rest_answers_have_the_market_data() -> None:
    assert ask("/fapi/v1/ping") == (200, {})
    assert ask("/fapi/v1/time") == (200, {"serverTime": 1_700_000_000_123})
    assert ask("/fapi/v1/premiumIndex") == (200, [])
    one = ask("/fapi/v1/ticker/bookTicker", "symbol=BTCUSDT")[1]
    assert one == {
        "symbol": "BTCUSDT",
        "bidPrice": "30",
        "bidQty": "1",
        "askPrice": "31",
        "askQty": "2",
        "time": 1_700_000_000_123,
    }
    assert ask("/fapi/v1/ticker/bookTicker")[1] == [one]
    book = ask("/fapi/v1/depth", "symbol=btcusdt&limit=5")[1]
    assert (book["lastUpdateId"], book["bids"], book["asks"]) == (
        77,
        [[str(p), "1"] for p in (30, 29, 28, 27, 26)],
        [["31", "2"]],
    )


def test_weight_beyond_the_limit_of_a_minute_is_refused() -> None:
    account = WeightAccount()
    minute = 60_000_000_000 * 1000
    for _ in range(120):
        assert account.charge("/fapi/v1/depth", "symbol=A&limit=1000", minute) is None
    assert account.headers() == {"X-MBX-USED-WEIGHT-1M": "2400"}
    refusal = account.charge("/fapi/v1/ping", "", minute + 20_000_000_000)
    assert refusal is not None
    assert (refusal.status, json.loads(refusal.body)["code"], refusal.retry_after_s) == (
        429,
        -1003,
        41,
    )
    assert account.charge("/fapi/v1/ticker/bookTicker", "", minute + 60_000_000_000) is None
    assert account.headers() == {"X-MBX-USED-WEIGHT-1M": "5"}
