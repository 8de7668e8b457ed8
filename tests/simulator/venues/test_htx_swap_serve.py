from __future__ import annotations

import gzip
import json
from decimal import Decimal

import msgspec
import pytest

from perps_actors.errors import VenueError
from perps_actors.market.events import BookTop, Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.simulator.venue_contract import Depth, paired
from perps_actors.simulator.venues import contract, side_of
from perps_actors.simulator.venues.htx_swap.rest import HtxRestSide
from perps_actors.simulator.venues.htx_swap.stream import HtxSession, HtxStreams
from perps_actors.venues.contract import InvalidInput, SendFrame
from perps_actors.venues.htx_swap.rest import HtxSwapRest
from perps_actors.venues.htx_swap.schema import INVERSE, LINEAR
from perps_actors.venues.htx_swap.stream import HtxSwapStream
from tests.venues.htx_frames import BBO, DELISTED, PUSHES, SNAPSHOT, STEP, TRADES, packed

SERVE, REST = HtxStreams(), HtxRestSide()
BTC, COIN = InstrumentId("htx_swap", "BTC-USDT"), InstrumentId("htx_swap", "BTC-USD")
AT = 1_700_000_000_123_000_000
S = 1_000_000_000
MARKET, COIN_MARKET, INDICES = "/linear-swap-ws", "/swap-ws", "/ws_index"
NOTIFICATIONS, COIN_NOTIFICATIONS = "/linear-swap-notification", "/swap-notification"
PATHS = (MARKET, COIN_MARKET, INDICES, NOTIFICATIONS, COIN_NOTIFICATIONS)


def number(text: str) -> DecimalText:
    return DecimalText(text)


BOOK = Depth(
    "BTC-USDT",
    77,
    tuple((f"{price}.0", "1") for price in range(240, 40, -1)),
    (("241.50", "2"),),
    AT,
)
TOUCH = Touch(BTC, number("240.0"), number("1"), number("241.50"), number("2"), None, AT, AT)
MARK_OF_BTC = VenueMark(BTC, number("240.4"), number("240.30"), AT, AT)
FUNDING_OF_BTC = Funding(BTC, number("-0.00010"), None, AT + S - AT % S, None, AT, AT)


class TwoContracts:
    """A market of a contract of each margin type; the linear one has touch and book."""

    def __init__(self, known=None, book=BOOK) -> None:
        self._known = known
        self._book = book

    def instruments(self):
        terms = side_of("htx_swap").terms
        return [
            contract("htx_swap", each.symbol, terms, tick=Decimal("0.1"), lot=Decimal(1))
            for each in (BTC, COIN)
        ]

    def depth(self, symbol):
        return self._book if symbol == BTC.symbol else None

    def touch(self, symbol):
        return TOUCH if symbol == BTC.symbol and self._book is not None else None

    def venue_mark(self, symbol):
        return self._known if symbol == BTC.symbol else None


KNOWN = TwoContracts((MARK_OF_BTC, FUNDING_OF_BTC))


def ask(path: str, query: str = "", market=KNOWN) -> tuple[int, dict]:
    answer = REST.answer(path, query, market, AT)
    return answer.status, json.loads(answer.body)


def say(session: HtxSession, **request) -> list[dict]:
    return [json.loads(answer) for answer in session.receive(json.dumps(request))]


def topics(symbol: str) -> dict[str, tuple[str, ...]]:
    market, notification = (
        (COIN_MARKET, COIN_NOTIFICATIONS) if symbol == COIN.symbol else (MARKET, NOTIFICATIONS)
    )
    return {
        market: (
            f"market.{symbol}.depth.size_150.high_freq",
            f"market.{symbol}.bbo",
            f"market.{symbol}.trade.detail",
        ),
        INDICES: (f"market.{symbol}.mark_price.1min", f"market.{symbol}.index.1min"),
        notification: (f"public.{symbol}.funding_rate", f"public.{symbol}.liquidation_orders"),
    }


def asked(path: str, topic: str) -> dict:
    return {"op": "sub", "topic": topic} if "notification" in path else {"sub": topic}


def refused(answer: dict) -> bool:
    return answer.get("err-code", 0) != 0


# --- requests of a client


@pytest.mark.parametrize("path", ["/ws", "/linear-swap-ws/", "/center-notification", "/"])
def test_a_path_without_streams_is_refused(path: str) -> None:
    with pytest.raises(VenueError, match=path):
        HtxSession(path)


