"""Recordings of Deribit and Kraken Futures with frames lost, doubled, cut, swapped and spoilt."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perps_actors.market.events import BookTop
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.registry import venue

SNAPSHOT = {"deribit": b'"type":"snapshot"', "kraken_futures": b'"feed":"book_snapshot"'}


@pytest.fixture(scope="module", params=list(SNAPSHOT))
def recorded(request, data_folder):
    """Return the name of a venue and its frames, from the snapshots on."""
    with gzip.open(
        data_folder / "recordings" / request.param / "raw.jsonl.gz", "rt", encoding="utf-8"
    ) as file:
        rows = [json.loads(line) for line in file]
    return request.param, [row["data"].encode() for row in rows if row["dir"] == "ws"][:400]


def adapter_of(name):
    known = venue(name)
    return known.stream(known.endpoints)


def tops(adapter, frames):
    found = [
        outcome for at, frame in enumerate(frames) for outcome in adapter.frame("a", frame, at)
    ]
    return {top for top in map(facts, found) if top}


def facts(outcome):
    if not isinstance(outcome, BookTop):
        return ()
    sides = (outcome.bid, outcome.bid_size, outcome.ask, outcome.ask_size)
    return (
        outcome.instrument.symbol,
        outcome.sequence,
        *sides,
        outcome.bid_levels,
        outcome.ask_levels,
    )


def spoilt(frames, plan):
    frames = list(frames)
    for how, where, what in plan:
        at, other = where % len(frames), what % len(frames)
        frame = frames[at]
        if how == "lose":
            frames[at] = b""
        elif how == "double":
            frames.insert(at, frame)
        elif how == "cut":
            frames[at] = frame[: what % (len(frame) or 1)]
        elif how == "swap":
            frames[at], frames[other] = frames[other], frame
        else:
            place = what % (len(frame) + 1)
            frames[at] = frame[:place] + bytes([what % 256]) + frame[place + 1 :]
    return frames


def plans(*hows):
    return st.lists(
        st.tuples(st.sampled_from(hows), st.integers(0, 10**6), st.integers(0, 10**6)),
        min_size=1,
        max_size=8,
    )


quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(plan=plans("lose", "double", "cut", "swap"))
def test_lost_doubled_cut_or_swapped_frames_never_give_a_top_that_the_venue_did_not_have(
    recorded, plan
):
    name, frames = recorded
    assert tops(adapter_of(name), spoilt(frames, plan)) <= tops(adapter_of(name), frames)


@quick
@given(plan=plans("lose", "double", "cut", "swap", "spoil"))
def test_the_next_snapshots_restore_every_book(recorded, plan):
    name, frames = recorded
    snapshots = [frame for frame in frames if SNAPSHOT[name] in frame]
    assert len(snapshots) == 10
    adapter = adapter_of(name)
    for at, frame in enumerate(spoilt(frames, plan)):
        adapter.frame("a", frame, at)
    for frame in snapshots:
        (top,) = adapter.frame("a", frame, 1_000)
        (wanted,) = adapter_of(name).frame("a", frame, 1_000)
        assert top == wanted
        assert adapter.depth(top.instrument.symbol, 1) == (
            [(top.bid, top.bid_size)] * bool(top.bid),
            [(top.ask, top.ask_size)] * bool(top.ask),
        )


def test_a_missing_frame_is_a_gap_at_the_next_one_of_its_book(recorded):
    name, frames = recorded
    whole = adapter_of(name)
    said = [
        [
            outcome.instrument.symbol
            for outcome in whole.frame("a", frame, 1)
            if isinstance(outcome, BookTop)
        ]
        for frame in frames
    ]
    changes = [
        at for at, symbols in enumerate(said) if symbols and SNAPSHOT[name] not in frames[at]
    ]
    found = 0
    for dropped in changes[::7]:
        after = next((at for at in changes if at > dropped and said[at] == said[dropped]), None)
        adapter = adapter_of(name)
        holed = [
            list(adapter.frame("a", b"" if at == dropped else frame, 1))
            for at, frame in enumerate(frames)
        ]
        if after is not None:
            assert holed[after][0].cause.startswith("gap")
            found += 1
        assert not any(
            isinstance(outcome, InvalidInput)
            for at, outcomes in enumerate(holed)
            for outcome in outcomes
            if at != dropped
        )
    assert found > 2
