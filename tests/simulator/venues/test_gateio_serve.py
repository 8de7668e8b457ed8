from __future__ import annotations

import json
import random

import pytest

from perps_actors.errors import VenueError
from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.simulator.market import SyntheticMarket
from perps_actors.simulator.venue_contract import Depth
from perps_actors.simulator.venues import side_of
from perps_actors.simulator.venues.gateio_futures.rest import GateioRestSide
from perps_actors.simulator.venues.gateio_futures.stream import GateioSession, GateioStreams
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.gateio_futures.rest import GateioFuturesRest
from perps_actors.venues.gateio_futures.stream import GateioFuturesStream

TERMS = side_of("gateio_futures").terms
BTC = InstrumentId("gateio_futures", "BTC_USDT")
AT = 1_700_000_000_123_000_000
PREFIX = "/api/v4/futures/usdt"

serve, serve_rest = GateioStreams(), GateioRestSide()


def number(text: str) -> DecimalText:
    return DecimalText(text)


TOUCH = Touch(BTC, number("30.5"), number("100"), number("31.0"), number("200"), None, AT, AT)
MARK = VenueMark(BTC, number("30.40"), number("30.3"), AT, AT)
FUNDING = Funding(BTC, number("-0.00010000"), None, None, number("30.40"), AT, AT)
CHANGE = Depth("BTC_USDT", 12, (("30.5", "1"),), (("31.0", "0"),), AT, 11, 10)


def market(seed: int = 1) -> SyntheticMarket:
    made = SyntheticMarket("gateio_futures", TERMS.symbols, TERMS, random.Random(seed))
    made.step(AT)
    return made


def asked(
    session: GateioSession, channel: str, payload: list[str], event: str = "subscribe"
) -> dict:
    (answer,) = session.receive(
        json.dumps({"time": 5, "channel": channel, "event": event, "payload": payload})
    )
    return json.loads(answer)


def test_a_client_gets_the_streams_that_its_adapter_is_subscribed_to() -> None:
    session, adapter = GateioSession("/v4/ws/usdt"), GateioFuturesStream()
    (plan,) = adapter.plan(["BTC_USDT", "ETH_USDT"])
    for frame in adapter.opened(plan.name, 1):
        (answer,) = session.receive(frame.text)
        assert json.loads(answer)["result"] == {"status": "success"}
        assert list(adapter.frame(plan.name, answer.encode(), AT)) == []
    kinds = ("obu", "book_ticker", "trades", "tickers", "public_liquidates")
    assert session.streams() == tuple(
        f"futures.{kind}:{symbol}" for kind in kinds for symbol in ("BTC_USDT", "ETH_USDT")
    )
    assert asked(session, "futures.obu", ["ob.BTC_USDT.50"], "unsubscribe")["result"] == {
        "status": "success"
    }
    assert "futures.obu:BTC_USDT" not in session.streams()


def test_a_rest_snapshot_book_has_its_own_stream() -> None:
    session = GateioSession("/v4/ws/usdt")
    asked(session, "futures.order_book_update", ["BTC_USDT", "100ms", "100"])
    assert session.streams() == ("futures.order_book_update:BTC_USDT",)


def test_an_answer_has_the_number_of_its_request() -> None:
    asking = '{"channel":"futures.trades","event":"subscribe","payload":["BTC_USDT"]%s}'
    told = [
        json.loads(*GateioSession("/v4/ws/usdt").receive(asking % number))
        for number in (',"id":7', "")
    ]
    assert [answer.get("id") for answer in told] == [7, None]


def test_a_ping_is_answered() -> None:
    (answer,) = GateioSession("/v4/ws/usdt").receive('{"time":7,"channel":"futures.ping"}')
    assert (json.loads(answer)["channel"], json.loads(answer)["time"]) == ("futures.pong", 7)


