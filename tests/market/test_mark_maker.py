from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from perps_actors.market.events import BookTop, Earlier, Touch, Trade
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.ladder import LadderPolicy
from perps_actors.market.mark import Mark, Source
from perps_actors.market.mark_maker import MARKED, MarkMaker, price_of

BTC = InstrumentId("v", "BTC")
ETH = InstrumentId("v", "ETH")
S = 1_000_000_000


def book(bid="100", ask="102", instrument=BTC, at_ns=0) -> BookTop:
    return BookTop(instrument, False, bid, "1", ask, "1", 1, 1, 1, at_ns, 7)


def touch(bid="10", ask="12", last=None, instrument=BTC, at_ns=0) -> Touch:
    return Touch(instrument, bid, "1", ask, "1", last, at_ns, 7)


def trade(price="55", *, instrument=BTC, at_ns=0, backlog=False) -> Trade:
    return Trade(instrument, "buy", price, "1", "1", at_ns, 7, backlog)


def maker(top: Source = "book", **policy) -> MarkMaker:
    return MarkMaker(LadderPolicy(top=top, **policy), [BTC, ETH], 0)


def price(mark: Mark | None) -> Decimal | None:
    return None if mark is None else mark.mark


def test_each_kind_of_event_makes_a_mark_with_its_source_and_times() -> None:
    assert maker().of(book(at_ns=5), 9) == Mark(BTC, Decimal(101), "book", 5, 7, 9)
    assert maker("touch").of(touch(at_ns=5), 9) == Mark(BTC, Decimal(11), "touch", 5, 7, 9)
    assert maker("trades").of(trade(at_ns=5), 9) == Mark(BTC, Decimal(55), "trades", 5, 7, 9)
    assert frozenset({BookTop, Touch, Trade}) == MARKED


@pytest.mark.parametrize("source", ["book", "trades"])
def test_a_touch_that_names_its_source_makes_marks_of_that_source(source) -> None:
    quote = Touch(BTC, "10", None, "13", None, None, 5, 7, source)
    marks = maker(source)
    assert marks.of(quote, 9) == Mark(BTC, Decimal("11.5"), source, 5, 7, 9)
    marks.fail_all(["BTC"], [source], "broke")
    assert marks.of(quote, 9) is None


@pytest.mark.parametrize(
    ("quote", "expected"),
    [
        (touch("10", "13"), Decimal("11.5")),
        (touch("10", "13", "99"), Decimal("11.5")),
        (touch(None, "13", "99"), Decimal(99)),
        (touch("10", None, "99"), Decimal(99)),
        (touch(None, None, "99"), Decimal(99)),
        (touch("10", None), None),
        (touch(None, None), None),
    ],
)
def test_the_mark_of_a_quote_is_the_mid_else_the_last_price_else_none(quote, expected) -> None:
    assert price(price_of(quote, "rest", 1)) == expected
    assert price(maker("touch").of(quote, 1)) == expected


@pytest.mark.parametrize("top", [book(None), book("100", None), book(None, None)])
def test_a_book_with_an_empty_side_makes_no_mark(top) -> None:
    assert maker().of(top, 1) is None


def test_a_book_with_an_empty_side_does_not_count_as_a_good_update() -> None:
    marks = maker(climb_after=2)
    marks.fail_all(["BTC"], ["book"], "broke")
    for _ in range(5):
        marks.of(book(None), 1)
    assert marks.of(touch(), 1) is not None


def test_trades_sent_as_history_make_no_mark_and_change_no_source() -> None:
    marks = maker()
    assert marks.of(trade(backlog=True), 60 * S) is None
    assert dict(marks.rungs())[BTC] == "book"


@given(
    st.decimals("0.0000001", "999999999", places=9),
    st.decimals("0.0000001", "999999999", places=9),
    st.integers(1, 28),
)
def test_a_mid_is_exact_whatever_decimal_context_the_host_has_set(bid, ask, precision) -> None:
    with localcontext() as context:
        context.prec = precision
        mark = maker().of(book(format(bid, "f"), format(ask, "f")), 1)
    assert Fraction(mark.mark) == (Fraction(bid) + Fraction(ask)) / 2


def test_one_source_is_active_and_a_failure_elsewhere_does_not_change_it() -> None:
    marks = maker()
    marks.fail_all(["BTC"], ["book", "touch"], "broke")
    assert [price(marks.of(event, 1)) for event in (book(), touch(), trade())] == [None, None, 55]
    events = (book(instrument=ETH), touch(instrument=ETH), trade(instrument=ETH))
    assert [price(marks.of(event, 1)) for event in events] == [101, None, None]
    assert dict(marks.rungs()) == {BTC: "trades", ETH: "book"}


def test_sources_that_fail_together_are_one_change() -> None:
    marks = maker()
    marks.fail_all(["BTC", "DOGE"], ["book", "touch"], "broke")
    [(instrument, change)] = marks.take_changes()
    assert (instrument, change.before, change.after, change.cause) == (
        BTC,
        "book",
        "trades",
        "broke",
    )
    assert marks.take_changes() == []


def test_a_polled_mark_counts_only_while_no_better_source_is_active() -> None:
    marks = maker()
    polled = Mark(BTC, Decimal(1), "rest", None, 7, 1)
    assert marks.admit(polled) is None
    marks.fail_all(["BTC"], ["book", "touch", "trades"], "broke")
    assert marks.admit(polled) == polled


def test_an_instrument_unknown_at_the_start_gets_the_same_ladder() -> None:
    new = InstrumentId("v", "NEW")
    marks = maker()
    assert price(marks.of(book(instrument=new), 1)) == 101
    assert marks.of(touch(instrument=new), 1) is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["book", "touch", "trades", "fail"]), st.integers(0, 3)),
        max_size=60,
    )
)
def test_only_the_active_source_makes_marks_and_its_changes_form_a_chain(
    happenings,
) -> None:
    marks, now_ns, speaking = maker(climb_after=2, patience_ns=2 * S), 0, "book"
    for kind, seconds in happenings:
        now_ns += seconds * S
        if kind == "fail":
            marks.fail_all(["BTC"], ["book"], "broke")
        else:
            event = {"book": book, "touch": touch, "trades": trade}[kind](at_ns=now_ns)
            mark = marks.of(event, now_ns)
            assert mark is None or mark.source == kind == dict(marks.rungs())[BTC]
        for _, change in marks.take_changes():
            assert change.before == speaking
            assert change.after != change.before
            speaking = change.after
        assert dict(marks.rungs())[BTC] == speaking


def test_a_touch_without_a_new_bid_or_ask_makes_no_mark() -> None:
    quoted = Touch(BTC, "10", "1", "12", "1", "11", 5, 7)
    earlier = {name: Earlier(name, 1, 1) for name in ("bid", "ask", "last")}
    for kept, made in (
        (("bid", "ask"), None),
        (("bid", "last"), Decimal(11)),
        (("last",), Decimal(11)),
    ):
        partial = structs.replace(quoted, earlier=tuple(earlier[name] for name in kept))
        assert price(maker("touch").of(partial, 1)) == made


def test_the_last_trade_does_not_replace_an_empty_side() -> None:
    touch = Touch(BTC, None, "0", "101", "5", "100", 1, 1)  # type: ignore[arg-type]
    assert price_of(touch, "touch", 1) is None
    assert maker(top="touch").of(touch, 1) is None
    assert price_of(Touch(BTC, None, None, None, None, "100", 1, 1), "rest", 1).mark == 100  # type: ignore[arg-type]
