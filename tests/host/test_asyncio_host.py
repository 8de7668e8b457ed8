"""Asyncio hosts: calls that wait are awaited, so the loop never blocks."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest

from perps_actors import (
    AskTimeout,
    AsyncPerps,
    Event,
    InboxPolicy,
    Mark,
    Overflow,
    PartAbsent,
    PerpsSystem,
    Settings,
    StartFailed,
)
from perps_actors.feeds.subscribers import Subscribers
from perps_actors.host.async_system import HostStream
from perps_actors.kernel.clock import SystemClock
from perps_actors.kernel.statistics import CellStatistics, DropLedger, GetStatistics
from perps_actors.market.instrument import InstrumentId
from perps_actors.messages.interest import Interest
from perps_actors.messages.marks import MarksUpdated
from perps_actors.settings import MarkSettings
from perps_actors.simulator.process import VenueProcess

LIMIT_S = 20.0
NO_STORE = "no store today"


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueProcess]:
    with VenueProcess.start() as process:
        yield process


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, LIMIT_S))


@pytest.fixture
def settings(venue) -> Settings:
    return Settings(symbols=venue.symbols, endpoints=venue.endpoints, provenance="synthetic")


def ours() -> list[str]:
    """Return the threads of systems; the venue's process has one of its own in this."""
    return sorted(
        t.name
        for t in threading.enumerate()
        if t.name.startswith("perps") and not t.name.startswith("perps-venue")
    )


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, LIMIT_S)


async def first(stream: AsyncIterator[Any], count: int) -> list[Any]:
    items: list[Any] = []
    async for item in stream:
        items.append(item)
        if len(items) == count:
            break
    return items


def test_marks_are_streamed_and_questions_awaited_and_nothing_stays(settings) -> None:
    async def host() -> None:
        async with PerpsSystem(settings) as perps:
            assert isinstance(perps, AsyncPerps)
            marks = await first(perps.stream(instruments=("BTCUSDT",)), 5)
            assert [mark.instrument.symbol for mark in marks] == ["BTCUSDT"] * 5
            assert perps.mark("BTCUSDT").monotonic_ns >= marks[-1].monotonic_ns
            assert (await perps.verdict("BTCUSDT")).may_open
            assert isinstance(await perps.ask("mark_store", GetStatistics()), CellStatistics)
            assert (await perps.stream_statistics()).frames > 0
            assert (await perps.mark_statistics()).rejected == 0
            assert await perps.flush() > 0

    run(host())
    assert ours() == []


def test_events_are_streamed_too(settings) -> None:
    async def host() -> None:
        async with PerpsSystem(settings) as perps:
            stream = perps.stream(Event, kinds=("settings_changed",))
            await perps.reconfigure(attrs.evolve(perps.settings, marks=MarkSettings(long=30)))
            (event,) = await first(stream, 1)
            assert dict(event.data) == {"marks.long": "20 -> 30"}

    run(host())


def test_a_stream_ends_with_its_system(settings) -> None:
    async def host() -> list[Mark]:
        async with PerpsSystem(settings) as perps:
            stream = perps.stream()
            await first(stream, 3)
            report = await perps.drain()
        assert report.clean
        return [mark async for mark in stream]

    run(host())


def test_a_garbage_collected_stream_gets_no_more_items(settings) -> None:
    async def host() -> None:
        async with PerpsSystem(settings) as perps:
            await first(perps.stream(), 3)
            subscribers = perps._composition.parts.subscribers
            while subscribers._to_marks:  # whoever is telling it just now holds it a moment longer
                gc.collect()
                await asyncio.sleep(0)
            async with perps.stream() as stream:
                assert len(subscribers._to_marks) == 1
                await first(stream, 1)
            assert subscribers._to_marks == ()

    run(host())


