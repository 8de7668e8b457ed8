"""Mistakes in actors and in the plain parts of the feed actors."""

from __future__ import annotations

import sys
from typing import Any

import attrs

from exploration.mutations.mutation import Mutation, Replace, nothing
from perps_actors.actors.mark_store import MarkStore
from perps_actors.feeds.boards import Board
from perps_actors.market.mark import Mark
from perps_actors.messages.marks import MarksUpdated, RecordMarks
from perps_actors.messages.risk import Verdict

ACTORS_OF = "perps_actors.actors"
FEEDS = "perps_actors.feeds"


def first_time_only(after: Any) -> Any:
    """Let each actor set a timer once; any later timer is forgotten."""

    def once(actor: Any, delay_s: float, message: Any) -> Any:
        if not hasattr(actor, "_timer_of_mutation"):
            actor._timer_of_mutation = after(actor, delay_s, message)  # noqa: SLF001
        return actor._timer_of_mutation  # noqa: SLF001

    return once


def without(name: str) -> Replace:
    """Let a method run while another method of its object does nothing."""

    def replace(original: Any) -> Any:
        def run(self: Any, *arguments: Any) -> Any:
            setattr(self, name, lambda *_: None)
            try:
                return original(self, *arguments)
            finally:
                delattr(self, name)

        return run

    return replace


def _forgetting_windows(take_over: Any) -> Any:
    def forgetful(board: Board) -> Any:
        windows, counts = take_over(board)
        windows.clear()
        return windows, counts

    return forgetful


def _telling_early(on_item: Any) -> Any:
    def early(store: MarkStore, batch: RecordMarks, mark: Mark) -> None:
        store._listeners[-1].tell(MarksUpdated((mark,), batch.provenance))  # noqa: SLF001
        on_item(store, batch, mark)

    return early


def _skipped_after_an_error(on_batch_end: Any) -> Any:
    """Leave out the hook when it runs because an item killed the actor."""

    def skipped(actor: Any, batch: Any) -> None:
        if sys.exc_info()[0] is None:
            on_batch_end(actor, batch)

    return skipped


def _losing_the_item_before(on_item: Any) -> Any:
    """Handle each item when the next one arrives, and the last one at once."""

    def late(actor: Any, batch: Any, item: Any) -> None:
        waiting = getattr(actor, "_item_of_mutation", [])
        actor._item_of_mutation = []  # noqa: SLF001
        for each in (*waiting, item) if item is batch.items[-1] else waiting:
            on_item(actor, batch, each)
        if item is not batch.items[-1]:
            actor._item_of_mutation = [item]  # noqa: SLF001

    return late


def _losing_the_item_after(on_item: Any) -> Any:
    """Ignore the first item that an incarnation gets after a restart."""

    def deaf(actor: Any, batch: Any, item: Any) -> None:
        if actor.cell.generation == 1 or hasattr(actor, "_heard_of_mutation"):
            on_item(actor, batch, item)
        actor._heard_of_mutation = True  # noqa: SLF001

    return deaf


def _permitting_old_marks(verdict_on: Any) -> Any:
    def permissive(monitor: Any, instrument: Any) -> Verdict:
        verdict: Verdict = verdict_on(monitor, instrument)
        return attrs.evolve(verdict, may_open=verdict.mark_age_s is not None)

    return permissive


def _forgetting_postponed_requests(make: Any) -> Any:
    def forgetful(scheduler: Any, request: Any, actor: Any) -> None:
        actor.after = lambda *_: None
        try:
            make(scheduler, request, actor)
        finally:
            del actor.after

    return forgetful


def _forgetting_useful_answers(answered: Any) -> Any:
    def forgetful(pacing: Any, answer: Any, *, usable: bool = True) -> None:
        answered(pacing, answer, usable=usable)
        pacing._answered_ns.clear()  # noqa: SLF001

    return forgetful


def _polling_after_success_only(answered: Any) -> Any:
    def fragile(poller: Any, answer: Any) -> None:
        if answer.status == 200:
            answered(poller, answer)

    return fragile


