from __future__ import annotations

import json
import threading
from types import SimpleNamespace

import pytest

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import SystemClock
from perps_actors.transport.broker import BrokerNetwork
from perps_actors.transport.limits import Limits
from perps_actors.transport.wire import ConnectionPlan, HttpRequest

LIMIT_S = 8.0
ORDERBOOK, TRADES = "broker:stream_orderbook?level=2", "broker:stream_trades"


class Place:
    """Networks over brokers of one test, and the locks that their iterators and calls hang on."""

    def __init__(self, hearing, asked) -> None:
        self._hearing = hearing
        self._asked = asked
        self._networks: list[BrokerNetwork] = []
        self.locks: list[threading.Event] = []
        self.network: BrokerNetwork

    def lock(self) -> threading.Event:
        lock = threading.Event()
        self.locks.append(lock)
        return lock

    def broker(self, *, seconds=5.0, max_abandoned=3, name="", **methods) -> BrokerNetwork:
        limits = Limits(request_total_s=seconds, max_message_bytes=1_000)
        self.network = BrokerNetwork(
            SimpleNamespace(**methods), SystemClock(), limits, name, max_abandoned=max_abandoned
        )
        self._networks.append(self.network)
        return self.network

    def open(self, url=ORDERBOOK, symbols=("BTC", "ETH"), silence_s=60.0):
        hearing = self._hearing()
        plan = ConnectionPlan(
            name=url.split("_")[-1].split("?")[0],
            url=url,
            symbols=symbols,
            silence_limit_s=silence_s,
        )
        return hearing, self.network.open(plan, hearing)

    def ask(self, symbol="BTC", purpose="quote"):
        asked = self._asked()
        self.network.request(
            HttpRequest(url="broker:get_quote", purpose=purpose, symbol=symbol), asked
        )
        return asked

    def until_ended(self, prefix="broker-orderbook") -> None:
        """Return when the worker of the iterators has ended."""
        for thread in threading.enumerate():
            if thread.name.startswith(prefix):
                thread.join(LIMIT_S)
                assert not thread.is_alive()

    def end(self) -> None:
        for network in self._networks:
            network.close(0.0)
        for lock in self.locks:
            lock.set()
        assert [network.close(LIMIT_S) for network in self._networks] == [0] * len(self._networks)


@pytest.fixture
def place(hearings, asked):
    place = Place(lambda: hearings(1)[0], asked)
    yield place
    place.end()


def hanging(place, *, closings=None):
    """A method whose iterators yield one item when their lock is opened, and then no more."""

    def items(lock):
        try:
            lock.wait(LIMIT_S)
            yield {"late": True}
            lock.clear()
            lock.wait(LIMIT_S)
        finally:
            if closings is not None:
                closings.append(threading.current_thread().name)

    def stream(*_, **__):
        return items(place.lock())

    return stream


# --- iterators


def test_a_method_is_called_with_its_symbols_and_level_and_every_item_comes_as_json_in_order(place):
    calls = []

    def stream_orderbook(symbols, level):
        calls.append((symbols, level))
        return iter([{"bid": number} for number in range(100)])

    def stream_trades(symbols):
        calls.append(symbols)
        return ({"price": number} for number in range(3))

    place.broker(stream_orderbook=stream_orderbook, stream_trades=stream_trades)
    book, _ = place.open()
    assert book.ending() == ("the iterator ended", False)
    assert [json.loads(frame) for frame in book.frames_heard] == [
        {"bid": number} for number in range(100)
    ]
    assert book.openings == 1
    trades, _ = place.open(TRADES)
    assert trades.ending() == ("the iterator ended", False)
    assert len(trades.frames_heard) == 3
    assert calls == [(["BTC", "ETH"], 2), ["BTC", "ETH"]]


def at_once(*_, **__):
    raise ConnectionRefusedError


def at_first(*_, **__):
    raise ConnectionRefusedError
    yield


