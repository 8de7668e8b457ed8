from __future__ import annotations

import pytest

from perps_actors.errors import MarketError
from perps_actors.market.events import Touch
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.toolkit.fields import touch_of

BTC = InstrumentId("v", "BTC")


def touch(bid, ask, last=None):
    return touch_of(BTC, bid, ask, last, venue_time_ns=1, received_ns=2)


@pytest.mark.parametrize(
    ("bid", "ask", "sides"),
    [
        (("9", "1"), ("11", "2"), ("9", "1", "11", "2")),
        (("9", None), ("11", None), ("9", None, "11", None)),
        (("0.0", "0.0"), ("11", "2"), (None, "0", "11", "2")),
        (("9", "1"), ("0", None), ("9", "1", None, "0")),
        ((None, None), ("11", "2"), (None, None, "11", "2")),
        (("8.7e3", "1"), ("8.8e3", "1"), ("8.7e3", "1", "8.8e3", "1")),
    ],
)
def test_an_empty_side_has_size_zero_and_an_absent_side_no_size(bid, ask, sides):
    assert touch(bid, ask) == Touch(BTC, *sides, None, 1, 2)


@pytest.mark.parametrize("last", [None, "0", "0.0"])
def test_a_last_price_of_zero_is_none(last):
    assert touch(("9", "1"), ("11", "1"), last).last is None


@pytest.mark.parametrize(
    ("bid", "ask", "last"),
    [
        (("11", "1"), ("11.0", "1"), None),
        (("12", "1"), ("11", "1"), None),
        # They differ by less than the precision of a float.
        (("1.00000000000000000002", "1"), ("1.00000000000000000001", "1"), None),
        (("-9", "1"), ("11", "1"), None),
        (("9", "-1"), ("11", "1"), None),
        (("9", "0"), ("11", "1"), None),
        (("NaN", "1"), ("11", "1"), None),
        (("9", "1"), ("1e99", "1"), None),
        (("9", "1"), ("11", "1"), "-1"),
    ],
)
def test_a_touch_that_no_market_can_have_is_refused(bid, ask, last):
    with pytest.raises(MarketError):
        touch(bid, ask, last)