@pytest.mark.parametrize("symbol", ["BTC-USDT", "BTC-USD"])
def test_a_topic_is_accepted_only_on_the_path_of_its_kind_and_margin_type(
    symbol: str,
) -> None:
    granted = {
        (path, topic)
        for path in PATHS
        for several in topics(symbol).values()
        for topic in several
        if not refused(say(HtxSession(path), **asked(path, topic))[0])
    }
    assert granted == {
        (path, topic) for path, several in topics(symbol).items() for topic in several
    }


def test_a_market_topic_is_acknowledged_with_the_clients_id_and_can_be_unsubscribed() -> None:
    session, topic = HtxSession(MARKET), "market.BTC-USDT.bbo"
    assert say(session, sub="market.btc-usdt.bbo", id="id1") == [
        {"id": "id1", "status": "ok", "subbed": topic}
    ]
    assert session.streams() == ("bbo:BTC-USDT",)
    assert say(session, sub=topic, id="id2")[0]["status"] == "ok"
    assert say(session, unsub=topic, id="id3") == [{"id": "id3", "status": "ok", "unsubbed": topic}]
    assert session.streams() == ()
    (refusal,) = say(session, unsub=topic)
    assert (refusal["status"], refusal["err-code"], refusal["err-msg"]) == (
        "error",
        "bad-request",
        f"unsub with not subbed topic {topic}",
    )


def test_a_book_is_one_stream_until_its_last_topic_is_unsubscribed() -> None:
    session = HtxSession(COIN_MARKET)
    for depth in ("step0", "size_20.high_freq"):
        say(session, sub=f"market.BTC-USD.depth.{depth}")
    assert session.streams() == ("depth:BTC-USD",) == (SERVE.stream_of(packed(STEP)),)
    say(session, unsub="market.BTC-USD.depth.step0")
    assert session.streams() == ("depth:BTC-USD",)
    say(session, unsub="market.BTC-USD.depth.size_20.high_freq")
    assert session.streams() == ()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "[" * 60_000,
        "{}",
        '{"sub":7}',
        '{"sub":""}',
        '{"sub":"market.BTC-USDT.nope"}',
        '{"sub":"market.BTC-USDT.depth.size_400.high_freq"}',
        '{"sub":"market.BTC-USDT.depth.step1"}',
        '{"sub":"market..bbo"}',
        '{"sub":"public.BTC-USDT.bbo"}',
        '{"sub":"market.BTC-USDT.funding_rate"}',
        '{"sub":"bbo"}',
        '{"req":"market.BTC-USDT.bbo"}',
        '{"sub":"market.BTC-USD.bbo","id":' + "7" * 5_000 + "}",
    ],
)
def test_a_malformed_market_request_is_refused_and_changes_nothing(text: str) -> None:
    session = HtxSession(MARKET)
    (answer,) = map(json.loads, session.receive(text))
    assert (answer["status"], answer["err-code"]) == ("error", "bad-request")
    assert session.streams() == ()


def test_notifications_are_acknowledged_with_the_clients_id_or_refused_with_a_code() -> None:
    session, topic = HtxSession(NOTIFICATIONS), "public.BTC-USDT.funding_rate"
    assert say(session, op="sub", cid="c1", topic="public.btc-usdt.funding_rate") == [
        {"op": "sub", "cid": "c1", "topic": topic, "err-code": 0}
    ]
    assert session.streams() == ("funding_rate:BTC-USDT",)
    assert [answer["err-code"] for answer in say(session, op="sub", topic=topic)] == [2014]
    assert say(session, op="unsub", topic=topic) == [{"op": "unsub", "topic": topic, "err-code": 0}]
    assert session.streams() == ()
    assert [answer["err-code"] for answer in say(session, op="unsub", topic=topic)] == [2012]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ({"op": "sub"}, {"op": "sub", "topic": "", "err-code": 2040}),
        (
            {"op": "sub", "topic": ["x"], "cid": 7},
            {"op": "sub", "cid": "", "topic": "", "err-code": 2040},
        ),
        (
            {"op": "sub", "topic": "public.*.funding_rate"},
            {"op": "sub", "topic": "public.*.funding_rate", "err-code": 2010},
        ),
        (
            {"op": "sub", "topic": "public.BTC-USDT.funding_rate.x"},
            {"op": "sub", "topic": "public.BTC-USDT.funding_rate.x", "err-code": 2010},
        ),
        ({"op": "sub", "topic": "orders"}, {"op": "sub", "topic": "orders", "err-code": 2010}),
        ({"op": "auth"}, {"op": "error"}),
        ({"sub": "market.BTC-USDT.bbo"}, {"op": "error"}),
    ],
)
def test_a_malformed_notification_request_is_refused_and_changes_nothing(
    request_: dict, answer: dict
) -> None:
    session = HtxSession(NOTIFICATIONS)
    (said,) = say(session, **request_)
    assert said.items() >= answer.items()
    assert session.streams() == ()