def after_two(*_, **__):
    yield {}
    yield {}
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("stream", "opened", "items", "reason"),
    [
        (at_once, 0, 0, "ConnectionRefusedError: "),
        (at_first, 1, 0, "ConnectionRefusedError: "),
        (after_two, 1, 2, "SystemExit: 3"),
        (lambda *_, **__: 7, 0, 0, "TypeError: 'int' object is not iterable"),
        (None, 0, 0, "TypeError: 'NoneType' object is not callable"),
    ],
)
def test_an_iterator_that_fails_at_any_moment_ends_its_connection_with_its_error(
    place, stream, opened, items, reason
):
    place.broker(stream_orderbook=stream, stream_trades=lambda _: iter([{}]))
    hearing, _ = place.open()
    assert hearing.ending() == (reason, True)
    assert (hearing.openings, len(hearing.frames_heard)) == (opened, items)
    assert place.open(TRADES)[0].ending() == ("the iterator ended", False)


@pytest.mark.parametrize(
    "url", ["broker:close", "broker:stream_orderbook", "wss://stream_trades", ""]
)
def test_an_address_that_names_no_stream_of_a_broker_ends_its_connection_and_calls_nothing(
    place, url
):
    place.broker()
    reason, error = place.open(url)[0].ending()
    assert error
    assert reason.startswith(
        "Expected broker:stream_orderbook?level=1 or broker:stream_trades, was"
    )


def test_an_unusable_item_is_a_frame_like_the_others_and_the_stream_goes_on(place):
    place.broker(stream_trades=lambda _: [None, {"a": "x" * 2_000}, {"b": 1}])
    hearing, _ = place.open(TRADES)
    hearing.ending()
    assert [json.loads(frame) for frame in hearing.frames_heard] == [
        "Expected a dict, was None",
        "Expected a dict of at most 1000 bytes, was 2008",
        {"b": 1},
    ]


def test_an_iterator_is_read_only_while_the_listener_has_room(place):
    taken = []

    def stream(_):
        for number in range(3):
            taken.append(number)
            yield {}

    place.broker(stream_trades=stream)
    asked = threading.Semaphore(0)

    def full(_):
        asked.release()
        return False

    plan = ConnectionPlan(name="trades", url=TRADES, silence_limit_s=0.001)
    hearing = place._hearing()
    hearing.has_room = full
    place.network.open(plan, hearing)
    for _ in range(100):
        assert asked.acquire(timeout=LIMIT_S)
    assert (taken, hearing.endings) == ([], [])
    hearing.has_room = lambda _: True
    assert hearing.ending() == ("the iterator ended", False)
    assert taken == [0, 1, 2]


def test_a_silent_iterator_is_abandoned_and_closed_when_it_returns_and_its_items_are_ignored(
    place,
):
    closings = []
    place.broker(stream_orderbook=hanging(place, closings=closings))
    hearing, _ = place.open(silence_s=0.05)
    assert hearing.ending() == ("nothing came for 0.05 s", True)
    assert closings == []
    place.locks[0].set()
    place.until_ended()
    assert closings == ["broker-orderbook"]
    assert (hearing.frames_heard, len(hearing.endings)) == ([], 1)


def test_a_method_that_does_not_return_is_abandoned_too(place):
    lock = place.lock()
    place.broker(stream_orderbook=lambda *_, **__: lock.wait(LIMIT_S))
    hearing, _ = place.open(silence_s=0.05)
    assert hearing.ending() == ("nothing came for 0.05 s", True)
    assert hearing.openings == 0


def test_beyond_the_limit_a_silent_iterator_is_kept_and_its_method_is_shown_as_suspended(place):
    network = place.broker(
        max_abandoned=2, stream_orderbook=hanging(place), stream_trades=hanging(place)
    )
    assert place.open(silence_s=0.01)[0].ending() == ("nothing came for 0.01 s", True)
    assert network.suspended() == ()
    reason, error = place.open(silence_s=0.01)[0].ending()
    assert (reason, error) == (
        (
            "nothing came for 0.01 s; 2 calls of stream_orderbook have not come back, "
            "so no further one is given up"
        ),
        True,
    )
    assert network.suspended() == ("stream_orderbook",)
    present, _ = place.open(silence_s=0.01)
    present.until_open()
    # When the iterator of the other method was abandoned, this one is silent beyond its limit.
    assert place.open(TRADES, silence_s=0.2)[0].ending() == ("nothing came for 0.2 s", True)
    assert present.endings == []
    place.locks[2].set()
    present.until(lambda: present.frames_heard)
    assert present.endings == []
    place.locks[0].set()
    assert present.ending()[1]


