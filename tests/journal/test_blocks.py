from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import EventUnfit, JournalError
from perps_actors.journal.blocks import GENESIS, chained_hash, pack, unpack
from perps_actors.messages.records import Event

INT64 = st.integers(-(2**63), 2**63 - 1)
SCALARS = st.none() | st.booleans() | INT64 | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SCALARS, lambda values: st.lists(values, max_size=3).map(tuple), max_leaves=8)
EVENTS = st.builds(
    Event,
    kind=st.text(),
    venue=st.text(),
    symbol=st.none() | st.text(),
    venue_time_ns=st.none() | INT64,
    received_ns=INT64,
    source=st.sampled_from(["book", "touch", "trades", "rest", None]),
    provenance=st.sampled_from(["live", "recording", "synthetic", "replay"]),
    data=st.lists(st.tuples(st.text(), VALUES), max_size=4).map(tuple),
)


@given(
    st.lists(EVENTS, min_size=1, max_size=20),
    st.integers(1, 2**40),
    st.binary(min_size=32, max_size=32),
)
def test_events_are_unpacked_as_they_were_packed(events, first, previous):
    block = pack(first, previous, events)

    assert unpack(block, previous) == tuple(events)
    assert (block.first, block.last) == (first, first + len(events) - 1)


@given(st.lists(EVENTS, min_size=1, max_size=20))
def test_the_columns_list_the_values_in_a_block(events):
    block = pack(1, GENESIS, events)

    times = [event.received_ns for event in events]
    assert (block.earliest_ns, block.latest_ns) == (min(times), max(times))
    assert set(msgspec.json.decode(block.kinds)) == {event.kind for event in events}
    listed = msgspec.json.decode(block.instruments)
    assert {(venue, symbol) for venue in listed for symbol in listed[venue]} == {
        (event.venue, event.symbol) for event in events
    }


@given(
    st.lists(EVENTS, min_size=1, max_size=5),
    st.sampled_from(
        ["first", "last", "earliest_ns", "latest_ns", "kinds", "instruments", "hash", "body"]
    ),
)
def test_a_block_with_an_altered_column_is_refused(events, column):
    block = pack(7, GENESIS, events)
    value = getattr(block, column)
    altered = block._replace(**{column: value - 1 if isinstance(value, int) else value[:-1]})

    with pytest.raises(JournalError, match=r"block \d+\.\.\d+"):
        unpack(altered, GENESIS)


def test_a_block_fits_only_after_its_own_predecessor(marks):
    before, other = pack(1, GENESIS, marks(0, 3)), pack(1, GENESIS, marks(1, 3))
    block = pack(4, before.hash, marks(3, 3))

    assert unpack(block, before.hash) == marks(3, 3)
    with pytest.raises(JournalError, match=r"block 4\.\.6: the hash does not fit"):
        unpack(block, other.hash)
    with pytest.raises(JournalError, match=r"block 4\.\.6: no block ends at 3"):
        unpack(block, None)


def test_a_block_with_a_wrong_number_of_events_is_refused(marks):
    body = zlib.compress(msgspec.msgpack.encode(marks(0, 2)))
    block = pack(1, GENESIS, marks(0, 3))._replace(body=body)
    block = block._replace(hash=chained_hash(GENESIS, block))

    with pytest.raises(JournalError, match=r"block 1\.\.3: holds 2 events"):
        unpack(block, GENESIS)


@pytest.mark.parametrize(
    "change",
    [
        {"data": (("what", object()),)},
        {"data": (("what", 2**70),)},
        {"data": (("what", "\ud800"),)},
        {"source": "hearsay"},
        {"provenance": None},
        {"received_ns": 2**63},
        {"received_ns": None},
        {"venue_time_ns": 1.5},
        {"symbol": b"BTC"},
        {"kind": 5},
        {"venue": None},
    ],
    ids=str,
)
def test_an_event_that_could_not_be_read_back_is_refused_with_its_index(mark, change):
    unfit = msgspec.structs.replace(mark(1), **change)

    with pytest.raises(EventUnfit, match="event 1 of kind") as caught:
        pack(1, GENESIS, (mark(0), unfit, mark(2)))
    assert caught.value.index == 1
    with pytest.raises(EventUnfit, match="event 0 of kind"):
        pack(1, GENESIS, (unfit,))


def test_a_block_of_similar_events_is_small(marks):
    assert len(pack(1, GENESIS, marks(0, 1000)).body) < 25_000