def test_the_adapter_reports_every_refusal_and_no_acknowledgement() -> None:
    adapter = HtxSwapStream()
    for path, topic in (
        (MARKET, "market.BTC-USDT.bbo"),
        (NOTIFICATIONS, "public.BTC-USDT.funding_rate"),
    ):
        session = HtxSession(path)
        (granted,) = session.receive(json.dumps(asked(path, topic)))
        assert list(adapter.frame("c", session.compressed(granted.encode()), 1)) == []
        for request in (
            {"sub": "market.BTC-USD.bbo"},
            {"op": "sub", "topic": "x"},
            {"op": "auth"},
            [],
        ):
            (refusal,) = session.receive(json.dumps(request))
            (invalid_input,) = adapter.frame("c", session.compressed(refusal.encode()), 1)
            assert isinstance(invalid_input, InvalidInput), refusal


# --- pings


@pytest.mark.parametrize("path", PATHS)
def test_four_unanswered_pings_end_the_connection(
    path: str,
) -> None:
    session, adapter = HtxSession(path), HtxSwapStream()
    for second in range(0, 100, 5):
        ping = session.ping(AT + second * S)
        (answer,) = adapter.frame("c", session.compressed(ping.encode()), AT)
        assert isinstance(answer, SendFrame)
        assert session.receive(answer.text) == ()
    pings = [session.ping(AT + second * S) for second in range(100, 120, 5)]
    assert len(set(pings)) == 4
    with pytest.raises(VenueError, match="ping check expired"):
        session.ping(AT + 120 * S)


def test_pings_have_milliseconds_and_texts_on_notification_paths() -> None:
    assert HtxSession(INDICES).ping(AT) == '{"ping":1700000000123}'
    assert HtxSession(COIN_NOTIFICATIONS).ping(AT) == '{"op":"ping","ts":"1700000000123"}'


@pytest.mark.parametrize("pong", [1, None, "x", [], {}, "1700000000123" + "0" * 5_000])
@pytest.mark.parametrize("path", [MARKET, NOTIFICATIONS])
def test_a_pong_with_another_number_answers_no_ping(path: str, pong) -> None:
    session = HtxSession(path)
    for second in range(4):
        session.ping(AT + second * S)
        assert (
            say(session, **({"pong": pong} if path == MARKET else {"op": "pong", "ts": pong})) == []
        )
    with pytest.raises(VenueError):
        session.ping(AT + 5 * S)


def test_a_pong_answers_the_pings_before_its_own_too() -> None:
    session = HtxSession(MARKET)
    *_, last = [json.loads(session.ping(AT + second * S))["ping"] for second in range(4)]
    say(session, pong=last)
    for second in range(5, 9):
        session.ping(AT + second * S)


def test_a_clients_ping_is_not_answered() -> None:
    assert HtxSession(MARKET).receive('{"ping":1}') == ()


# --- frames sent


def test_everything_sent_is_one_gzip_file_even_if_recorded_compressed() -> None:
    session = HtxSession(MARKET)
    assert gzip.decompress(session.compressed(b'{"ping":1}')) == b'{"ping":1}'
    assert session.compressed(packed(BBO)) == packed(BBO)


@pytest.mark.parametrize("instrument", [BTC, COIN])
def test_the_adapters_subscriptions_are_sent(instrument: InstrumentId) -> None:
    adapter, symbol, carried = HtxSwapStream(), instrument.symbol, set()
    for plan in adapter.plan([symbol]):
        session = HtxSession(plan.url.removeprefix("wss://api.hbdm.com"))
        answers = [
            json.loads(answer)
            for sent in adapter.opened(plan.name, 1)
            for answer in session.receive(sent.text)
        ]
        assert not any(map(refused, answers))
        carried |= set(session.streams())
        assert {SERVE.route_of(stream) for stream in session.streams()} == {
            plan.url.removeprefix("wss://api.hbdm.com")
        }
    book = msgspec.structs.replace(BOOK, symbol=symbol)
    touch, trade = (
        msgspec.structs.replace(TOUCH, instrument=instrument),
        Trade(instrument, "buy", number("31"), number("1"), "9", AT, AT),
    )
    marked = SERVE.mark_frames(
        msgspec.structs.replace(MARK_OF_BTC, instrument=instrument),
        msgspec.structs.replace(FUNDING_OF_BTC, instrument=instrument),
    )
    sent = [
        SERVE.snapshot_frame(book),
        *SERVE.depth_frames(book),
        SERVE.touch_frame(touch, 1),
        SERVE.trade_frame(trade),
        *marked,
    ]
    assert {stream for stream, _ in sent} == carried - {f"liquidation_orders:{symbol}"}
    assert [SERVE.stream_of(frame) for _, frame in sent] == [stream for stream, _ in sent]


