"""Old data looks old: cases 01, 02, 09 and 18, and the rules behind them."""

from __future__ import annotations

import json
import time

from perps_actors import Health, MonitorSettings, RiskSettings, StreamSettings
from perps_actors.kernel import clock as clocks

LIMITS = {
    "monitor": MonitorSettings(limit_s=5.0),
    "risk": RiskSettings(stale_soft_s=3.0, stale_hard_s=6.0),
}


def quote(symbol, price, at_ms):
    sizes = {"bidQty": "1", "askQty": "1"}
    return {"symbol": symbol, "bidPrice": price, "askPrice": price + "1", "time": at_ms, **sizes}


def answer_poll(world, *rows):
    world.network.answer("quotes", json.dumps(rows).encode())
    world.runtime.settle()


def late(frame, seconds):
    """Return a frame as if the venue had sent it so many seconds ago."""
    message = json.loads(frame)
    for field in ("E", "T"):
        message["data"][field] -= int(seconds * 1000)
    return json.dumps(message).encode()


def state(world, symbol="BTCUSDT"):
    return world.system.health(symbol).health, world.system.verdict(symbol).may_open


def test_case_01_a_polled_quote_of_a_delisted_contract_is_not_live(worlds):
    world = worlds(symbols=("BTCUSDT", "HNTUSDT"), stream=StreamSettings(source="rest"), **LIMITS)
    now_ms = world.clock.time_ns() // 1_000_000
    # The old row comes first, so that it must not define what is new.
    answer_poll(
        world, quote("HNTUSDT", "1.5", 1_700_000_000_000 - 10**10), quote("BTCUSDT", "100", now_ms)
    )
    world.advance(1)
    assert state(world, "BTCUSDT") == (Health.LIVE, True)
    assert state(world, "HNTUSDT") == (Health.STALE, False)
    assert world.system.verdict("HNTUSDT").mark_age_s > 10**7 - 1


def test_case_02_a_stream_that_falls_behind_is_not_live_and_is_reported(worlds):
    world = worlds(symbols=("BTCUSDT",), stream=StreamSettings(source="touch"), **LIMITS)
    for second in range(30):
        world.public(late(world.touch_frame("BTCUSDT", 10, 12), max(0.0, second * 0.9 - 2)))
        world.advance(1)
    assert state(world) == (Health.STALE, False)
    kinds = [kind for kind, _ in world.told_of("ageing_mark_price", "stale_mark_price")]
    assert kinds == ["ageing_mark_price", "stale_mark_price"]
    assert world.system.verdict("BTCUSDT").mark_age_s > 20


def test_case_02_a_current_quote_takes_over_from_a_lagging_stream(worlds):
    world = worlds(symbols=("BTCUSDT",), stream=StreamSettings(source="touch"), **LIMITS)
    for second in range(20):
        world.public(late(world.touch_frame("BTCUSDT", 10, 12), second * 0.9))
        if world.waiting("quotes"):
            world.poll(("BTCUSDT", 20, 22))
        world.advance(1)
    assert world.source("BTCUSDT") == "rest"
    assert state(world) == (Health.LIVE, True)
    changes = [change for _, change in world.told_of("rung_changed")]
    assert [change["after"] for change in changes] == ["trades", "rest"]
    assert "behind rest" in changes[0]["cause"]


def test_a_clock_that_is_wrong_by_a_constant_ages_nothing(worlds):
    world = worlds(symbols=("BTCUSDT",), stream=StreamSettings(source="touch"), **LIMITS)
    for _ in range(10):
        world.public(late(world.touch_frame("BTCUSDT", 10, 12), 3600))
        world.advance(1)
    assert state(world) == (Health.LIVE, True)


def test_setting_the_wall_clock_ages_nothing(worlds):
    world = worlds(symbols=("BTCUSDT",), stream=StreamSettings(source="touch"), **LIMITS)
    frame = world.touch_frame("BTCUSDT", 10, 12)
    world.public(frame)
    world.clock.step_wall(8 * 3600 * 10**9)
    world.advance(1)
    assert state(world) == (Health.LIVE, True)


def test_case_09_an_older_touch_makes_no_mark(worlds):
    world = worlds(symbols=("BTCUSDT",), stream=StreamSettings(source="touch"))
    first, second, third = (world.touch_frame("BTCUSDT", bid, bid + 1) for bid in (100, 50, 102))
    world.public(first, late(second, 60), third)
    assert [str(mark) for mark in world.marks("BTCUSDT")] == ["100.5", "102.5"]


def test_case_18_marks_age_while_the_machine_sleeps(worlds):
    world = worlds(symbols=("BTCUSDT",), stream=StreamSettings(source="touch"), **LIMITS)
    world.touch("BTCUSDT", 10, 12)
    world.clock.advance(8 * 3600 * 10**9)
    world.runtime.settle()
    verdict = world.system.verdict("BTCUSDT")
    assert (verdict.may_open, round(verdict.mark_age_s)) == (False, 28_800)
    world.advance(2)
    assert world.system.health("BTCUSDT").health is not Health.LIVE


def test_case_18_the_monotonic_clock_of_a_system_advances_during_sleep():
    boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert abs(clocks.SystemClock.monotonic_ns() - boot_ns) < 10**9


def test_where_no_clock_counts_sleep_a_forward_step_of_the_wall_clock_does(monkeypatch):
    now = {"wall": 0, "monotonic": 0}
    monkeypatch.setattr(clocks.time, "time_ns", lambda: now["wall"])
    monkeypatch.setattr(clocks.time, "monotonic_ns", lambda: now["monotonic"])
    clock = clocks.SleepGuessingClock()
    now.update(wall=10**9, monotonic=10**9)
    assert clock() == 10**9
    now.update(wall=10**9 + 3600 * 10**9)
    assert clock() == 3601 * 10**9
    now.update(wall=0)
    assert clock() == 3601 * 10**9
