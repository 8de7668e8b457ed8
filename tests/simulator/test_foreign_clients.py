"""ccxt reads the REST answers of each served venue that it knows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import ccxt
import pytest
from requests.adapters import HTTPAdapter

from tests.simulator.foreign_clients import FOREIGN, Foreign, addresses, known

TRIES = 40
FUNDED = known(
    ccxt,
    "binance_futures",
    "binance_delivery",
    "bybit",
    "okx",
    "gateio_futures",
    "kraken_futures",
    "bitmex",
)
"""For the others, this client computes the rate from the history, another request."""
INTERESTED = known(ccxt, "binance_futures", "binance_delivery", "okx", "deribit")
"""For the others it is in the ticker, or this client requests its history."""
TIMED = known(
    ccxt, "binance_futures", "binance_delivery", "bybit", "okx", "deribit", "coinbase_international"
)


@pytest.fixture(scope="module", params=known(ccxt))
def reading(request: pytest.FixtureRequest) -> Iterator[tuple[Foreign, Any]]:
    foreign = FOREIGN[request.param]
    with foreign.serve(request.param) as venue:
        client = foreign.at(venue, ccxt)
        client.session.adapters.clear()
        client.session.mount(venue.endpoints.rest, HTTPAdapter())
        client.load_markets()
        yield foreign, client
        client.session.close()


def on_grid(price: float, tick: float) -> bool:
    return abs(price / tick - round(price / tick)) < 1e-6


def test_the_client_uses_only_the_address_of_the_venue(reading: tuple[Foreign, Any]) -> None:
    _, client = reading
    assert {urlsplit(address).hostname for address in addresses(client.urls["api"])} == {
        "127.0.0.1"
    }
    with pytest.raises(Exception, match="No connection adapters"):
        client.session.get("https://example.org", timeout=1)


def test_the_client_loads_the_listed_instruments(reading: tuple[Foreign, Any]) -> None:
    foreign, client = reading
    assert set(client.markets) == {listed.symbol for listed in foreign.listed}
    for listed in foreign.listed:
        market = client.market(listed.symbol)
        assert (market["id"], market["settle"], market["active"], market["type"]) == (
            listed.id,
            listed.settle,
            True,
            "swap",
        )
        assert (market["linear"], market["inverse"]) == (not listed.inverse, listed.inverse)
        assert (market["precision"]["price"], market["precision"]["amount"]) == (
            listed.tick,
            listed.lot,
        )
        assert market["contractSize"] == listed.contract_size


def test_a_book_is_sorted_uncrossed_and_on_the_tick_grid(reading: tuple[Foreign, Any]) -> None:
    foreign, client = reading
    for listed in foreign.listed:
        book = client.fetch_order_book(listed.symbol, 5)
        bids, asks = ([price for price, *_ in book[side]] for side in ("bids", "asks"))
        assert min(len(bids), len(asks)) >= 5
        assert all(higher > lower for higher, lower in pairwise([*reversed(asks), *bids]))
        assert all(on_grid(price, listed.tick) for price in (*bids, *asks))
        assert all(level[1] > 0 for side in ("bids", "asks") for level in book[side])
        assert book["timestamp"] is None or abs(client.milliseconds() - book["timestamp"]) < 60_000


def best_prices(foreign: Foreign, client: Any, symbol: str) -> dict[str, Any]:
    return (
        client.fetch_ticker(symbol)
        if foreign.has_ticker
        else client.fetch_bids_asks([symbol])[symbol]
    )


def test_the_best_prices_equal_the_top_of_the_book(reading: tuple[Foreign, Any]) -> None:
    foreign, client = reading
    for listed in foreign.listed:
        # The market may move between the two requests.
        for _ in range(TRIES):
            book, best = (
                client.fetch_order_book(listed.symbol, 5),
                best_prices(foreign, client, listed.symbol),
            )
            if (best["bid"], best["ask"]) == (book["bids"][0][0], book["asks"][0][0]):
                break
        else:
            pytest.fail(f"{best} never agreed with {book}")


def test_the_best_prices_of_all_symbols_come_in_one_answer(reading: tuple[Foreign, Any]) -> None:
    foreign, client = reading
    # At Deribit, this client requests one currency.
    symbols = [listed.symbol for listed in foreign.listed][
        : 1 if foreign.name == "deribit" else None
    ]
    best = client.fetch_tickers(symbols) if foreign.has_ticker else client.fetch_bids_asks(symbols)
    assert set(best) == set(symbols)
    assert all(0 < each["bid"] < each["ask"] for each in best.values())


def test_the_venue_mark_is_near_the_book(reading: tuple[Foreign, Any]) -> None:
    foreign, client = reading
    for listed in foreign.listed:
        marked = (
            client.fetch_ticker(listed.symbol)
            if foreign.mark is None
            else client.fetch_mark_price(listed.symbol, foreign.mark)
        )
        assert marked["markPrice"] == pytest.approx(
            best_prices(foreign, client, listed.symbol)["bid"], abs=20 * listed.tick
        )


@pytest.mark.parametrize(
    "reading", [venue for venue in known(ccxt) if FOREIGN[venue].has_ticker], indirect=True
)
def test_a_ticker_has_the_price_of_the_last_trade(reading: tuple[Foreign, Any]) -> None:
    foreign, client = reading
    for listed in foreign.listed:
        ticker = client.fetch_ticker(listed.symbol)
        assert on_grid(ticker["last"], listed.tick)
        assert (
            ticker["last"] == ticker["close"] == pytest.approx(ticker["bid"], abs=100 * listed.tick)
        )


@pytest.mark.parametrize("reading", FUNDED, indirect=True)
def test_the_next_funding_is_within_its_interval(
    reading: tuple[Foreign, Any],
) -> None:
    foreign, client = reading
    symbol, now = foreign.listed[0].symbol, client.milliseconds()
    for funding in (client.fetch_funding_rate(symbol), client.fetch_funding_rates()[symbol]):
        assert 0.000_001 < abs(funding["fundingRate"]) < 0.001
        assert (
            funding["fundingTimestamp"] is None
            or 0 < funding["fundingTimestamp"] - now <= 8 * 3600 * 1000
        )


@pytest.mark.parametrize("reading", INTERESTED, indirect=True)
def test_open_interest_is_served(reading: tuple[Foreign, Any]) -> None:
    foreign, client = reading
    told = client.fetch_open_interest(foreign.listed[0].symbol)
    assert (told["openInterestAmount"] or told["openInterestValue"]) > 0


@pytest.mark.parametrize("reading", TIMED, indirect=True)
def test_the_time_is_served(reading: tuple[Foreign, Any]) -> None:
    _, client = reading
    assert client.fetch_time() == pytest.approx(client.milliseconds(), abs=60_000)


@pytest.mark.parametrize("reading", known(ccxt), indirect=True)
def test_candles_follow_each_other_minute_by_minute_until_now(
    reading: tuple[Foreign, Any],
) -> None:
    foreign, client = reading
    listed = foreign.listed[0]
    since = client.milliseconds() // 60_000 * 60_000 - 30 * 60_000
    candles = client.fetch_ohlcv(listed.symbol, "1m", since, 100)
    assert len(candles) >= 25
    assert all(other[0] - one[0] == 60_000 for one, other in pairwise(candles))
    assert all(low <= close <= high and volume >= 0 for _, _, high, low, close, volume in candles)
    assert client.milliseconds() - candles[-1][0] < 3 * 60_000


@pytest.mark.parametrize("reading", known(ccxt), indirect=True)
def test_past_fundings_are_eight_hours_apart(reading: tuple[Foreign, Any]) -> None:
    foreign, client = reading
    since = client.milliseconds() - 5 * 24 * 3600 * 1000
    history = client.fetch_funding_rate_history(foreign.listed[0].symbol, since, 200)
    assert len(history) == 15
    assert all(
        other["timestamp"] - one["timestamp"] == 8 * 3600 * 1000 for one, other in pairwise(history)
    )
    assert all(abs(paid["fundingRate"]) < 0.001 for paid in history)


@pytest.mark.parametrize(
    "reading", known(ccxt, "binance_futures", "binance_delivery"), indirect=True
)
def test_a_binance_ticker_covers_the_last_day(reading: tuple[Foreign, Any]) -> None:
    foreign, client = reading
    tickers = client.fetch_tickers([listed.symbol for listed in foreign.listed])
    for listed in foreign.listed:
        ticker = client.fetch_ticker(listed.symbol)
        assert ticker["low"] <= ticker["last"] <= ticker["high"]
        assert ticker["low"] <= ticker["open"] <= ticker["high"]
        assert ticker["baseVolume"] > 0
        assert ticker["last"] == pytest.approx(
            tickers[listed.symbol]["last"], abs=100 * listed.tick
        )