def test_the_adapter_reads_the_events_of_the_frames() -> None:
    adapter = HtxSwapStream()
    trade = Trade(BTC, "sell", number("30.50"), number("2"), "131602265000", AT, AT)
    assert list(adapter.frame("c", SERVE.trade_frame(trade)[1], AT)) == [trade]
    assert list(adapter.frame("c", SERVE.touch_frame(TOUCH, 5)[1], AT)) == [TOUCH]
    told = [
        outcome
        for _, frame in SERVE.mark_frames(MARK_OF_BTC, FUNDING_OF_BTC)
        for outcome in adapter.frame("c", frame, AT)
    ]
    assert [(mark.mark, mark.index) for mark in told if isinstance(mark, VenueMark)] == [
        (None, "240.30"),
        ("240.4", "240.30"),
    ]
    assert [funding for funding in told if isinstance(funding, Funding)] == [FUNDING_OF_BTC]


def test_unknown_sides_marks_and_fundings_are_not_sent() -> None:
    (touch,) = HtxSwapStream().frame(
        "c", SERVE.touch_frame(msgspec.structs.replace(TOUCH, bid=None, bid_size=None), 1)[1], AT
    )
    assert (touch.bid, touch.ask) == (None, "241.50")
    frames = SERVE.mark_frames(
        VenueMark(BTC, number("1"), None, AT, AT), Funding(BTC, None, None, None, None, AT, AT)
    )
    assert [stream for stream, _ in frames] == ["mark_price:BTC-USDT"]


def test_the_adapter_builds_the_book_that_was_served() -> None:
    adapter = HtxSwapStream()
    change = Depth("BTC-USDT", 78, (("240.0", "0"), ("239.0", "5")), (), AT + 1_000_000)
    frames = [SERVE.snapshot_frame(BOOK)[1], SERVE.depth_frames(change)[0][1]]
    tops = [outcome for frame in frames for outcome in adapter.frame("c", frame, AT)]
    assert [
        (top.snapshot, top.bid, top.bid_size, top.ask, top.sequence)
        for top in tops
        if isinstance(top, BookTop)
    ] == [
        (True, "240.0", "1", "241.50", 77),
        (False, "239.0", "5", "241.50", 78),
    ]


# --- recorded frames


def test_written_frames_are_read_back_compressed_or_not() -> None:
    change = Depth("BTC-USDT", 80, (("30.10", "0"),), (("31", "25"),), AT, previous=79)
    ((_, frame),) = SERVE.depth_frames(change)
    assert SERVE.read_depth(frame) == SERVE.read_depth(gzip.compress(frame)) == change
    assert SERVE.read_depth(SERVE.snapshot_frame(BOOK)[1]) == msgspec.structs.replace(
        BOOK, whole=True
    )


def test_a_captured_frame_belongs_to_the_stream_of_its_topic_even_if_damaged() -> None:
    streams = [
        "depth:BTC-USDT", "depth:BTC-USD", "depth:AKRO-USD", "bbo:BTC-USDT", "trade:BTC-USDT",
        "mark_price:BTC-USDT", "index:BTC-USDT", "funding_rate:BTC-USDT",
        "liquidation_orders:ETH-USDT",
    ]  # fmt: skip
    assert [SERVE.stream_of(packed(frame)) for frame in PUSHES] == streams
    assert [SERVE.stream_of(packed(frame)[:-12]) for frame in PUSHES] == streams
    assert [SERVE.stream_of(json.dumps(frame).encode()) for frame in PUSHES] == streams
    assert [SERVE.channel_of(stream) for stream in streams] == [
        *["book"] * 3,
        "touch",
        "trades",
        "mark",
        "other",
        "other",
        "other",
    ]
    assert [SERVE.symbol_of(stream) for stream in streams[:3]] == [
        "BTC-USDT",
        "BTC-USD",
        "AKRO-USD",
    ]


