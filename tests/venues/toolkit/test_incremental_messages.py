from __future__ import annotations

from perps_actors.market.events import Earlier, Touch, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.toolkit.fields import completed, uncrossed

BTC = InstrumentId("v", "BTC")


def mark(mark, index, at):
    return VenueMark(BTC, mark, index, at, at + 1)


def test_an_absent_field_keeps_its_value_and_its_time():
    first = completed(mark("1", "2", 10), None, ())
    second = completed(mark("3", None, 20), first, ["index"])
    third = completed(mark("4", None, 30), second, ["index"])
    assert (third.mark, third.index, third.venue_time_ns) == ("4", "2", 30)
    assert third.earlier == (Earlier("index", 10, 11),)


def test_a_field_that_was_sent_again_has_the_time_of_its_message():
    first = completed(mark("3", None, 20), mark("1", "2", 10), ["index"])
    assert completed(mark("3", "9", 30), first, []).earlier == ()
    assert completed(mark(None, "9", 30), first, ["mark"]).earlier == (Earlier("mark", 20, 21),)


def test_an_empty_field_does_not_keep_an_earlier_value():
    assert completed(mark("3", None, 20), mark("1", "2", 10), []).index is None


def test_a_field_that_was_never_sent_stays_none():
    assert completed(mark("3", None, 20), mark("1", None, 10), ["index"]) == mark("3", None, 20)


def test_a_crossed_or_locked_touch_is_invalid_input_and_a_touch_without_a_side_is_not():
    def touch(bid, ask):
        return uncrossed(Touch(BTC, bid, None, ask, None, None, 1, 1))

    assert touch("1", "2") == Touch(BTC, "1", None, "2", None, None, 1, 1)
    assert touch("3", None).bid == "3"
    assert "bid 2 and ask 2.0" in touch("2", "2.0").what
    assert touch("10", "9").symbol == "BTC"