def test_a_path_without_streams_is_refused() -> None:
    with pytest.raises(VenueError, match="/v4/ws/usdt"):
        GateioSession("/v4/ws/btc")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 1),
        ("[]", 1),
        ('{"time":1,"channel":"futures.trades","event":"subscribe","payload":"BTC_USDT"}', 1),
        ('{"time":1,"channel":"futures.nothing","event":"subscribe","payload":["BTC_USDT"]}', 2),
        ('{"time":1,"channel":"futures.trades","event":"buy","payload":["BTC_USDT"]}', 2),
        ('{"time":1,"channel":"futures.trades","event":"subscribe","payload":[]}', 2),
        ('{"time":1,"channel":"futures.obu","event":"subscribe","payload":["BTC_USDT"]}', 2),
        ('{"time":1,"channel":"futures.obu","event":"subscribe","payload":["ob.BTC_USDT.7"]}', 2),
        (
            '{"time":1,"channel":"futures.order_book_update","event":"subscribe","payload":["BTC_USDT","5s"]}',
            2,
        ),
    ],
)
def test_a_malformed_request_is_answered_with_an_error_and_changes_nothing(
    text: str, code: int
) -> None:
    session = GateioSession("/v4/ws/usdt")
    (answer,) = session.receive(text)
    assert json.loads(answer)["error"]["code"] == code
    assert session.streams() == ()
    (invalid_input,) = GateioFuturesStream().frame("usdt-0", answer.encode(), AT)
    assert isinstance(invalid_input, InvalidInput)


def test_the_adapter_reads_the_events_of_the_messages() -> None:
    adapter = GateioFuturesStream()
    trade = Trade(BTC, "sell", number("30.5"), number("200"), "9", AT, AT)
    ((_, ticker),) = serve.mark_frames(MARK, FUNDING)
    assert list(adapter.frame("c", serve.touch_frame(TOUCH, 5)[1], AT)) == [TOUCH]
    assert list(adapter.frame("c", serve.trade_frame(trade)[1], AT)) == [trade]
    assert list(adapter.frame("c", ticker, AT)) == [MARK, FUNDING]


def test_a_rest_snapshot_book_follows_the_market() -> None:
    made, adapter = market(), GateioFuturesStream(book="futures.order_book_update")
    for step in range(1, 30):
        now_ns = AT + step * 100_000_000
        for market_step in made.step(now_ns):
            ((_, frame),) = [
                told
                for told in serve.depth_frames(market_step.depth)
                if told[0].startswith("futures.order_book_update")
            ]
            for request in [
                outcome
                for outcome in adapter.frame("c", frame, now_ns)
                if isinstance(outcome, HttpRequest)
            ]:
                path, _, query = request.url.removeprefix("https://api.gateio.ws").partition("?")
                adapter.answer(
                    request, 200, serve_rest.answer(path, query, made, now_ns).body, now_ns
                )
            symbol = market_step.depth.symbol
            assert tuple(map(tuple, adapter.depth(symbol, 100))) == (
                made.depth(symbol).bids,
                made.depth(symbol).asks,
            )


def test_written_frames_are_read_back() -> None:
    for stream, frame in serve.depth_frames(CHANGE):
        assert serve.read_depth(frame) == CHANGE
        assert serve.stream_of(frame) == stream == serve.stream_of(frame[:-20])
    snapshot = serve.read_depth(serve.snapshot_frame(CHANGE)[1])
    assert (snapshot.last, snapshot.bids, snapshot.whole) == (12, CHANGE.bids, True)


def test_answers_to_requests_belong_to_no_stream() -> None:
    (answer,) = GateioSession("/v4/ws/usdt").receive(
        '{"time":1,"channel":"futures.trades","event":"subscribe","payload":["BTC_USDT"]}'
    )
    assert serve.stream_of(answer.encode()) is None


def test_the_adapter_reads_the_answers_to_its_requests() -> None:
    made, rest = market(), GateioFuturesRest()
    (request,) = rest.quotes(["BTC_USDT"])
    answer = serve_rest.answer(f"{PREFIX}/tickers", "contract=BTC_USDT", made, AT)
    touch, mark, funding, held = rest.read(request, answer.status, answer.body, AT)
    served, (known, rate) = made.touch("BTC_USDT"), made.venue_mark("BTC_USDT")
    assert (touch.bid, touch.bid_size, touch.ask, touch.ask_size) == (
        served.bid,
        served.bid_size,
        served.ask,
        served.ask_size,
    )
    assert (touch.last, held.open_interest) == (served.last, made.open_interest("BTC_USDT"))
    assert (mark.mark, mark.index, funding.rate) == (known.mark, known.index, rate.rate)
    assert len(json.loads(serve_rest.answer(f"{PREFIX}/tickers", "", made, AT).body)) == len(
        TERMS.symbols
    )