@pytest.mark.parametrize(
    "frame",
    [
        packed({"ping": 1790134831961}),
        packed({"id": "id1", "status": "ok", "subbed": "market.BTC-USDT.bbo", "ts": 1}),
        packed(
            {
                "op": "sub",
                "cid": "f1",
                "topic": "public.BTC-USDT.funding_rate",
                "ts": 1,
                "err-code": 0,
            }
        ),
        packed({"ch": "market.BTC-USDT.premium_index.1min", "ts": 1, "tick": {}}),
        packed({"ch": "market.overview", "ts": 1}),
        packed(BBO)[:10] + b"damaged" + packed(BBO)[17:],
        b"\x1f\x8b",
        b"\xff",
        b"",
    ],
)
def test_answers_pings_and_unread_topics_belong_to_no_stream(frame: bytes) -> None:
    assert SERVE.stream_of(frame) is None


def test_captured_books_touches_and_marks_are_read_back() -> None:
    book = SERVE.read_depth(packed(SNAPSHOT))
    assert (book.whole, book.last, book.bids[0], book.asks[0]) == (
        True,
        1789895280797,
        ("86859.8", "6172"),
        ("86859.9", "817"),
    )
    step = SERVE.read_depth(packed(STEP))
    assert (step.whole, step.last, step.bids, step.venue_time_ns) == (
        True, 1603707576468, (("13071.9", "38"), ("13068", "5")), 1603707576468000000,
    )  # fmt: skip


def test_incomplete_books_and_damaged_frames_are_not_read() -> None:
    for data in (
        packed(DELISTED),
        packed(SNAPSHOT)[:-12],
        packed(TRADES),
        packed({**SNAPSHOT, "tick": {**SNAPSHOT["tick"], "asks": None}}),
    ):
        with pytest.raises(msgspec.DecodeError):
            SERVE.read_depth(data)


# --- REST


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/linear-swap-ex/market/bbo", "contract_code=BTC-USD", 200, "invalid-parameter"),
        ("/linear-swap-ex/market/depth", "type=step0", 200, "invalid-parameter"),
        (
            "/linear-swap-ex/market/depth",
            "contract_code=BTC-USDT&type=step99",
            200,
            "invalid-parameter",
        ),
        ("/swap-ex/market/depth", "contract_code=BTC-USD&type=step0", 503, 1004),
        (
            "/index/market/history/linear_swap_mark_price_kline",
            "contract_code=NOPE",
            200,
            "invalid-parameter",
        ),
        ("/index/market/history/swap_mark_price_kline", "contract_code=BTC-USD", 503, 1004),
        ("/linear-swap-api/v1/swap_index", "contract_code=BTC-USD", 200, 1014),
        ("/swap-api/v1/swap_index", "contract_code=BTC-USD", 503, 1004),
        ("/swap-api/v1/swap_funding_rate", "", 200, 1014),
        ("/swap-api/v1/swap_funding_rate", "contract_code=BTC-USD", 503, 1004),
        ("/swap-ex/market/bbo", "contract_code=BTC-USD", 503, 1004),
    ],
)
def test_a_request_that_cannot_be_answered_gets_the_venues_error(
    path: str, query: str, status: int, code
) -> None:
    answered, body = ask(path, query)
    assert (answered, body["status"], body.get("err-code", body.get("err_code"))) == (
        status,
        "error",
        code,
    )


@pytest.mark.parametrize(
    "path", ["/", "/linear-swap-api/v1/nope", "/linear-swap-api/v1/swap_open_interest"]
)
def test_an_unknown_path_is_not_found(path: str) -> None:
    assert ask(path) == (404, {"status": 404, "error": "Not Found", "path": path})


def test_a_book_has_the_levels_of_its_type() -> None:
    for kind, levels in (("step0", 150), ("step6", 30)):
        book = ask("/linear-swap-ex/market/depth", f"contract_code=BTC-USDT&type={kind}")[1]
        assert (book["ch"], len(book["tick"]["bids"]), book["tick"]["bids"][0]) == (
            f"market.BTC-USDT.depth.{kind}",
            levels,
            [240.0, 1],
        )
    answer = REST.answer(
        "/linear-swap-ex/market/depth", "contract_code=BTC-USDT&type=step0", KNOWN, AT
    )
    assert paired(HtxSwapRest().read_book(answer.body).bids) == BOOK.bids[:150]


