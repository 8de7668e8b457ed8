"""The risk monitor: knows how old every mark is and says when it is too old to trade on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from perps_actors.feeds.actor_spec import FEEDS, ActorSpec
from perps_actors.feeds.reporter import Reporter
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.control import SetRisk, Tick
from perps_actors.messages.marks import MarksUpdated
from perps_actors.messages.records import Event
from perps_actors.messages.risk import GetVerdict, Verdict
from perps_actors.settings import Settings
from perps_actors.trading.staleness import Freshness, StalenessLimits

_KINDS = {
    Freshness.FRESH: "mark_fresh_again",
    Freshness.AGEING: "ageing_mark_price",
    Freshness.STALE: "stale_mark_price",
}


class RiskMonitor(Actor):
    """Keeps the time of each instrument's last mark and judges its age.

    Takes: `MarksUpdated`, `GetVerdict`, `SetRisk`, its own `Tick`. Reports one event per change:
    `ageing_mark_price` beyond the soft limit, `stale_mark_price` beyond the hard one (action
    `halt_new_orders`), `mark_fresh_again` after either. An instrument that is never marked goes
    stale too, counted from the start. Inbox: takes all; ticks go ahead. A restart starts the limits
    of all instruments again, so a stale mark is reported again after the limit.
    """

    inbox_policy: ClassVar[InboxPolicy] = InboxPolicy(bound=100_000)

    def __init__(
        self,
        *,
        instruments: Sequence[InstrumentId],
        limits: StalenessLimits,
        report: Reporter,
        look_every_s: float = 1.0,
    ) -> None:
        super().__init__()
        self._limits = limits
        self._report = report
        self._clock = report.clock
        self._look_every_s = look_every_s
        armed_ns = self._clock.monotonic_ns()
        self._armed_ns = armed_ns
        self._marked_ns: dict[InstrumentId, int] = dict.fromkeys(instruments, armed_ns)
        self._seen: set[InstrumentId] = set()
        self._latched: dict[InstrumentId, Freshness] = {}

    def on_start(self) -> None:
        """Look for the first time."""
        self.after(self._look_every_s, Tick())

    def on_item(self, _: MarksUpdated, item: Mark) -> None:
        """Note when an instrument was marked."""
        self._marked_ns[item.instrument] = item.monotonic_ns - item.lag_ns
        self._seen.add(item.instrument)

    def on_batch_end(self, _: MarksUpdated) -> None:
        """Report at once that marks are fresh again."""
        if self._latched:
            self._judge_all()

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case Tick():
                self._judge_all()
                self.after(self._look_every_s, Tick())
            case SetRisk(instruments=instruments, limits=limits):
                self._limits = limits
                self._watch(instruments)
            case GetVerdict(instrument):
                return self._verdict(instrument)
            case _:
                return super().on_receive(message)
        return None

    def _watch(self, instruments: Sequence[InstrumentId]) -> None:
        now_ns, before = self._clock.monotonic_ns(), self._marked_ns
        self._marked_ns = {instrument: before.get(instrument, now_ns) for instrument in instruments}
        self._seen &= self._marked_ns.keys()
        self._latched = {
            i: freshness for i, freshness in self._latched.items() if i in self._marked_ns
        }

    def _age_ns(self, instrument: InstrumentId) -> int:
        return max(0, self._clock.monotonic_ns() - self._marked_ns.get(instrument, self._armed_ns))

    def _judge_all(self) -> None:
        edges = []
        for instrument in self._marked_ns:
            age_ns = self._age_ns(instrument)
            freshness = self._limits.judge(age_ns)
            if freshness is not self._latched.get(instrument, Freshness.FRESH):
                edges.append(self._edge(instrument, freshness, age_ns))
        self._report.tell_all(edges)

    def _edge(self, instrument: InstrumentId, freshness: Freshness, age_ns: int) -> Event:
        if freshness is Freshness.FRESH:
            self._latched.pop(instrument, None)
        else:
            self._latched[instrument] = freshness
        stale = freshness is Freshness.STALE
        return self._report.event(
            _KINDS[freshness],
            instrument,
            age_seconds=round(age_ns / NS_PER_S, 3),
            limit_seconds=self._limits.hard_s if stale else self._limits.soft_s,
            action="halt_new_orders" if stale else "none",
        )

    def _verdict(self, instrument: InstrumentId) -> Verdict:
        seen = instrument in self._seen
        age_ns = self._age_ns(instrument)
        fresh = seen and self._limits.judge(age_ns) is not Freshness.STALE
        return Verdict(
            instrument=instrument,
            may_open=fresh,
            reason="fresh mark" if fresh else ("stale mark" if seen else "no mark yet"),
            mark_age_s=age_ns / NS_PER_S if seen else None,
        )


def _make(*, settings: Settings, report: Reporter) -> RiskMonitor:
    return RiskMonitor(
        instruments=tuple(settings.instruments), limits=settings.risk.limits, report=report
    )


def _changed(settings: Settings) -> SetRisk:
    return SetRisk(instruments=tuple(settings.instruments), limits=settings.risk.limits)


SPEC = ActorSpec(
    name="risk_monitor",
    make=_make,
    group=FEEDS,
    listens_to=(MarksUpdated,),
    sections=("instruments", "risk"),
    changed=_changed,
)
