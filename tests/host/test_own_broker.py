"""A host's own broker in place of a venue: marks continue however its calls fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import attrs
import pytest

from perps_actors import Event, Health, Mark, PerpsSystem, PollSettings, Settings, StreamSettings
from perps_actors.settings import MonitorSettings

LIMIT_S = 20.0
SYMBOL = "BTC-PERP"
SETTINGS = Settings(
    symbols=(SYMBOL,),
    stream=StreamSettings(patience_s=0.1, silence_s=0.3, climb_after=2),
    poll=PollSettings(interval_s=0.05),
    monitor=MonitorSettings(limit_s=2.0),
)


@attrs.define
class Broker:
    """Quotes 100; each stream does what it is told, one after the other, the last for ever."""

    books: list[Callable[[threading.Event], Iterator[Any]]]
    trades: list[Callable[[threading.Event], Iterator[Any]]] = attrs.Factory(list)
    quote: Callable[[], Any] = lambda: {"last": "100"}
    over: threading.Event = attrs.Factory(threading.Event)
    calls: list[tuple[str, int]] = attrs.Factory(list)

    def get_quote(self, symbol: str) -> Any:
        assert symbol == SYMBOL
        return self.quote()

    def stream_orderbook(self, symbols: Any, level: int = 1) -> Any:
        assert list(symbols) == [SYMBOL]
        self.calls.append(("orderbook", level))
        return (self.books.pop(0) if len(self.books) > 1 else self.books[0])(self.over)

    def stream_trades(self, symbols: Any) -> Any:
        assert list(symbols) == [SYMBOL]
        self.calls.append(("trades", 0))
        return (
            (self.trades.pop(0) if len(self.trades) > 1 else self.trades[0])(self.over)
            if self.trades
            else silent(self.over)
        )


def book(over: threading.Event) -> Iterator[Any]:
    for n in count():
        yield {"product_id": SYMBOL, "best_bid": 200 + n % 7, "best_ask": 202 + n % 7}
        if over.wait(0.002):
            return


def trade(over: threading.Event) -> Iterator[Any]:
    for n in count():
        yield {"symbol": SYMBOL, "price": Decimal(300 + n % 7)}
        if over.wait(0.002):
            return


def silent(over: threading.Event) -> Iterator[Any]:
    over.wait(LIMIT_S)
    yield from ()


def fails_at_once(_: threading.Event) -> Iterator[Any]:
    raise ConnectionError(SYMBOL)


def fails_at_the_first(_: threading.Event) -> Iterator[Any]:
    raise ConnectionError(SYMBOL)
    yield


def fails_in_the_middle(_: threading.Event) -> Iterator[Any]:
    yield {"product_id": SYMBOL, "bid": "200", "ask": "202"}
    raise SystemExit(3)


def ends(_: threading.Event) -> Iterator[Any]:
    yield {"product_id": SYMBOL, "bid": "200", "ask": "202"}


def nonsense(over: threading.Event) -> Iterator[Any]:
    yield from (None, 17, "oops", [], {}, object())
    yield {"product_id": SYMBOL, "price": "oops"}
    yield {"product_id": SYMBOL, "bid": float("nan"), "ask": 5}
    yield {"product_id": SYMBOL, "bid": 100, "ask": 1}
    yield {"product_id": "OTHER", "price": 5}
    yield from book(over)


class Heard:
    """Waits for marks of a source, and remembers events."""

    def __init__(self, system: PerpsSystem) -> None:
        self._condition = threading.Condition()
        self._sources: list[str] = []
        self.events: list[Event] = []
        system.subscribe(self._mark)
        system.subscribe(self.events.append, Event)

    def _mark(self, mark: Mark) -> None:
        with self._condition:
            self._sources.append(mark.source)
            self._condition.notify_all()

    def wait_for(self, *sources: str) -> None:
        """Wait until these sources have spoken in this order."""
        with self._condition:
            for source in sources:
                assert self._condition.wait_for(
                    lambda source=source: source in self._sources, LIMIT_S
                ), (source, set(self._sources))
                del self._sources[: self._sources.index(source)]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [dict(event.data) for event in self.events if event.kind == kind]


@pytest.fixture
def broken():
    brokers: list[Broker] = []

    def make(*books: Any, **how: Any) -> Broker:
        brokers.append(Broker(list(books), **how))
        return brokers[-1]

    yield make
    for broker in brokers:
        broker.over.set()


def test_a_brokers_book_makes_the_marks_while_its_quotes_are_polled(broken) -> None:
    broker = broken(book)
    with PerpsSystem(SETTINGS, broker=broker) as perps:
        heard = Heard(perps)
        heard.wait_for("book")
        assert perps.mark(SYMBOL).instrument.venue == "host_broker"
        assert 201 <= perps.mark(SYMBOL).mark <= 207
        assert perps.broker is broker
        assert perps.verdict(SYMBOL).may_open
        assert broker.calls[0] in {("orderbook", 1), ("trades", 0)}
        broker.over.set()
    assert perps.drain().threads_left == ()


@pytest.mark.parametrize(
    "fault",
    [fails_at_once, fails_at_the_first, fails_in_the_middle],
    ids=lambda fault: fault.__name__,
)
def test_a_failing_stream_is_reported_and_reopened_while_other_sources_make_marks(
    broken, fault
) -> None:
    broker = broken(fault, fault, book)
    system = PerpsSystem(SETTINGS, broker=broker)
    heard = Heard(system)
    with system as perps:
        heard.wait_for("rest", "book")
        assert any(
            "Error" in data["message"] or "SystemExit" in data["message"]
            for data in heard.of("ws_stream_error")
        )
        assert perps.restarts == 0
        broker.over.set()
    assert system.drain().threads_left == ()


def test_a_stream_that_ends_is_reopened_without_an_error(broken) -> None:
    broker = broken(ends, ends, book)
    system = PerpsSystem(SETTINGS, broker=broker)
    heard = Heard(system)
    with system:
        heard.wait_for("book", "book")
        while len([name for name, _ in broker.calls if name == "orderbook"]) < 3:
            heard.wait_for("rest")
        heard.wait_for("book")
        assert [
            data for data in heard.of("ws_stream_error") if data["connection"] == "orderbook"
        ] == []
        assert [data["connection"] for data in heard.of("ws_stream_exit")].count("orderbook") >= 2
        broker.over.set()


def test_a_blocked_stream_is_abandoned_and_trades_make_the_marks(broken) -> None:
    broker = broken(silent, trades=[trade])
    system = PerpsSystem(SETTINGS, broker=broker)
    heard = Heard(system)
    with system as perps:
        heard.wait_for("trades")
        assert 300 <= perps.mark(SYMBOL).mark <= 306
        broker.over.set()
    assert system.drain().threads_left == ()


def test_invalid_items_are_counted_and_the_next_item_makes_a_mark(broken) -> None:
    broker = broken(nonsense)
    system = PerpsSystem(SETTINGS, broker=broker)
    heard = Heard(system)
    with system as perps:
        heard.wait_for("book")
        assert perps.stream_statistics().invalid_inputs >= 9
        assert perps.mark_statistics().rejected == 0
        broker.over.set()


@pytest.mark.parametrize(
    "quote",
    [
        lambda: None,
        lambda: 1 / 0,
        lambda: {"bid": 5},
        lambda: "oops",
        lambda: {"bid": 100, "ask": 1},
    ],
    ids=["none", "raises", "one side", "text", "crossed"],
)
def test_an_unusable_quote_does_not_affect_the_stream(broken, quote) -> None:
    broker = broken(book, quote=quote)
    system = PerpsSystem(SETTINGS, broker=broker)
    heard = Heard(system)
    with system as perps:
        heard.wait_for("book")
        assert perps.mark(SYMBOL).source == "book"
        broker.over.set()
    assert system.drain().threads_left == ()


def test_a_hanging_quote_delays_neither_marks_nor_the_stop(broken) -> None:
    hung = threading.Event()
    broker = broken(book)

    def quote() -> None:
        hung.set()
        broker.over.wait(LIMIT_S)

    broker.quote = quote
    system = PerpsSystem(SETTINGS, broker=broker)
    heard = Heard(system)
    system.start()
    heard.wait_for("book")
    assert hung.wait(LIMIT_S)
    report = system.drain(2.0)
    assert report.actors.clean
    broker.over.set()


def test_another_level_reopens_the_order_book(broken) -> None:
    broker = broken(book)
    system = PerpsSystem(SETTINGS, broker=broker)
    heard = Heard(system)
    with system as perps:
        heard.wait_for("book")
        perps.reconfigure(
            attrs.evolve(perps.settings, stream=attrs.evolve(perps.settings.stream, level=2))
        )
        heard.wait_for("book", "book")
        while ("orderbook", 2) not in broker.calls:
            heard.wait_for("book")
        assert perps.health(SYMBOL) is None or perps.health(SYMBOL).health in {
            Health.LIVE,
            Health.WAITING,
        }
        broker.over.set()
