"""Mistakes in actors and in the plain parts of the feed actors."""

from __future__ import annotations

from typing import Any

import attrs

from exploration.mutations.mutation import Mutation, Replace
from perps_actors.actors.mark_store import MarkStore
from perps_actors.feeds.boards import Board
from perps_actors.messages.marks import MarksUpdated, RecordMarks
from perps_actors.messages.risk import Verdict

ACTORS_OF = "perps_actors.actors"
FEEDS = "perps_actors.feeds"


def nothing(_: Any) -> Any:
    """Replace a function by one that does nothing."""
    return lambda *_, **__: None


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


def _telling_early(record: Any) -> Any:
    def early(store: MarkStore, message: RecordMarks) -> None:
        store._listeners[-1].tell(MarksUpdated(message.marks, message.provenance))  # noqa: SLF001
        record(store, message)

    return early


def _permitting_old_marks(verdict_on: Any) -> Any:
    def permissive(monitor: Any, instrument: Any) -> Verdict:
        verdict: Verdict = verdict_on(monitor, instrument)
        return attrs.evolve(verdict, may_open=verdict.mark_age_s is not None)

    return permissive


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
        f"{ACTORS_OF}.mark_store:MarkStore._record",
        "listeners are told of marks before they are recorded, and again afterwards",
        _telling_early,
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
        "perps_actors.transport.rate_limits:Backoff.next_pause_s",
        "a connection that ended stays closed",
        lambda _: lambda *_: 1e6,
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
