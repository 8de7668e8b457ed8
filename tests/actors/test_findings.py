from __future__ import annotations

from random import Random

import pytest

from perps_actors.actors.findings import Findings
from perps_actors.actors.lines import Line
from perps_actors.market.events import BookWithdrawn
from perps_actors.market.ladder import RungChange
from perps_actors.messages.feeds import BookSuspect, FeedDown, FeedHeard
from perps_actors.messages.marks import RecordMarks
from perps_actors.testing import Probe
from perps_actors.transport.backoff import Backoff, BackoffPolicy
from perps_actors.transport.wire import ConnectionPlan

PLAN = ConnectionPlan(name="public-0", url="ws://127.0.0.1", symbols=("BTCUSDT",))

S = 1_000_000_000


@pytest.fixture
def findings(bench) -> Findings:
    return Findings(store=Probe(), monitor=Probe(), report=bench.report, venue_marks={})


def line(name: str) -> Line:
    return Line(ConnectionPlan(name=name, url="wss://venue"), Backoff(BackoffPolicy(), Random(0)))


def test_the_monitor_hears_of_a_connection_at_most_once_a_second(findings) -> None:
    public, market = line("public-0"), line("market-0")
    for tenth in range(25):
        findings.heard(public, tenth * S // 10)
    findings.heard(market, 5)
    assert findings.monitor.told == [
        FeedHeard("public-0", 0),
        FeedHeard("public-0", S),
        FeedHeard("public-0", 2 * S),
        FeedHeard("market-0", 5),
    ]


@pytest.mark.parametrize("error", [True, False])
def test_the_end_of_a_connection_is_told_to_recorder_and_monitor(findings, bench, error) -> None:
    findings.ended(PLAN, "reset by peer", error=error)
    assert [event.kind for event in bench.events()] == ["ws_stream_error"] * error + ["ws_stream_exit"]
    assert findings.monitor.told == [FeedDown("public-0", "reset by peer", ("BTCUSDT",))]


def test_a_withdrawn_book_is_told_to_recorder_and_monitor(findings, bench, btc) -> None:
    findings.withdrawn(BookWithdrawn(btc, "gap", 1))
    assert bench.told_of() == [("book_withdrawn", "BTCUSDT", {"cause": "gap"})]
    assert findings.monitor.told == [BookSuspect(btc, "gap")]


def test_marks_go_to_the_store_with_their_provenance_and_moves_to_the_recorder(findings, bench, mark, btc) -> None:
    findings.marks([], [])
    assert findings.store.told == []
    findings.marks([mark(1)], [(btc, RungChange("book", "touch", "broke"))])
    assert findings.store.told == [RecordMarks((mark(1),), "synthetic")]
    assert bench.told_of() == [("rung_changed", "BTCUSDT", {"before": "book", "after": "touch", "cause": "broke"})]


def test_a_flood_of_complaints_is_one_event_at_each_look_with_their_number(findings, bench) -> None:
    for number in range(1000):
        findings.complaint(f"bad {number}")
    findings.tell_complaints()
    findings.tell_complaints()
    findings.complaint("one more")
    findings.tell_complaints()
    assert [data for _, _, data in bench.told_of("input_rejected")] == [
        {"count": 1000, "last": "bad 999"},
        {"count": 1, "last": "one more"},
    ]