def test_cancelling_a_wait_for_a_mark_leaves_the_stream_usable(settings) -> None:
    async def host() -> None:
        async with PerpsSystem(settings) as perps:
            stream = perps.stream()
            for _ in range(20):
                waiting = asyncio.ensure_future(stream.__anext__())
                await asyncio.sleep(0)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            told: dict[
                Any, list[int]
            ] = {}  # connections are read side by side: order is each source's own
            for mark in await first(stream, 10):
                told.setdefault((mark.instrument, mark.source), []).append(mark.monotonic_ns)
            assert all(times == sorted(times) for times in told.values())

    run(host())
    assert ours() == []


def test_a_slow_host_loses_the_oldest_items_and_a_hole_is_recorded(settings) -> None:
    async def host() -> None:
        async with PerpsSystem(settings) as perps:
            holes = perps.stream(Event, kinds=("hole",))
            stream = perps.stream(inbox=InboxPolicy(bound=3, overflow=Overflow.DROP_OLDEST))
            (hole,) = await first(holes, 1)
            assert dict(hole.data)["inbox"] == stream.name
            assert len(await first(stream, 3)) == 3

    run(host())


def test_other_tasks_run_while_a_flood_of_items_is_read() -> None:
    marks = tuple(
        Mark(InstrumentId("v", "A"), Decimal(n), "book", None, n, n) for n in range(10_000)
    )

    async def host() -> None:
        subscribers, turns = Subscribers(), 0
        interest = Interest(to=Mark)
        stream = HostStream(
            "s",
            interest,
            InboxPolicy(),
            subscribers=subscribers,
            drops=DropLedger(),
            clock=SystemClock(),
        )

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        subscribers.tell(MarksUpdated(marks, "synthetic"))
        beside = asyncio.ensure_future(other())
        assert tuple(await first(stream, len(marks))) == marks
        beside.cancel()
        assert turns > 100

    run(host())


def test_an_unanswered_question_times_out_and_one_to_a_missing_actor_is_refused(
    settings, monkeypatch
) -> None:
    monkeypatch.setattr("perps_actors.host.async_system.ASK_TIMEOUT_S", 0.05)
    release, stuck = threading.Event(), threading.Event()

    class Blocking:
        def tell(self, _: object) -> None:
            stuck.set()
            release.wait(LIMIT_S)

    async def host() -> None:
        system = PerpsSystem(settings, replace={"quote_poller": None})
        system.listen(Blocking())
        async with system as perps:
            with pytest.raises(PartAbsent):
                await perps.ask("quote_poller", GetStatistics())
            await until(stuck)
            with pytest.raises(AskTimeout):
                await perps.mark_statistics()
            release.set()

    run(host())


def test_a_start_that_fails_raises_and_leaves_nothing(settings) -> None:
    def no_store() -> Any:
        raise KeyError(NO_STORE)

    async def host() -> None:
        with pytest.raises(StartFailed, match=NO_STORE):
            async with PerpsSystem(settings, replace={"mark_store": no_store}):
                pass

    run(host())
    assert ours() == []


def test_cancelling_a_start_or_an_end_leaves_nothing(settings) -> None:
    async def host() -> None:
        entering = asyncio.ensure_future(PerpsSystem(settings).__aenter__())
        await asyncio.sleep(0)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert [name for name in ours() if name != "perps-host-call"] == []
        system = PerpsSystem(settings)
        await system.__aenter__()
        leaving = asyncio.ensure_future(system.__aexit__(None, None, None))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving

    run(host())
    assert ours() == []


def test_reading_and_asking_do_not_wait_for_an_actor_that_hangs(settings) -> None:
    release, stuck = threading.Event(), threading.Event()

    class Blocking:
        def tell(self, _: object) -> None:
            stuck.set()
            release.wait(LIMIT_S)

    async def host() -> None:
        system = PerpsSystem(settings)
        system.listen(Blocking())
        async with system as perps:
            await until(stuck)
            asked = asyncio.ensure_future(perps.mark_statistics())
            for _ in range(100):
                assert perps.mark("BTCUSDT") is None or perps.mark("BTCUSDT").mark > 0
                assert len(perps.statistics().actors) == 6
                assert len(dict(perps.marks)) <= len(settings.symbols)
                await asyncio.sleep(0)
            assert not asked.done()
            release.set()
            assert (await asked).rejected == 0

    run(host())
