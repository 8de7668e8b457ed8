"""The market monitor: the health of every feed, told when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from perps_actors.feeds.actor_spec import FEEDS, ActorSpec
from perps_actors.feeds.reporter import Reporter
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Published
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.market.feed_state import FeedState, Health, Judgement
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.control import SetWatch, Tick
from perps_actors.messages.feeds import (
    BookSuspect,
    FeedDown,
    FeedGone,
    FeedHealth,
    FeedHeard,
    GetFeedHealth,
)
from perps_actors.messages.marks import MarksUpdated
from perps_actors.messages.records import Event
from perps_actors.settings import Settings


class MarketMonitor(Actor):
    """Judges whether each instrument's marks arrive, and why not.

    Takes: `MarksUpdated`, `FeedHeard`, `FeedDown`, `FeedGone`, `BookSuspect`, `GetFeedHealth`,
    `SetWatch`, its own `Tick`. Tells the recorder a `feed_health` event for each change, and
    publishes the `FeedHealth`. Inbox: takes all; ticks go ahead. A restart forgets the ages. The
    next marks, or the limit, make them known again.
    """

    inbox_policy: ClassVar[InboxPolicy] = InboxPolicy(bound=100_000)

    def __init__(
        self,
        *,
        instruments: Mapping[InstrumentId, str],
        report: Reporter,
        health: Published[FeedHealth],
        limit_s: float = 5.0,
        look_every_s: float = 1.0,
    ) -> None:
        super().__init__()
        self._report = report
        self._health = health
        self._clock = report.clock
        self._look_every_s = look_every_s
        self._feeds: dict[InstrumentId, FeedState] = {}
        self._heard_ns: dict[str, int] = {}
        self._down: dict[tuple[str, str], FeedDown] = {}
        self._watch(instruments, int(limit_s * NS_PER_S))

    def _watch(self, instruments: Mapping[InstrumentId, str], limit_ns: int) -> None:
        self._market_of = instruments
        for key in [key for key in self._down if key[0] not in instruments.values()]:
            del self._down[key]
        self._limit_ns, now_ns, before = limit_ns, self._clock.monotonic_ns(), self._feeds
        self._feeds = {
            instrument: before.get(instrument) or FeedState(limit_ns, now_ns)
            for instrument in instruments
        }
        for feed in self._feeds.values():
            feed.limit_ns = limit_ns

    def on_start(self) -> None:
        """Look for the first time."""
        self.after(self._look_every_s, Tick())

    def on_stop(self) -> None:
        """Judge for the last time."""
        self._judge_all()

    def on_item(self, _: MarksUpdated, item: Mark) -> None:
        """Note when an instrument was marked."""
        received_ns = item.monotonic_ns
        feed = self._feeds.get(item.instrument) or self._feed(item.instrument)
        feed.marked(received_ns, received_ns - item.lag_ns)

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case FeedHeard(market, connection, monotonic_ns):
                self._heard_ns[market] = monotonic_ns
                self._down.pop((market, connection), None)
            case FeedDown(market, connection):
                self._down[market, connection] = message
                self._end(message)
                self._judge_all()
            case BookSuspect(instrument, cause):
                self._feed(instrument).withdrawn(cause)
                self._judge_all()
            case Tick():
                self._judge_all()
                self.after(self._look_every_s, Tick())
            case FeedGone(market, connection):
                self._down.pop((market, connection), None)
            case SetWatch(instruments=instruments, limit_s=limit_s):
                self._watch(instruments, int(limit_s * NS_PER_S))
            case GetFeedHealth():
                self._judge_all()
                return self._health.value
            case _:
                return super().on_receive(message)
        return None

    def _feed(self, instrument: InstrumentId) -> FeedState:
        feed = self._feeds.get(instrument)
        if feed is None:
            feed = self._feeds[instrument] = FeedState(self._limit_ns, self._clock.monotonic_ns())
        return feed

    def _judge_all(self) -> None:
        now_ns = self._clock.monotonic_ns()
        changes = []
        for instrument, feed in self._feeds.items():
            before = feed.last.health
            after = feed.judge(
                now_ns,
                heard_ns=self._heard_ns.get(self._market_of.get(instrument, "")),
                down=self._why_down(instrument),
            )
            if after.health is not before:
                changes.append(self._change(instrument, before, after))
        self._report.tell_all(changes)
        self._health.value = FeedHealth(
            now_ns, tuple((instrument, feed.last) for instrument, feed in self._feeds.items())
        )

    def _end(self, down: FeedDown) -> None:
        """Note the end of the feeds of a connection that has sent everything."""
        for instrument, feed in self._feeds.items():
            if down.ended and self._carries(down, instrument):
                feed.ended(self._clock.monotonic_ns())

    def _carries(self, down: FeedDown, instrument: InstrumentId) -> bool:
        return down.market == self._market_of.get(instrument) and (
            not down.symbols or instrument.symbol in down.symbols
        )

    def _why_down(self, instrument: InstrumentId) -> str | None:
        """Return why what carries an instrument is gone; None while it is not."""
        causes = (down.cause for down in self._down.values() if self._carries(down, instrument))
        return next(causes, None)

    def _change(self, instrument: InstrumentId, before: Health, after: Judgement) -> Event:
        return self._report.event(
            "feed_health",
            instrument,
            health=after.health.value,
            before=before.value,
            cause=after.cause,
            age_seconds=None if after.age_ns is None else round(after.age_ns / NS_PER_S, 3),
        )


def _make(*, settings: Settings, report: Reporter, health: Published[FeedHealth]) -> MarketMonitor:
    return MarketMonitor(
        instruments=settings.instruments,
        report=report,
        health=health,
        limit_s=settings.monitor.limit_s,
    )


def _changed(settings: Settings) -> SetWatch:
    return SetWatch(instruments=settings.instruments, limit_s=settings.monitor.limit_s)


SPEC = ActorSpec(
    name="market_monitor",
    make=_make,
    group=FEEDS,
    listens_to=(MarksUpdated,),
    sections=("instruments", "monitor"),
    changed=_changed,
)
