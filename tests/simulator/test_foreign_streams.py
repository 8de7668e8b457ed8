"""ccxt.pro reads the streams of each served venue that it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import ccxt.pro
import pytest

from perps_actors.simulator.process import VenueProcess
from tests.simulator.foreign_clients import FOREIGN, Foreign, addresses, known

DEADLINE_S = 20
UPDATES = 5
UPDATES_OF_A_SECOND = 12

Book = tuple[tuple[tuple[float, float], ...], ...]


@pytest.fixture(scope="module", params=known(ccxt.pro))
def served(request: pytest.FixtureRequest) -> Iterator[tuple[VenueProcess, Foreign]]:
    foreign = FOREIGN[request.param]
    with foreign.serve(request.param) as venue:
        yield venue, foreign


def watch(served: tuple[VenueProcess, Foreign], scene: Callable[[Any], Awaitable[None]]) -> None:
    """Play a scene with a client, and close it at the end."""
    venue, foreign = served

    async def play() -> None:
        client = foreign.at(venue, ccxt.pro)
        assert {urlsplit(address).hostname for address in addresses(client.urls["api"])} == {
            "127.0.0.1"
        }
        try:
            async with asyncio.timeout(DEADLINE_S):
                await scene(client)
        finally:
            await client.close()

    asyncio.run(play())


def levels(book: dict[str, Any]) -> Book:
    return tuple(
        tuple((price, size) for price, size, *_ in book[side]) for side in ("bids", "asks")
    )


def test_a_watched_book_stays_uncrossed_and_equals_the_one_of_rest(
    served: tuple[VenueProcess, Foreign],
) -> None:
    symbol = served[1].listed[0].symbol

    async def scene(client: Any) -> None:
        seen: list[Book] = []

        async def look(times: int) -> None:
            for _ in range(times):
                seen.append(levels(await client.watch_order_book(symbol)))
                bids, asks = seen[-1]
                assert bids[0][0] < asks[0][0]

        async def has_seen_what_rest_has() -> bool:
            fetched = levels(await client.fetch_order_book(symbol, 100))
            await look(UPDATES)
            return fetched in seen

        await look(1)
        # The client merges frames of one read; the REST answer may lie between them.
        while not await has_seen_what_rest_has():
            pass

    watch(served, scene)


def test_watched_trades_have_side_price_and_unique_number(
    served: tuple[VenueProcess, Foreign],
) -> None:
    foreign, seen = served[1], {}
    symbol, tick = foreign.listed[0].symbol, foreign.listed[0].tick

    async def scene(client: Any) -> None:
        while len(seen) < UPDATES:
            for trade in await client.watch_trades(symbol, params=foreign.trades):
                seen[trade["id"]] = trade
        best = (await client.fetch_order_book(symbol, 5))["bids"][0][0]
        for trade in seen.values():
            assert trade["side"] in ("buy", "sell")
            assert trade["amount"] > 0
            assert trade["price"] == pytest.approx(best, abs=200 * tick)
            assert abs(client.milliseconds() - trade["timestamp"]) < 60_000

    watch(served, scene)


def test_each_watched_ticker_is_whole(served: tuple[VenueProcess, Foreign]) -> None:
    foreign = served[1]
    symbol = foreign.listed[0].symbol

    async def scene(client: Any) -> None:
        for _ in range(2 if foreign.watches == "mark" else UPDATES_OF_A_SECOND):
            best = (
                await client.watch_bids_asks([symbol]) if foreign.watches == "best prices" else {}
            )
            ticker = best[symbol] if best else await client.watch_ticker(symbol)
            assert ticker["symbol"] == symbol
            assert foreign.watches == "mark" or ticker["bid"] < ticker["ask"]
            assert foreign.watches != "ticker" or ticker["last"] is not None
            assert (
                foreign.watches == "best prices"
                or foreign.mark is not None
                or ticker["markPrice"] is not None
            )

    watch(served, scene)
