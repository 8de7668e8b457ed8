"""Bybit's own client reads the served venue."""

from __future__ import annotations

import copy
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pybit.unified_trading
import pytest

from perps_actors.simulator.process import VenueProcess

DEADLINE_S = 10
SYMBOL = "BTCUSDT"
UPDATES = 12
"""More frames than come in a second."""


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueProcess]:
    with VenueProcess.start("--venue", "bybit") as started:
        yield started


class Subscriber(pybit.unified_trading.WebSocket):
    """The client, which ignores data while it subscribes.

    An answer that arrives before it noted its request would end it.
    """

    def __init__(self) -> None:
        self._subscribing = threading.Lock()
        super().__init__("linear", testnet=False, ping_interval=2, ping_timeout=1)

    def subscribe(self, *args: Any, **kwargs: Any) -> None:
        # Otherwise it waits forever for a connection.
        assert self.is_connected()
        with self._subscribing:
            super().subscribe(*args, **kwargs)

    def _on_message(self, message: str) -> None:
        with self._subscribing:
            super()._on_message(message)


@pytest.fixture(scope="module")
def stream(venue: VenueProcess) -> Iterator[Subscriber]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            pybit.unified_trading,
            "PUBLIC_WSS",
            f"{venue.endpoints.stream}/v5/public/{{CHANNEL_TYPE}}",
        )
        client = Subscriber()
    yield client
    client.exit()
    # Its thread may notice this only when it next checks for a pong.
    client.wst.join(DEADLINE_S)
    assert not client.wst.is_alive()


@pytest.fixture
def http(venue: VenueProcess) -> Iterator[pybit.unified_trading.HTTP]:
    client = pybit.unified_trading.HTTP()
    client.endpoint = venue.endpoints.rest
    yield client
    client.client.close()


class Heard:
    """Copies of a subscription's data, because the client keeps changing its objects."""

    def __init__(self) -> None:
        self._data: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, message: dict[str, Any]) -> None:
        self._data.put(copy.deepcopy(message["data"]))

    def next(self) -> Any:
        return self._data.get(timeout=DEADLINE_S)


def test_a_book_kept_by_the_client_equals_the_one_of_rest(
    stream: Subscriber, http: pybit.unified_trading.HTTP
) -> None:
    heard = Heard()
    stream.orderbook_stream(200, SYMBOL, heard.put)
    seen = [heard.next()]
    fetched = http.get_orderbook(category="linear", symbol=SYMBOL, limit=200)["result"]
    while seen[-1]["u"] < fetched["u"]:
        seen.append(heard.next())
    (kept,) = [book for book in seen if book["u"] == fetched["u"]]
    assert sorted(kept["b"]) == sorted(fetched["b"])
    assert sorted(kept["a"]) == sorted(fetched["a"])


def test_a_ticker_kept_by_the_client_is_whole_and_equals_the_one_of_rest(
    stream: Subscriber, http: pybit.unified_trading.HTTP
) -> None:
    heard = Heard()
    stream.ticker_stream(SYMBOL, heard.put)
    (row,) = http.get_tickers(category="linear", symbol=SYMBOL)["result"]["list"]
    assert all(row.values())
    for _ in range(UPDATES):
        assert heard.next().keys() == row.keys()


def test_trades_have_the_side_of_their_taker(stream: Subscriber) -> None:
    heard = Heard()
    stream.trade_stream(SYMBOL, heard.put)
    (trade,) = heard.next()
    assert trade["S"] in ("Buy", "Sell")
    assert float(trade["p"]) > 0 < float(trade["v"])


def test_the_client_reads_the_listed_contracts(http: pybit.unified_trading.HTTP) -> None:
    (row,) = http.get_instruments_info(category="linear", symbol=SYMBOL)["result"]["list"]
    assert (row["contractType"], row["settleCoin"], row["status"]) == (
        "LinearPerpetual",
        "USDT",
        "Trading",
    )
    assert (row["priceFilter"]["tickSize"], row["lotSizeFilter"]["qtyStep"]) == ("0.1", "0.001")