def test_a_suspended_method_is_not_called_before_one_of_its_calls_returns(place):
    network = place.broker(max_abandoned=1, stream_orderbook=hanging(place))
    for _ in range(2):
        hearing, link = place.open()
        hearing.until_open()
        link.close("replaced")
        assert hearing.ending() == ("replaced", False)
    refused, _ = place.open()
    assert refused.ending() == ("stream_orderbook is suspended: 2 calls have not come back", True)
    assert (refused.openings, len(place.locks)) == (0, 2)
    for lock in place.locks:
        lock.set()
    place.until_ended()
    assert network.suspended() == ()
    place.open()[0].until_open()


def test_the_owner_ends_a_connection_at_once_though_its_iterator_blocks(place):
    place.broker(stream_orderbook=hanging(place))
    hearing, link = place.open()
    hearing.until_open()
    link.close("enough")
    link.close("more than enough")
    assert hearing.ending() == ("enough", False)
    assert not place.locks[0].is_set()


def test_a_frame_for_an_iterator_ends_the_connection(place):
    place.broker(stream_orderbook=hanging(place))
    hearing, link = place.open()
    link.send("subscribe")
    assert hearing.ending() == ("cannot send: an iterator takes no frames", True)


def test_a_thread_ends_although_closing_its_iterator_fails(place):
    class Dirty:
        def __iter__(self):
            return self

        def __next__(self):
            return {}

        def close(self):
            raise SystemExit

    network = place.broker(max_abandoned=1, stream_trades=lambda _: Dirty())
    hearing, link = place.open(TRADES)
    hearing.until_open()
    link.close("enough")
    assert hearing.ending() == ("enough", False)
    place.until_ended("broker-trades")
    assert network.suspended() == ()


def test_a_listener_that_fails_at_the_end_affects_no_other_connection(place, monkeypatch):
    reported = []
    monkeypatch.setattr(
        threading, "excepthook", lambda args: reported.append((args.exc_type, args.thread.name))
    )
    place.broker(name="paper", stream_orderbook=hanging(place))
    failing, link = place.open()
    other, other_link = place.open()
    failing.until_open()
    other.until_open()
    failing.fail_in = "closed"
    link.close("enough")
    failing.ending()
    other_link.close("enough")
    assert other.ending() == ("enough", False)
    assert reported == [(KeyError, "paper-broker-keeper")]


# --- quotes


def test_a_quote_is_an_answer_with_its_fields(place):
    place.broker(get_quote=lambda symbol: {"symbol": symbol, "bid": 1.5})
    answer = place.ask("ETH").one()
    assert (answer.status, json.loads(answer.body), answer.error) == (
        200,
        {"symbol": "ETH", "bid": 1.5},
        None,
    )


def raising(error):
    def get_quote(_):
        raise error

    return get_quote


@pytest.mark.parametrize(
    ("get_quote", "why"),
    [
        (lambda _: None, "Expected a quote, was None"),
        (raising(ConnectionRefusedError()), "ConnectionRefusedError: "),
        (raising(SystemExit(3)), "SystemExit: 3"),
        (None, "TypeError: 'NoneType' object is not callable"),
    ],
)
def test_a_quote_that_fails_is_an_error_and_the_next_request_is_made(place, get_quote, why):
    place.broker(get_quote=get_quote)
    for _ in range(5):
        answer = place.ask().one()
        assert (answer.status, answer.error) == (None, why)


