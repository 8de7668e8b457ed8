"""Single actors on one seeded thread, with probes where others would be."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from perps_actors.feeds.reporter import Reporter
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.cell import Cell
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.records import Event, Record
from perps_actors.testing import Probe, SimulatedRuntime

VENUE = "binance_futures"


class Bench:
    """A place for actors under test: a simulated runtime, and a recorder that is a probe."""

    def __init__(self) -> None:
        self.runtime = SimulatedRuntime()
        self.clock = self.runtime.clock
        self.recorder = Probe()
        self.report = Reporter(
            recorder=self.recorder, venue=VENUE, provenance="synthetic", clock=self.clock
        )

    def run(self, actor: Actor, name: str = "actor") -> Cell:
        cell = self.runtime.cell(name)
        cell.install(actor)
        self.runtime.settle()
        return cell

    def tell(self, cell: Cell, *messages: Any) -> None:
        for message in messages:
            cell.address.tell(message)
        self.runtime.settle()

    def ask(self, cell: Cell, question: Any) -> Any:
        return cell.address.ask(question, timeout=1.0)

    def events(self, *kinds: str) -> list[Event]:
        told = [event for record in self.recorder.of(Record) for event in record.events]
        return [event for event in told if not kinds or event.kind in kinds]

    def told_of(self, *kinds: str) -> list[tuple[str, str | None, dict[str, Any]]]:
        return [(event.kind, event.symbol, dict(event.data)) for event in self.events(*kinds)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def new_bench() -> type[Bench]:
    """Makes a bench: for tests of many examples, which share their fixtures."""
    return Bench


def _mark(
    price: object,
    symbol: str = "BTCUSDT",
    *,
    source: Any = "book",
    at_ns: int = 0,
    received_ns: int = 1,
) -> Mark:
    return Mark(InstrumentId(VENUE, symbol), Decimal(str(price)), source, None, received_ns, at_ns)


@pytest.fixture(scope="session")
def mark() -> Callable[..., Mark]:
    """Makes a mark: price, symbol, source, monotonic time."""
    return _mark


@pytest.fixture(scope="session")
def btc() -> InstrumentId:
    return InstrumentId(VENUE, "BTCUSDT")


@pytest.fixture(scope="session")
def eth() -> InstrumentId:
    return InstrumentId(VENUE, "ETHUSDT")