def test_answers_for_all_symbols_leave_out_unknown_ones() -> None:
    assert ask("/swap-ex/market/bbo")[1]["ticks"] == []
    unknown = TwoContracts(
        (VenueMark(BTC, number("1"), None, AT, AT), Funding(BTC, None, None, None, None, AT, AT)),
        book=None,
    )
    assert ask("/linear-swap-ex/market/bbo", market=unknown)[1]["ticks"] == []
    assert ask("/linear-swap-api/v1/swap_index", market=unknown)[1]["data"] == []
    assert ask("/linear-swap-api/v1/swap_batch_funding_rate", market=unknown)[1]["data"] == []


def test_the_adapter_reads_the_answers() -> None:
    rest, symbol, read = HtxSwapRest(), BTC.symbol, []
    one_rate = rest.request_for(
        "https://api.hbdm.com/linear-swap-api/v1/swap_funding_rate?contract_code=BTC-USDT"
    )
    requests = (
        *rest.quotes([symbol]),
        *rest.quotes([symbol, "ETH-USDT"]),
        rest.depth(symbol),
        *rest.poll("mark", [symbol]),
    )
    for request in (
        *requests,
        *rest.poll("index", [symbol]),
        *rest.poll("funding", [symbol]),
        one_rate,
    ):
        path, _, query = request.url.removeprefix("https://api.hbdm.com").partition("?")
        read += rest.read(request, 200, REST.answer(path, query, KNOWN, AT).body, AT)
    touch, listed_touch, top, mark, index, funding, same_funding = read
    assert touch == listed_touch == TOUCH
    assert (top.bid, top.ask, top.bid_levels) == ("240.0", "241.50", 150)
    assert (mark.mark, index.index) == ("240.4", "240.30")
    assert funding == same_funding == FUNDING_OF_BTC


@pytest.mark.parametrize(
    ("margin_type", "symbol", "size", "margin"),
    [(LINEAR, BTC, "0.001", "USDT"), (INVERSE, COIN, "100", "BTC")],
)
def test_each_margin_type_lists_its_own_contracts(
    margin_type, symbol, size: str, margin: str
) -> None:
    rest = HtxSwapRest()
    (url,) = (request.url for request in rest.instruments() if f"{margin_type.api}/" in request.url)
    path = url.removeprefix("https://api.hbdm.com")
    (listed,) = rest.read_instruments(REST.answer(path, "", KNOWN, AT).body)
    assert (listed.id, listed.contract_size, listed.margin, listed.linear) == (
        symbol,
        Decimal(size),
        margin,
        margin_type is LINEAR,
    )


def test_requests_for_different_sizes_have_equal_keys() -> None:
    path = "/index/market/history/swap_mark_price_kline"
    assert REST.request_key(path, "contract_code=A&size=1&period=1min") == REST.request_key(
        path, "period=1min&contract_code=A&size=9"
    )
    assert REST.request_key(path, "contract_code=A") != REST.request_key(path, "contract_code=B")


def test_other_requests_are_counted_in_headers_and_limited_in_three_seconds() -> None:
    account, start = REST.new_rate_limit(), 3 * S * 1000
    assert [account.charge("/swap-api/v1/swap_index", "", start) for _ in range(240)] == [
        None
    ] * 240
    assert account.headers() == {
        "ratelimit-limit": "240",
        "ratelimit-interval": "3000",
        "ratelimit-remaining": "0",
        "ratelimit-reset": "3003000",
    }
    refusal = account.charge("/linear-swap-api/v1/swap_index", "", start + S)
    assert refusal is not None
    assert (refusal.status, json.loads(refusal.body)["err_code"], refusal.retry_after_s) == (
        429,
        1032,
        2,
    )
    assert account.charge("/linear-swap-ex/market/bbo", "", start + S) is None
    assert account.headers() == {}
    assert account.charge("/linear-swap-api/v1/swap_index", "", start + 3 * S) is None


def test_market_data_is_limited_to_eight_hundred_requests_a_second() -> None:
    account = REST.new_rate_limit()
    assert [account.charge("/swap-ex/market/bbo", "", S) for _ in range(800)] == [None] * 800
    assert account.charge("/swap-ex/market/bbo", "", S).status == 429
    assert account.charge("/swap-ex/market/bbo", "", 2 * S) is None


def test_an_outage_is_answered_with_503() -> None:
    answer = REST.too_many(5, 503)
    assert (answer.status, json.loads(answer.body)["err_code"], answer.retry_after_s) == (
        503,
        1004,
        5,
    )