def test_only_quotes_of_a_symbol_can_be_requested(place):
    place.broker(get_quote=lambda _: {"bid": 1})
    assert (
        place.ask(purpose="depth").one().error
        == "a broker is asked for the quote of a symbol, not for depth"
    )
    assert (
        place.ask(symbol=None).one().error
        == "a broker is asked for the quote of a symbol, not for quote"
    )


def test_a_symbol_is_not_called_twice_at_a_time_and_others_are_called(place):
    lock, calls = place.lock(), []

    def get_quote(symbol):
        calls.append(symbol)
        if symbol == "BTC":
            lock.wait(LIMIT_S)
        return {"bid": 1}

    place.broker(get_quote=get_quote)
    first = place.ask("BTC")
    assert place.ask("BTC").one().error == "a call of get_quote for BTC has not come back"
    assert place.ask("ETH").one().status == 200
    lock.set()
    assert first.one().status == 200
    assert place.ask("BTC").one().status == 200
    assert sorted(calls) == ["BTC", "BTC", "ETH"]


def test_a_slow_call_is_answered_by_the_deadline_and_its_symbol_is_free_when_it_returns(
    place,
):
    lock = place.lock()
    place.broker(seconds=0.1, get_quote=lambda _: {"back": lock.wait(LIMIT_S)})
    late = place.ask("BTC")
    assert late.one().error == "no answer within 0.1 s"
    assert place.ask("BTC").one().error == "a call of get_quote for BTC has not come back"
    lock.set()
    answers = iter(lambda: place.ask("BTC").one(), None)
    assert (
        next(answer for answer in answers if "come back" not in (answer.error or "")).status == 200
    )
    assert len(late.answers) == 1


def test_when_the_most_calls_are_abandoned_no_more_are_made_until_one_returns(place):
    locks, calls = {symbol: place.lock() for symbol in "ABC"}, []

    def get_quote(symbol):
        calls.append(symbol)
        if symbol in locks:
            locks[symbol].wait(LIMIT_S)
        return {"bid": 1}

    network = place.broker(seconds=0.5, max_abandoned=3, get_quote=get_quote)
    hung = [place.ask(symbol) for symbol in "ABC"]
    waiting = [place.ask(symbol) for symbol in "DE"]
    assert [ask.one().error for ask in hung + waiting] == ["no answer within 0.5 s"] * 5
    assert network.suspended() == ("get_quote",)
    assert place.ask("F").one().error == "get_quote is suspended: 3 calls have not come back"
    assert sorted(calls) == ["A", "B", "C"]
    locks["B"].set()
    answers = iter(lambda: place.ask("F").one(), None)
    assert (
        next(answer for answer in answers if "suspended" not in (answer.error or "")).status == 200
    )
    assert network.suspended() == ()
    assert place.ask("D").one().status == 200
    assert sorted(calls) == ["A", "B", "C", "D", "F"]


# --- the end


def test_close_counts_the_threads_that_hang_in_the_hosts_code_and_may_be_repeated(place):
    inside, lock = threading.Semaphore(0), place.lock()

    def hang():
        inside.release()
        lock.wait(LIMIT_S)
        yield {}

    network = place.broker(
        name="paper", stream_orderbook=lambda *_, **__: hang(), get_quote=lambda _: next(hang())
    )
    hearing, _ = place.open()
    asked = place.ask()
    assert inside.acquire(timeout=LIMIT_S)
    assert inside.acquire(timeout=LIMIT_S)
    assert {thread.name for thread in threading.enumerate() if "broker" in thread.name} == {
        "paper-broker-orderbook",
        "paper-broker-keeper",
        "paper-broker-quote-0",
        "paper-broker-quote-watch",
    }
    assert network.close(0.5) == 2
    assert hearing.ending() == ("closed", False)
    assert asked.one().error == "closed"
    lock.set()
    assert network.close(LIMIT_S) == 0
    assert (len(hearing.endings), len(asked.answers)) == (1, 1)


def test_a_network_that_may_abandon_nothing_is_refused(place):
    with pytest.raises(TransportError, match="max_abandoned of at least 1, was 0"):
        place.broker(max_abandoned=0)
