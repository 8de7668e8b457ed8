from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from perps_actors.errors import VenueError
from perps_actors.market.events import BookTop, Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.simulator.venue_contract import Depth
from perps_actors.simulator.venues import contract, side_of
from perps_actors.simulator.venues.okx.rest import OkxRestSide
from perps_actors.simulator.venues.okx.stream import OkxSession, OkxStreams
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.okx.rest import OkxRest
from perps_actors.venues.okx.stream import OkxStream

SERVE, REST = OkxStreams(), OkxRestSide()
SYMBOL = "BTC-USDT-SWAP"
BTC = InstrumentId("okx", SYMBOL)
AT = 1_700_000_000_123_000_000
S = 1_000_000_000


def number(text: str) -> DecimalText:
    return DecimalText(text)


BOOK = Depth(SYMBOL, 77, tuple((str(price), "1") for price in range(30, 0, -1)), (("31", "2"),), AT)
TOUCH = Touch(BTC, number("30"), number("1"), number("31"), number("2"), None, AT, AT)
MARK = VenueMark(BTC, number("30.4"), number("30.3"), AT, AT)
FUNDING = Funding(BTC, number("-0.0001"), None, AT + S, None, AT, AT)


class OneBook:
    """A market of one symbol with known touch and book, and perhaps a mark."""

    def __init__(self, known=None, held=None) -> None:
        self._known = known
        self._held = held

    def instruments(self):
        return [contract("okx", SYMBOL, side_of("okx").terms, tick=Decimal("0.1"), lot=Decimal(1))]

    def depth(self, symbol):  # noqa: ARG002 - one symbol
        return BOOK

    def touch(self, symbol):  # noqa: ARG002 - one symbol
        return TOUCH

    def venue_mark(self, symbol):  # noqa: ARG002 - one symbol
        return self._known

    def open_interest(self, symbol):  # noqa: ARG002 - one symbol
        return self._held


def ask(path: str, query: str = "", known=None) -> tuple[int, dict]:
    answer = REST.answer(f"/api/v5/{path}", query, OneBook(known), AT)
    return answer.status, json.loads(answer.body)


def say(session: OkxSession, op: str, *args) -> list[dict]:
    return [json.loads(answer) for answer in session.receive(json.dumps({"op": op, "args": args}))]


def topic(channel: str, name: str = SYMBOL) -> dict[str, str]:
    return {"channel": channel, "instId": name}


@pytest.mark.parametrize("path", ["/ws/v5/private", "/ws/v5/business", "/"])
def test_a_path_without_streams_is_refused(path: str) -> None:
    with pytest.raises(VenueError, match=path):
        OkxSession(path)


def test_each_channel_of_a_request_is_acknowledged_or_refused_separately() -> None:
    session = OkxSession("/ws/v5/public")
    good, bad = topic("books"), topic("cookbooks")
    said = say(
        session, "subscribe", good, bad, {"channel": "liquidation-orders", "instType": "SWAP"}
    )
    assert [(answer["event"], answer.get("arg"), answer.get("code")) for answer in said] == [
        ("subscribe", good, None),
        ("error", None, "60018"),
        ("subscribe", {"channel": "liquidation-orders", "instType": "SWAP"}, None),
    ]
    assert session.streams() == ("books.BTC-USDT-SWAP", "liquidation-orders.SWAP")
    assert [answer["event"] for answer in say(session, "unsubscribe", good)] == ["unsubscribe"]
    assert session.streams() == ("liquidation-orders.SWAP",)


def test_the_text_ping_is_answered_with_pong() -> None:
    assert OkxSession("/ws/v5/public").receive("ping") == ("pong",)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "60012"),
        ("[]", "60012"),
        ("[" * 60_000, "60012"),
        ('{"op":"buy","args":[{"channel":"books","instId":"BTC-USDT-SWAP"}]}', "60012"),
        ('{"op":"subscribe"}', "60012"),
        ('{"op":"subscribe","args":[]}', "60012"),
        ('{"op":"subscribe","args":["books"]}', "60018"),
        ('{"op":"subscribe","args":[{"channel":"books"}]}', "60018"),
        ('{"op":"subscribe","args":[{"channel":["books"],"instId":"BTC-USDT-SWAP"}]}', "60018"),
        ('{"op":"subscribe","args":[{"channel":"books","instId":7}]}', "60018"),
        (
            '{"op":"subscribe","args":[{"channel":"liquidation-orders","instId":"BTC-USDT-SWAP"}]}',
            "60018",
        ),
    ],
)
def test_a_malformed_request_is_answered_with_an_error_and_changes_nothing(
    text: str, code: str
) -> None:
    session = OkxSession("/ws/v5/public")
    assert [json.loads(answer)["code"] for answer in session.receive(text)] == [code]
    assert session.streams() == ()


