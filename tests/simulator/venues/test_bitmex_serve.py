from __future__ import annotations

import json
from decimal import Decimal

import pytest

from perps_actors.errors import VenueError
from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.simulator.venue_contract import Depth
from perps_actors.simulator.venues import contract, side_of
from perps_actors.simulator.venues.bitmex.rest import BitmexRestSide
from perps_actors.simulator.venues.bitmex.stream import BitmexSession, BitmexStreams
from perps_actors.venues.bitmex.rest import BitmexRest
from perps_actors.venues.bitmex.stream import BitmexStream

TERMS = side_of("bitmex").terms
XBT = InstrumentId("bitmex", "XBTUSDT")
AT = 1_700_000_000_123_000_000
NEXT = 1_700_006_400_000_000_000

serve, serve_rest = BitmexStreams(), BitmexRestSide()


def number(text: str) -> DecimalText:
    return DecimalText(text)


TOUCH = Touch(XBT, number("30.5"), number("100"), number("31.0"), number("200"), None, AT, AT)
MARK = VenueMark(XBT, number("30.40"), number("30.3"), AT, AT)
FUNDING = Funding(XBT, number("-0.00010000"), None, NEXT, number("30.40"), AT, AT)
BOOK = Depth("XBTUSDT", 7, (("30.5", "100"), ("30.0", "300")), (("31.0", "200"),), AT)


class OneContract:
    """A market of one contract with or without touch and mark."""

    def __init__(self, touch=TOUCH, mark=(MARK, FUNDING)):
        self._touch, self._mark = touch, mark

    def instruments(self):
        return (contract("bitmex", "XBTUSDT", TERMS, tick=Decimal("0.5"), lot=Decimal(100)),)

    def depth(self, symbol):  # noqa: ARG002 - one symbol
        return BOOK

    def touch(self, symbol):  # noqa: ARG002 - one symbol
        return self._touch

    def venue_mark(self, symbol):  # noqa: ARG002 - one symbol
        return self._mark

    def open_interest(self, symbol):  # noqa: ARG002 - one symbol
        return None if self._touch is None else number("1000")


def said(session: BitmexSession, **request: object) -> list[dict]:
    return [json.loads(answer) for answer in session.receive(json.dumps(request))]


def test_each_topic_of_a_request_is_acknowledged_separately() -> None:
    session = serve.session("/realtime")
    answers = said(session, op="subscribe", args=["trade:XBTUSDT", "quote:XBTUSDT"])
    assert [(answer["success"], answer["subscribe"]) for answer in answers] == [
        (True, "trade:XBTUSDT"),
        (True, "quote:XBTUSDT"),
    ]
    (gone,) = said(session, op="unsubscribe", args="trade:XBTUSDT")
    assert (gone["success"], gone["unsubscribe"]) == (True, "trade:XBTUSDT")
    assert session.streams() == ("quote:XBTUSDT",)


def test_topics_in_the_query_are_subscribed() -> None:
    assert serve.session("/realtime", "subscribe=trade:XBTUSDT,instrument:XBTUSDT").streams() == (
        "trade:XBTUSDT",
        "instrument:XBTUSDT",
    )


def test_a_path_without_streams_is_refused() -> None:
    with pytest.raises(VenueError, match="/realtime"):
        serve.session("/stream")


def test_a_text_ping_is_answered_with_a_text_pong() -> None:
    assert serve.session("/realtime").receive("ping") == ("pong",)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"op":"buy","args":["trade:XBTUSDT"]}',
        '{"op":"subscribe"}',
        '{"op":"subscribe","args":[]}',
        '{"op":"subscribe","args":[1]}',
        '{"op":"subscribe","args":["trade"]}',
        '{"op":"subscribe","args":["nothing:XBTUSDT"]}',
        '{"op":"subscribe","args":["quote:XBTUSDT"]}',
        '{"op":"unsubscribe","args":["trade:XBTUSDT"]}',
    ],
)
def test_a_malformed_request_is_answered_with_an_error_and_changes_nothing(text: str) -> None:
    session = serve.session("/realtime", "subscribe=quote:XBTUSDT")
    (answer,) = session.receive(text)
    assert json.loads(answer)["status"] == 400
    assert session.streams() == ("quote:XBTUSDT",)