ACTORS = (
    Mutation(
        f"{FEEDS}.boards:Board.take_over",
        "a restarted store has lost its windows",
        _forgetting_windows,
    ),
    Mutation(
        f"{ACTORS_OF}.mark_store:MarkStore.on_item",
        "listeners are told of marks before they are recorded, and again afterwards",
        _telling_early,
    ),
    Mutation(
        f"{ACTORS_OF}.mark_store:MarkStore.on_batch_end",
        "listeners are not told of the marks before one that killed the store",
        _skipped_after_an_error,
    ),
    Mutation(
        f"{ACTORS_OF}.market_monitor:MarketMonitor.after",
        "the market monitor judges the feeds only once",
        first_time_only,
    ),
    Mutation(
        f"{ACTORS_OF}.risk_monitor:RiskMonitor.after",
        "the risk monitor judges the marks only once",
        first_time_only,
    ),
    Mutation(
        f"{ACTORS_OF}.risk_monitor:RiskMonitor._verdict",
        "an old mark permits a position",
        _permitting_old_marks,
    ),
    Mutation(
        f"{ACTORS_OF}.quote_poller:QuotePoller.after",
        "the poller polls once and no more",
        first_time_only,
    ),
    Mutation(
        f"{ACTORS_OF}.quote_poller:QuotePoller._answered",
        "a poll that fails ends polling",
        _polling_after_success_only,
    ),
    Mutation(
        f"{ACTORS_OF}.stream_consumer:StreamConsumer.on_failure",
        "a consumer that dies leaves its connections open",
        nothing,
    ),
    Mutation(
        f"{ACTORS_OF}.stream_consumer:StreamConsumer.on_batch_end",
        "the store is not told of the marks before a frame that killed the consumer",
        _skipped_after_an_error,
    ),
    Mutation(
        f"{FEEDS}.connection_pool:ConnectionPool.current",
        "frames of a connection that was given up are read",
        lambda _: lambda pool, connection, _: pool._lines.get(connection),  # noqa: SLF001
    ),
    Mutation(
        f"{FEEDS}.request_scheduler:RequestScheduler.make",
        "a request that has to wait is forgotten",
        _forgetting_postponed_requests,
    ),
    Mutation(
        "perps_actors.transport.rate_limits:RequestPacing.answered",
        "a book that breaks again and again requests snapshots as fast as it can",
        _forgetting_useful_answers,
    ),
    Mutation(
        "perps_actors.transport.rate_limits:Backoff.next_pause_s",
        "a connection that ended stays closed",
        lambda _: lambda *_: 1e6,
    ),
    Mutation(
        "perps_actors.transport.rate_limits:RateLimits.of",
        "a refusal by one venue stops the requests to all venues",
        lambda of: lambda limits, _, weight: of(limits, "any", weight),
    ),
    Mutation(
        f"{ACTORS_OF}.event_recorder:EventRecorder.on_failure",
        "a recorder that dies does not write the events that wait",
        nothing,
    ),
    Mutation(
        f"{ACTORS_OF}.event_recorder:EventRecorder.on_stop",
        "drops are not reported at a stop",
        without("_tell_holes"),
    ),
)


def _deaf_after_a_failure(on_item: Any) -> Any:
    """Ignore the rest of a batch once the callable has raised."""

    def deaf(subscriber: Any, batch: Any, item: Any) -> None:
        if getattr(subscriber, "_batch_of_mutation", None) is batch:
            return
        reception = subscriber._reception  # noqa: SLF001
        before = reception.failures
        on_item(subscriber, batch, item)
        if reception.failures > before:
            subscriber._batch_of_mutation = batch  # noqa: SLF001

    return deaf


BATCH_ACTORS = (
    ("mark_store:MarkStore", "the mark store"),
    ("stream_consumer:StreamConsumer", "the stream consumer"),
    ("event_recorder:EventRecorder", "the event recorder"),
    ("risk_monitor:RiskMonitor", "the risk monitor"),
    ("market_monitor:MarketMonitor", "the market monitor"),
)
NEIGHBOURS = (
    # A monitor forgets all marks when it dies, so the item before makes no difference to it.
    *(
        Mutation(
            f"{ACTORS_OF}.{module}.on_item",
            f"{actor} loses the item before one that killed it",
            _losing_the_item_before,
        )
        for module, actor in BATCH_ACTORS[:3]
    ),
    *(
        Mutation(
            f"{ACTORS_OF}.{module}.on_item",
            f"{actor} loses the item after one that killed it",
            _losing_the_item_after,
        )
        for module, actor in BATCH_ACTORS
    ),
    Mutation(
        f"{ACTORS_OF}.subscriber:Subscriber.on_item",
        "a subscriber loses the items after one at which its callable raised",
        _deaf_after_a_failure,
    ),
)
"""Each batch actor that loses a neighbour of a poisoned item."""