def test_the_adapters_subscriptions_are_sent() -> None:
    adapter, session = OkxStream(), OkxSession("/ws/v5/public")
    (plan,) = adapter.plan([SYMBOL])
    answers = [
        json.loads(answer)
        for sent in adapter.opened(plan.name, 1)
        for answer in session.receive(sent.text)
    ]
    assert {answer["event"] for answer in answers} == {"subscribe"}
    trade = Trade(BTC, "buy", number("31"), number("1"), "9", AT, AT)
    sent = [
        SERVE.snapshot_frame(BOOK),
        *SERVE.depth_frames(BOOK),
        SERVE.touch_frame(TOUCH, 1),
        SERVE.trade_frame(trade),
    ]
    assert {stream for stream, _ in [*sent, *SERVE.mark_frames(MARK, FUNDING)]} <= set(
        session.streams()
    )


def test_the_adapter_reads_the_events_of_the_frames() -> None:
    adapter = OkxStream()
    adapter.plan([SYMBOL])
    trade = Trade(BTC, "sell", number("30.5"), number("0.2"), "9", AT, AT)
    assert list(adapter.frame("public-0", SERVE.trade_frame(trade)[1], AT)) == [trade]
    assert list(adapter.frame("public-0", SERVE.touch_frame(TOUCH, 5)[1], AT)) == [TOUCH]
    told = [
        outcome
        for _, frame in SERVE.mark_frames(MARK, FUNDING)
        for outcome in adapter.frame("public-0", frame, AT)
    ]
    assert [(mark.mark, mark.index) for mark in told if isinstance(mark, VenueMark)] == [
        (None, "30.3"),
        ("30.4", "30.3"),
    ]
    assert [funding for funding in told if isinstance(funding, Funding)] == [FUNDING]


def test_unknown_fields_of_mark_and_funding_are_not_sent() -> None:
    mark = VenueMark(BTC, number("30.4"), None, AT, AT)
    frames = SERVE.mark_frames(mark, Funding(BTC, None, None, None, None, AT, AT))
    assert [stream for stream, _ in frames] == ["mark-price.BTC-USDT-SWAP"]


def test_the_adapter_builds_the_book_that_was_served() -> None:
    adapter = OkxStream()
    change = Depth(SYMBOL, 80, (("30", "0"), ("29", "5")), (), AT + 1_000_000, 78, 77)
    frames = [SERVE.snapshot_frame(BOOK)[1], SERVE.depth_frames(change)[0][1]]
    tops = [outcome for frame in frames for outcome in adapter.frame("public-0", frame, AT)]
    assert [
        (top.snapshot, top.bid, top.bid_size, top.ask, top.sequence)
        for top in tops
        if isinstance(top, BookTop)
    ] == [
        (True, "30", "1", "31", 77),
        (False, "29", "5", "31", 80),
    ]


def test_written_frames_are_read_back() -> None:
    change = Depth(SYMBOL, 80, (("30", "0"),), (("31", "2.5"),), AT, previous=77)
    stream, frame = SERVE.depth_frames(change)[0]
    assert SERVE.read_depth(frame) == change
    assert SERVE.read_depth(SERVE.snapshot_frame(BOOK)[1]) == msgspec.structs.replace(
        BOOK, previous=-1, whole=True
    )
    reordered = b' {"data":[],"arg":{"instId":"BTC-USDT-SWAP","channel":"books"}}'
    assert SERVE.stream_of(frame) == stream == SERVE.stream_of(reordered)
    assert SERVE.stream_of(frame[:-20]) == stream
    assert (SERVE.channel_of(stream), SERVE.symbol_of(stream)) == ("book", SYMBOL)
    assert (
        SERVE.stream_of(b'{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"}}')
        is None
    )
    assert SERVE.stream_of(b"pong") is None


def test_a_book_recorded_without_numbers_is_numbered_by_its_time() -> None:
    frame = (
        b'{"arg":{"channel":"books","instId":"A-USD-SWAP"},"action":"update",'
        b'"data":[{"asks":[["5","1","0","2"]],"bids":[],"ts":"1652459225464"}]}'
    )
    assert SERVE.read_depth(frame) == Depth(
        "A-USD-SWAP", 1652459225464, (), (("5", "1"),), 1652459225464000000
    )


