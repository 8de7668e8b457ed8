from __future__ import annotations

from perps_actors.market.events import Earlier, Touch, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.toolkit.fields import completed, uncrossed

BTC = InstrumentId("v", "BTC")


def mark(mark, index, at):
    return VenueMark(BTC, mark, index, at, at + 1)


def test_what_was_left_alone_keeps_its_value_and_the_time_at_which_it_was_said():
    first = completed(mark("1", "2", 10), None, ())
    second = completed(mark("3", None, 20), first, ["index"])
    third = completed(mark("4", None, 30), second, ["index"])
    assert (third.mark, third.index, third.venue_time_ns) == ("4", "2", 30)
    assert third.earlier == (Earlier("index", 10, 11),)


def test_a_field_that_was_said_anew_has_the_time_of_its_message():
    first = completed(mark("3", None, 20), mark("1", "2", 10), ["index"])
    assert completed(mark("3", "9", 30), first, []).earlier == ()
    assert completed(mark(None, "9", 30), first, ["mark"]).earlier == (Earlier("mark", 20, 21),)


def test_what_was_said_to_be_empty_stays_empty():
    assert completed(mark("3", None, 20), mark("1", "2", 10), []).index is None


def test_what_nobody_ever_said_stays_unknown():
    assert completed(mark("3", None, 20), mark("1", None, 10), ["index"]) == mark("3", None, 20)


def test_a_touch_that_is_crossed_or_locked_is_a_complaint_and_one_that_lacks_a_side_is_not():
    def touch(bid, ask):
        return uncrossed(Touch(BTC, bid, None, ask, None, None, 1, 1))

    assert touch("1", "2") == Touch(BTC, "1", None, "2", None, None, 1, 1)
    assert touch("3", None).bid == "3"
    assert "bid 2 and ask 2.0" in touch("2", "2.0").what
    assert touch("10", "9").symbol == "BTC"