def test_the_adapter_reports_a_refusal() -> None:
    (answer,) = serve.session("/realtime").receive('{"op":"subscribe","args":["nothing:XBTUSDT"]}')
    (invalid_input,) = BitmexStream().frame("realtime-0", answer.encode(), AT)
    assert "Unknown table" in invalid_input.what


def test_a_delta_has_one_message_per_action() -> None:
    adapter = BitmexStream()
    adapter.frame("realtime-0", serve.snapshot_frame(BOOK)[1], AT)
    change = Depth(
        "XBTUSDT",
        8,
        (("30.5", "0"), ("30.0", "5"), ("29.5", "9")),
        (("31.5", "1"),),
        AT,
        added=frozenset({"29.5", "31.5"}),
    )
    told = serve.depth_frames(change)
    assert [stream for stream, _ in told] == ["orderBookL2:XBTUSDT"] * 3
    assert [json.loads(frame)["action"] for _, frame in told] == ["delete", "update", "insert"]
    for _, frame in told:
        adapter.frame("realtime-0", frame, AT)
    assert adapter.depth("XBTUSDT", 9) == (
        [("30.0", "5"), ("29.5", "9")],
        [("31.0", "200"), ("31.5", "1")],
    )


def test_the_adapter_reads_the_events_of_the_messages() -> None:
    adapter = BitmexStream()
    trade = Trade(XBT, "sell", number("30.5"), number("200"), "9", AT, AT)
    assert list(adapter.frame("c", serve.touch_frame(TOUCH, 5)[1], AT)) == [TOUCH]
    assert list(adapter.frame("c", serve.trade_frame(trade)[1], AT)) == [trade]
    ((_, update),) = serve.mark_frames(MARK, FUNDING)
    assert list(adapter.frame("c", update, AT)) == []
    for frame in (serve.first_mark_frame(MARK, FUNDING)[1], update):
        mark, funding = adapter.frame("c", frame, AT)
        assert (mark, funding.rate, funding.next_time_ns) == (MARK, FUNDING.rate, NEXT)


def test_written_frames_are_read_back() -> None:
    snapshot = serve.read_depth(serve.snapshot_frame(BOOK)[1])
    assert (snapshot.bids, snapshot.asks, snapshot.venue_time_ns, snapshot.whole) == (
        BOOK.bids,
        BOOK.asks,
        AT,
        True,
    )
    ((stream, gone),) = serve.depth_frames(Depth("XBTUSDT", 8, (("30.5", "0"),), (), AT))
    assert (serve.read_depth(gone).symbol, serve.read_depth(gone).bids) == (
        "XBTUSDT",
        (("30.5", "0"),),
    )
    assert serve.stream_of(gone) == stream == serve.stream_of(gone[:-20])


@pytest.mark.parametrize(
    ("frame", "stream"),
    [
        (
            b'{"info":"Welcome to the BitMEX Realtime API.","docs":"https://www.bitmex.com/app/wsAPI"}',
            None,
        ),
        (
            b'{"success":true,"subscribe":"quote:XBTUSD","request":{"op":"subscribe","args":["quote:XBTUSD"]}}',
            None,
        ),
        (
            b'{"table":"trade","action":"partial","types":{"symbol":"symbol"},"filter":{"symbol":"XBTUSD"},"data":[]}',
            "trade:XBTUSD",
        ),
        (
            b'{"table":"trade","action":"partial","types":{"symbol":"symbol"},"data":[{"symbol":"XBTUSD","si',
            "trade:XBTUSD",
        ),
        (b"pong", None),
    ],
)
def test_a_recorded_message_belongs_to_its_table_and_symbol(
    frame: bytes, stream: str | None
) -> None:
    assert serve.stream_of(frame) == stream


def test_a_row_without_a_price_gives_no_book() -> None:
    with pytest.raises(Exception, match="Expected price"):
        serve.read_depth(
            b'{"table":"orderBookL2","action":"delete","data":[{"symbol":"XBTUSD","id":1,"side":"Buy"}]}'
        )