@pytest.mark.parametrize("rows", [b"[]", b"[{},{}]", b"[{}]", b"{}"])
def test_a_frame_without_exactly_one_book_is_not_read(rows: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        SERVE.read_depth(
            b'{"arg":{"channel":"books","instId":"A"},"action":"update","data":' + rows + b"}"
        )


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("market/books", "instId=NOPE", 200, "51001"),
        ("market/books", "", 400, "50014"),
        ("market/books", f"instId={SYMBOL}&sz=401", 400, "51000"),
        ("market/ticker", "instId=NOPE", 200, "51001"),
        ("market/tickers", "", 400, "50014"),
        ("public/funding-rate", f"instId={SYMBOL}", 503, "50001"),
        ("public/nothing", "", 404, "404"),
    ],
)
def test_a_request_that_cannot_be_answered_gets_the_venues_error(
    path: str, query: str, status: int, code: str
) -> None:
    answered, body = ask(path, query)
    assert (answered, body["code"], body["data"]) == (status, code, [])


def test_rest_answers_have_only_known_market_data() -> None:
    (row,) = ask("market/tickers", "instType=SWAP")[1]["data"]
    assert ask("market/ticker", f"instId={SYMBOL}")[1]["data"] == [row]
    assert (row["bidPx"], row["askSz"], row["last"]) == ("30", "2", "")
    assert ask("market/tickers", "instType=FUTURES")[1]["data"] == []
    assert ask("public/mark-price", "instType=SWAP")[1]["data"] == []
    assert ask("public/open-interest", "instType=SWAP")[1]["data"] == []
    assert ask("public/time")[1]["data"] == [{"ts": "1700000000123"}]
    (book,) = ask("market/books", f"instId={SYMBOL}&sz=2")[1]["data"]
    assert (book["seqId"], book["bids"]) == (77, [["30", "1", "0", "1"], ["29", "1", "0", "1"]])


def test_the_funding_of_all_swaps_comes_in_one_answer() -> None:
    (row,) = ask("public/funding-rate", "instId=ANY", (MARK, FUNDING))[1]["data"]
    assert (row["instId"], row["fundingRate"]) == (SYMBOL, "-0.0001")
    assert ask("public/funding-rate", "instId=ANY")[1]["data"] == []


def test_the_adapter_reads_the_answers() -> None:
    rest, known = OkxRest(), (MARK, FUNDING)
    (quotes,) = rest.quotes([SYMBOL])
    read = []
    polled = (
        request
        for what in ("mark", "funding", "open_interest")
        for request in rest.poll(what, [SYMBOL])
    )
    for request in (quotes, rest.depth(SYMBOL), *polled):
        path, _, query = request.url.removeprefix("https://www.okx.com").partition("?")
        read += rest.read(
            request, 200, REST.answer(path, query, OneBook(known, "1000"), AT).body, AT
        )
    assert not [outcome for outcome in read if isinstance(outcome, InvalidInput)]
    touch, top, mark, funding, held = read
    assert (touch, mark.mark, funding, held.open_interest) == (TOUCH, "30.4", FUNDING, "1000")
    assert (top.bid, top.ask, top.bid_levels) == ("30", "31", 30)


def test_requests_for_different_sizes_have_equal_keys() -> None:
    assert REST.request_key("/api/v5/market/books", "instId=A&sz=400") == REST.request_key(
        "/api/v5/market/books", "instId=A"
    )
    assert REST.request_key("/api/v5/market/books", "instId=A") != REST.request_key(
        "/api/v5/market/books", "instId=B"
    )


def test_each_endpoint_refuses_requests_beyond_its_limit_in_two_seconds() -> None:
    account, start = REST.new_rate_limit(), 2 * S * 1000
    assert [account.charge("/api/v5/public/mark-price", "", start) for _ in range(10)] == [
        None
    ] * 10
    refusal = account.charge("/api/v5/public/mark-price", "", start + S // 2)
    assert refusal is not None
    assert (refusal.status, json.loads(refusal.body)["code"], refusal.retry_after_s) == (
        429,
        "50011",
        2,
    )
    assert account.charge("/api/v5/market/tickers", "", start + S // 2) is None
    assert account.charge("/api/v5/public/mark-price", "", start + 2 * S) is None
    assert account.headers() == {}
