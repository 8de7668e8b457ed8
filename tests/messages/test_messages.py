from __future__ import annotations

import importlib
import pkgutil
from decimal import Decimal
from inspect import getmembers, isclass

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import perps_actors.messages
from perps_actors.kernel.messages import (
    BATCH,
    CONTROL,
    HOLDS,
    MERGES,
    SHEDDABLE,
    traits_of,
    weight_of,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.control import Tick
from perps_actors.messages.feeds import CloseSources, ConnectionClosed, FramesArrived
from perps_actors.messages.marks import CONFLATE_ABOVE, MarksUpdated, RecordMarks
from perps_actors.messages.records import Event, Flush, Record, event


def every_message() -> list[type]:
    names = [
        module.name
        for module in pkgutil.iter_modules(perps_actors.messages.__path__, "perps_actors.messages.")
    ]
    found = {
        cls
        for name in names
        for _, cls in getmembers(importlib.import_module(name), isclass)
        if cls.__module__ == name
    }
    return sorted((cls for cls in found if attrs.has(cls)), key=lambda cls: cls.__name__)


def mark(number: int, symbol: str = "BTC") -> Mark:
    return Mark(InstrumentId("v", symbol), Decimal(number), "book", None, 1, 1)


def recorded(*marks: Mark) -> RecordMarks:
    return RecordMarks(marks, "synthetic")


@pytest.mark.parametrize("cls", every_message(), ids=lambda cls: cls.__name__)
def test_a_message_cannot_be_changed_once_it_is_made(cls) -> None:
    fields = attrs.fields(cls)
    message = cls(**{field.name: 1 for field in fields if field.init})
    for field in fields:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(message, field.name, 2)


@pytest.mark.parametrize("cls", every_message(), ids=lambda cls: cls.__name__)
def test_no_message_has_a_field_that_can_be_changed_from_outside(cls) -> None:
    for field in attrs.fields(cls):
        kind = str(field.type).replace("frozenset[", "")
        assert not any(word in kind for word in ("list", "dict", "set[")), field


def test_there_are_messages_to_look_at() -> None:
    assert len(every_message()) > 20


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.data())
def test_a_batch_with_other_items_keeps_its_other_fields_and_weighs_what_it_holds(
    numbers, data
) -> None:
    marks = tuple(mark(number) for number in numbers)
    index = data.draw(st.integers(0, len(marks) - 1))
    for batch in (recorded(*marks), MarksUpdated(marks, "synthetic")):
        assert batch.items is batch.marks
        rest = batch.with_items(marks[index:])
        assert rest == type(batch)(marks[index:], "synthetic")
        assert weight_of(rest) == len(marks) - index
    frames = FramesArrived("public-0", 3, tuple(b"%d" % number for number in numbers), 1, 2)
    one = frames.with_items(frames.items[index : index + 1])
    assert (one.frames, one.session) == (frames.frames[index : index + 1], 3)
    assert (frames.held_bytes, one.held_bytes) == (len(numbers), 1)


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 99)), min_size=1, max_size=5),
        min_size=1,
        max_size=8,
    )
)
def test_merged_marks_are_all_kept_in_order_below_the_limit(batches) -> None:
    messages = [recorded(*(mark(number, symbol) for symbol, number in batch)) for batch in batches]
    merged = messages[0]
    for message in messages[1:]:
        merged = merged.merged_with(message)
    assert merged.marks == tuple(mark for message in messages for mark in message.marks)


def test_beyond_the_limit_the_newest_of_each_instrument_is_kept() -> None:
    merged = recorded(mark(1, "A"), mark(2, "B")).merged_with(
        recorded(*(mark(n, "A") for n in range(CONFLATE_ABOVE)))
    )
    assert merged == recorded(mark(CONFLATE_ABOVE - 1, "A"), mark(2, "B"))


def test_what_goes_ahead_what_may_be_shed_and_what_is_counted_by_items() -> None:
    assert traits_of(RecordMarks) == BATCH | MERGES
    assert traits_of(MarksUpdated) == BATCH | SHEDDABLE
    assert traits_of(FramesArrived) == BATCH | HOLDS
    assert traits_of(Tick) == traits_of(CloseSources) == CONTROL
    # Events and questions are never dropped. The end of a connection comes after its frames.
    assert traits_of(Record) == traits_of(Flush) == traits_of(ConnectionClosed) == 0


def test_an_event_is_frozen_and_names_no_actor_by_accident() -> None:
    made = event(
        "hole",
        venue="v",
        received_ns=5,
        provenance="live",
        instrument=InstrumentId("v", "BTC"),
        inbox="mark_store",
        dropped=3,
    )
    assert made == Event(
        "hole", "v", "BTC", None, 5, None, "live", (("inbox", "mark_store"), ("dropped", 3))
    )
    assert hash(made) == hash(msgspec.structs.replace(made))
    with pytest.raises(AttributeError):
        made.kind = "other"  # type: ignore[misc]
