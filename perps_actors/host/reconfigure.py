"""Changes settings while a system runs: all of them are put in force, or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from perps_actors.errors import KernelError, PerpsActorsError, ReconfigureFailed, SettingsError
from perps_actors.host.composition import START_ORDER, Member
from perps_actors.host.parts import markets_of, provenances, with_broker
from perps_actors.kernel.address import Answer
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.supervision import AddChild, RemoveChild
from perps_actors.settings import (
    Change,
    Market,
    Settings,
    changes_between,
    refuse_unchangeable,
)

if TYPE_CHECKING:
    from perps_actors.host.composition import Composition

GO_BACK_S = 5.0
"""Time that going back may take to stop and start actors."""

IDENTITY = ("venue", "account", "endpoints", "provenance", "broker")
"""Fields that cannot change while a market runs: its actors are stopped and new ones started."""


def reconfigure(
    composition: Composition, settings: Settings, timeout_s: float
) -> tuple[Change, ...]:
    """Put other settings in force and return what changed.

    If an actor does not take its part, all settings of before are put in force again.

    Raises:
        SettingsError: a setting that cannot change while the system runs, or that the venue
            refuses; nothing was changed.
        ReconfigureFailed: an actor did not take its part in time; nothing is changed any more.
    """
    parts, before = composition.parts, composition.parts.settings
    settings = with_broker(settings, composition.broker)
    changes = changes_between(before, settings)
    refuse_unchangeable(changes, "PerpsSystem.reconfigure")
    markets = markets_of(settings, composition.broker)
    running = {name: own.market for name, own in composition.markets.items()}
    if composition.conflate and len(provenances(running) | provenances(markets)) > 1:
        why = "must have the provenance of the running markets, unless the system is lossless"
        raise SettingsError(
            field="markets", value=settings.markets, why=why, place="PerpsSystem.reconfigure"
        )
    attempt = _Attempt(composition, timeout_s)
    try:
        attempt.put_in_force(before, settings, markets)
    except Exception as error:
        _go_back(composition, settings, before, running)
        raise ReconfigureFailed(attempt.actor, error) from error
    if changes:
        told = {change.field: f"{change.before!r} -> {change.after!r}"[:300] for change in changes}
        parts.report.tell("settings_changed", None, **told)
    return changes


class _Attempt:
    """One attempt to put settings in force, within a time limit."""

    def __init__(self, composition: Composition, timeout_s: float) -> None:
        self.composition = composition
        self.actor = "supervisor"
        """The actor that was asked last."""
        self._clock = composition.runtime.clock
        self._end_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)

    def put_in_force(self, before: Settings, after: Settings, markets: dict[str, Market]) -> None:
        """Change, remove and add markets, then tell the shared actors.

        Sources come first: once a source has answered, nothing more of a symbol that is gone comes
        from it, so that the store can forget the symbol for good.
        """
        composition = self.composition
        running = {name: own.market for name, own in composition.markets.items()}
        kept = {name for name, market in markets.items() if _same(running.get(name), market)}
        composition.parts.use(after)
        for name in kept:
            composition.markets[name].market = markets[name]
        for member in _sources_first(composition):
            if member.market in kept:
                self._tell(member, running[member.market], markets[member.market])
        for name in running.keys() - kept:
            self.remove(name)
        for name in [name for name in markets if name not in kept]:
            self.add(name, markets[name])
        for member in _sources_first(composition):
            if member.market is None:
                self._tell(member, before, after)

    def _tell(self, member: Member, before: Settings | Market, after: Settings | Market) -> None:
        self.actor = member.child.name
        for message in _messages(member, before, after):
            member.child.cell.address.ask(message, timeout=self._left_s())

    def remove(self, name: str) -> None:
        """Stop the actors of a market, sources first, and forget it, also if one does not stop."""
        errors: list[Exception] = []
        for member in _sources_first(self.composition):
            if member.market == name:
                done = Answer()
                order = RemoveChild(name=member.child.name, drain=False, done=done)
                try:
                    self._order(member, order, done)
                except KernelError as error:
                    errors.append(error)
        self.composition.forget_market(name)
        if errors:
            raise errors[0]

    def add(self, name: str, market: Market) -> None:
        """Start the actors of a market."""
        for member in self.composition.add_market(name, market):
            done = Answer()
            self._order(member, AddChild(member.child, done), done)

    def _order(self, member: Member, order: AddChild | RemoveChild, done: Answer) -> None:
        self.actor = member.child.name
        self.composition.supervisor.address.tell(order)
        self.composition.runtime.wait(done, self._left_s())

    def _left_s(self) -> float:
        return max(0.0, (self._end_ns - self._clock.monotonic_ns()) / NS_PER_S)


def _go_back(
    composition: Composition, after: Settings, before: Settings, markets: dict[str, Market]
) -> None:
    """Put the settings of before in force again.

    An actor that does not take them now gets them at its restart.
    """
    attempt = _Attempt(composition, GO_BACK_S)
    composition.parts.use(before)
    changed = {name: own.market for name, own in composition.markets.items()}
    for name in [name for name in changed if not _same(markets.get(name), changed[name])]:
        with suppress(KernelError, PerpsActorsError):
            attempt.remove(name)
    for name, market in markets.items():
        if name in composition.markets:
            composition.markets[name].market = market
        else:
            with suppress(KernelError, PerpsActorsError):
                attempt.add(name, market)
    for member in _sources_first(composition):
        old: Any = after if member.market is None else changed.get(member.market)
        new: Any = before if member.market is None else markets[member.market]
        for message in _messages(member, old, new) if old is not None else ():
            with suppress(KernelError, PerpsActorsError):
                member.child.cell.address.tell(message)


def _same(one: Market | None, other: Market) -> bool:
    return one is not None and all(getattr(one, n) == getattr(other, n) for n in IDENTITY)


def _sources_first(composition: Composition) -> list[Member]:
    return sorted(composition.members, key=lambda m: START_ORDER.index(m.spec), reverse=True)


def _messages(
    member: Member, before: Settings | Market, after: Settings | Market
) -> Iterator[object]:
    spec = member.spec
    if spec.changed is not None and any(
        getattr(before, section) != getattr(after, section) for section in spec.sections
    ):
        yield spec.changed(after)