def test_a_listed_contract_has_the_next_funding_time() -> None:
    made, rest = market(), GateioFuturesRest()
    told = rest.read(
        rest.instruments()[0], 200, serve_rest.answer(f"{PREFIX}/contracts", "", made, AT).body, AT
    )
    (funding,) = [event for event in told if isinstance(event, Funding) and event.instrument == BTC]
    assert funding.next_time_ns == made.venue_mark("BTC_USDT")[1].next_time_ns


def test_one_listed_contract_can_be_requested() -> None:
    made = market()
    one, all_of_them = (
        json.loads(serve_rest.answer(f"{PREFIX}/contracts{name}", "", made, AT).body)
        for name in ("/ETH_USDT", "")
    )
    assert one in all_of_them
    assert one["name"] == "ETH_USDT"


def test_a_snapshot_has_its_number_only_on_request() -> None:
    made = market()
    body = serve_rest.answer(
        f"{PREFIX}/order_book", "contract=BTC_USDT&limit=5&with_id=true", made, AT
    ).body
    book, whole = serve_rest.read_snapshot("BTC_USDT", body), made.depth("BTC_USDT")
    assert (book.last, book.bids, book.asks, book.venue_time_ns) == (
        whole.last,
        whole.bids[:5],
        whole.asks[:5],
        AT,
    )
    assert "id" not in json.loads(
        serve_rest.answer(f"{PREFIX}/order_book", "contract=BTC_USDT", made, AT).body
    )
    assert serve_rest.snapshot_symbol(f"{PREFIX}/order_book", "contract=BTC_USDT") == "BTC_USDT"
    assert serve_rest.snapshot_symbol(f"{PREFIX}/tickers", "contract=BTC_USDT") is None


@pytest.mark.parametrize(
    ("path", "query", "status", "label"),
    [
        ("/order_book", "", 400, "MISSING_REQUIRED_PARAM"),
        ("/order_book", "contract=NO_USDT", 400, "CONTRACT_NOT_FOUND"),
        ("/order_book", "contract=BTC_USDT&limit=0", 400, "INVALID_PARAM_VALUE"),
        ("/contracts/NO_USDT", "", 400, "CONTRACT_NOT_FOUND"),
        ("/tickers", "contract=NO_USDT", 400, "CONTRACT_NOT_FOUND"),
        ("/nothing", "", 404, "NOT_FOUND"),
    ],
)
def test_a_request_that_cannot_be_answered_gets_the_venues_error(
    path: str, query: str, status: int, label: str
) -> None:
    answer = serve_rest.answer(f"{PREFIX}{path}", query, market(), AT)
    assert (answer.status, json.loads(answer.body)["label"]) == (status, label)


def test_requests_beyond_the_limit_of_a_path_are_refused() -> None:
    account, window = serve_rest.new_rate_limit(), 10_000_000_000 * 1000
    for _ in range(200):
        assert account.charge("/tickers", "", window) is None
    assert account.charge("/contracts", "", window) is None
    refusal = account.charge("/tickers", "", window + 3_000_000_000)
    assert refusal is not None
    assert (refusal.status, json.loads(refusal.body)["label"], refusal.retry_after_s) == (
        429,
        "TOO_MANY_REQUESTS",
        7,
    )
    assert account.headers()["X-Gate-RateLimit-Requests-Remain"] == "0"
    assert account.charge("/tickers", "", window + 10_000_000_000) is None


def test_keys_ignore_sizes_but_not_candle_lengths_or_merged_prices() -> None:
    book, candles = f"{PREFIX}/order_book", f"{PREFIX}/candlesticks"
    whole = serve_rest.request_key(book, "contract=A")
    assert serve_rest.request_key(book, "contract=A&interval=0&limit=100&with_id=true") == whole
    assert serve_rest.request_key(book, "contract=A&interval=0.1") != whole
    assert serve_rest.request_key(candles, "contract=A&interval=1m") != serve_rest.request_key(
        candles, "contract=A&interval=1h"
    )