def test_the_adapter_reads_the_answers_to_its_requests() -> None:
    rest = BitmexRest()
    (request,) = rest.quotes(["XBTUSDT"])
    answer = serve_rest.answer("/api/v1/instrument", "symbol=XBTUSDT", OneContract(), AT)
    mark, touch, funding, held = rest.read(request, answer.status, answer.body, AT)
    assert (touch.bid, touch.ask, touch.venue_time_ns) == ("30.5", "31.0", AT)
    assert (mark, funding.rate, funding.next_time_ns, held.open_interest) == (
        MARK,
        FUNDING.rate,
        NEXT,
        "1000",
    )
    assert (
        rest.read_instruments(
            serve_rest.answer("/api/v1/instrument/active", "", OneContract(), AT).body
        )
        == OneContract().instruments()
    )


def test_a_book_has_at_most_the_requested_levels() -> None:
    def told(query: str) -> list[tuple]:
        answer = serve_rest.answer("/api/v1/orderBook/L2", query, OneContract(), AT)
        return [
            (row["symbol"], row["side"], row["price"], row["size"])
            for row in json.loads(answer.body)
        ]

    whole = [
        ("XBTUSDT", "Buy", 30.5, 100),
        ("XBTUSDT", "Buy", 30.0, 300),
        ("XBTUSDT", "Sell", 31.0, 200),
    ]
    assert told("symbol=XBTUSDT") == told("symbol=XBTUSDT&depth=0") == whole
    assert told("symbol=XBTUSDT&depth=1") == [whole[0], whole[2]]
    assert told("symbol=NOPE") == []
    for query in ("", "symbol=XBTUSDT&depth=x"):
        assert serve_rest.answer("/api/v1/orderBook/L2", query, OneContract(), AT).status == 400


def test_active_and_indices_equals_active_without_indices() -> None:
    rows, more = (
        serve_rest.answer(f"/api/v1/instrument/active{also}", "", OneContract(), AT).body
        for also in ("", "AndIndices")
    )
    assert rows == more
    assert json.loads(rows)[0]["underlyingToPositionMultiplier"] == 1_000_000


def test_unknown_fields_are_left_out_of_a_row() -> None:
    answer = serve_rest.answer(
        "/api/v1/instrument/active", "", OneContract(touch=None, mark=None), AT
    )
    (row,) = json.loads(answer.body)
    assert row["timestamp"] is None
    assert "markPrice" not in row
    assert "bidPrice" not in row
    assert list(BitmexRest().read(BitmexRest().instruments()[0], 200, answer.body, AT)) == []


def test_an_unknown_path_and_an_unlisted_symbol_give_no_data() -> None:
    assert serve_rest.answer("/api/v1/nothing", "", OneContract(), AT).status == 404
    assert serve_rest.answer("/api/v1/instrument", "symbol=NOPE", OneContract(), AT).body == b"[]"


def test_requests_for_the_same_rows_have_equal_keys() -> None:
    assert serve_rest.request_key(
        "/api/v1/instrument", "symbol=A&count=5"
    ) == serve_rest.request_key("/api/v1/instrument", "symbol=A")
    assert serve_rest.request_key("/api/v1/instrument", "symbol=A") != serve_rest.request_key(
        "/api/v1/instrument", "symbol=B"
    )


def test_requests_beyond_the_limit_of_a_minute_are_refused() -> None:
    account, minute = serve_rest.new_rate_limit(), 60_000_000_000 * 1000
    for _ in range(30):
        assert account.charge("/api/v1/instrument/active", "", minute) is None
    assert account.headers() == {
        "x-ratelimit-limit": "30",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": "60060",
    }
    refusal = account.charge("/api/v1/instrument/active", "", minute + 20_000_000_000)
    assert refusal is not None
    assert (refusal.status, json.loads(refusal.body)["error"]["name"], refusal.retry_after_s) == (
        429,
        "RateLimitError",
        41,
    )
    assert account.charge("/api/v1/instrument/active", "", minute + 60_000_000_000) is None
