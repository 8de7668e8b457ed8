"""Changing settings while a system runs: who is told what, in which order; all of it, or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from perps_actors.errors import KernelError, PerpsActorsError, ReconfigureFailed
from perps_actors.host.composing.actors import polled, stream_plan
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.window import window_length
from perps_actors.messages.marks import SetWindowLength
from perps_actors.messages.reconfiguration import (
    ForgetInstruments,
    SetPolling,
    SetRecording,
    SetRisk,
    SetStreams,
    SetWatch,
)
from perps_actors.settings import Change, Settings, changes_between, refuse_unchangeable

if TYPE_CHECKING:
    from perps_actors.host.composing import Composition


def orders(before: Settings, after: Settings) -> Iterator[tuple[str, Any]]:
    """Yield who is told what, sources first: once a source has answered, nothing more of a symbol that is gone comes from it."""
    changed = {change.field.partition(".")[0] for change in changes_between(before, after)}
    instruments = tuple(InstrumentId(after.venue, symbol) for symbol in after.symbols)
    if changed & {"symbols", "poll"}:
        yield "quote_poller", SetPolling(symbols=polled(after), interval_s=after.poll.interval_s)
    if changed & {"symbols", "stream"}:
        yield "stream_consumer", SetStreams(stream_plan(after))
    if gone := set(before.symbols) - set(after.symbols):
        yield (
            "mark_store",
            ForgetInstruments(frozenset(InstrumentId(after.venue, symbol) for symbol in gone)),
        )
    if "marks" in changed:
        yield "mark_store", SetWindowLength(window_length(after.marks.short, after.marks.long))
    if changed & {"symbols", "risk"}:
        yield "risk_monitor", SetRisk(instruments=instruments, limits=after.risk.limits)
    if changed & {"symbols", "monitor"}:
        yield "market_monitor", SetWatch(instruments=instruments, limit_s=after.monitor.limit_s)
    if "journal" in changed:
        journal = after.journal
        yield (
            "event_recorder",
            SetRecording(
                linger_s=journal.linger_s, block=journal.block, rest_marks=journal.rest_marks
            ),
        )


def reconfigure(
    composition: Composition, settings: Settings, timeout_s: float
) -> tuple[Change, ...]:
    """Put other settings in force; return what changed. When an owner does not take its part, all go back.

    Raises:
        SettingsError: a setting that cannot change while the system runs, or that the venue refuses; nothing was changed.
        ReconfigureFailed: an owner did not take its part in time; what was in force before is again.
    """
    parts = composition.parts
    before = parts.settings
    changes = changes_between(before, settings)
    refuse_unchangeable(changes, "PerpsSystem.reconfigure")
    parts.venue.stream(parts.endpoints).plan(settings.symbols)
    end_ns = parts.runtime.clock.monotonic_ns() + int(timeout_s * NS_PER_S)
    parts.settings = settings
    for actor, order in orders(before, settings):
        if actor in parts.cells:
            try:
                left_s = max(0.0, (end_ns - parts.runtime.clock.monotonic_ns()) / NS_PER_S)
                composition.address(actor).ask(order, timeout=left_s)
            except Exception as error:
                _go_back(composition, settings, before)
                raise ReconfigureFailed(actor, error) from error
    if changes:
        told = {change.field: f"{change.before!r} -> {change.after!r}"[:300] for change in changes}
        parts.report.tell("settings_changed", None, **told)
    return changes


def _go_back(composition: Composition, after: Settings, before: Settings) -> None:
    """Have everyone follow the settings before; who does not answer now follows them at its restart."""
    composition.parts.settings = before
    for actor, order in orders(after, before):
        with suppress(KernelError, PerpsActorsError):
            composition.address(actor).tell(order)
