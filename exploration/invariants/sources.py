"""Rules 7 and 8: one source speaks at a time, none from a withdrawn book, none of a connection that was given up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from exploration.play import Run
from exploration.schedule import SYMBOLS
from exploration.watch import Put, Turn
from perps_actors.market.events import Touch
from perps_actors.market.mark import RUNGS, Mark, Source
from perps_actors.messages.feeds import AnswerArrived, FramesArrived
from perps_actors.messages.marks import OfferMarks, RecordMarks
from perps_actors.messages.records import Event, Record
from perps_actors.simulator.venues import side_of

CONSUMER = "stream_consumer"
SIDE = side_of("binance_futures").streams
NS_PER_S = 1_000_000_000
SNAPSHOTS_IN_TEN_S = 10
"""How many snapshots of one book an incarnation of the consumer asks for within ten seconds, at most."""


@attrs.frozen
class Said:
    """What a consumer said in one turn."""

    turn: Turn
    at_ns: int
    marks: tuple[Any, ...]
    events: tuple[Event, ...]


def said_by_the_consumer(run: Run) -> Iterator[Said]:
    """Yield the turns in which a consumer said anything, in order."""
    by_turn: dict[int, list[Put]] = {}
    for put in run.runtime.notes.puts:
        if put.turn is not None and put.turn.actor == CONSUMER:
            by_turn.setdefault(put.turn.number, []).append(put)
    for number in sorted(by_turn):
        puts = by_turn[number]
        marks = [
            mark
            for put in puts
            if isinstance(put.message, RecordMarks)
            for mark in put.message.marks
        ]
        events = [
            event for put in puts if isinstance(put.message, Record) for event in put.message.events
        ]
        assert puts[0].turn is not None
        yield Said(puts[0].turn, puts[0].at_ns, tuple(marks), tuple(events))


def one_source_speaks_at_a_time(run: Run) -> Iterator[str]:
    """The marks of an instrument come from the rung it stands on: the top at a consumer's start, then as `rung_changed` tells."""
    stands: dict[tuple[int, str], Source] = {}
    for said in said_by_the_consumer(run):
        for symbol in SYMBOLS[: run.schedule.symbols]:
            key = (said.turn.generation, symbol)
            moves = [
                dict(event.data)
                for event in said.events
                if event.kind == "rung_changed" and event.symbol == symbol
            ]
            first = stands.get(key) or _first_rung(run, moves, said.marks)
            rungs = [first, *(move["after"] for move in moves)]
            stands[key] = rungs[-1]
            if [move["before"] for move in moves] != rungs[:-1]:
                yield f"{symbol} moved {moves}, but stood on {rungs[0]}"
            if not _is_along(
                rungs, [mark.source for mark in said.marks if mark.instrument.symbol == symbol]
            ):
                yield f"{said.marks} of {symbol} in turn {said.turn.number}, which stood on {rungs}"


def _first_rung(run: Run, moves: Sequence[Mapping[str, Any]], marks: Sequence[Mark]) -> Source:
    """Return where an instrument stood when its consumer started: at the top, which is `rest` while streaming is switched off."""
    if any(change.what == "switch" for change in run.schedule.settings_changes):
        first = [move["before"] for move in moves[:1]] or [mark.source for mark in marks[:1]]
        if first == ["rest"]:
            return "rest"
    return run.schedule.source


def _is_along(rungs: Sequence[Source], sources: Sequence[Source]) -> bool:
    """Return whether sources spoke in the order of the rungs."""
    left = list(rungs)
    for source in sources:
        while left and left[0] != source:
            left.pop(0)
    return bool(left)


def no_source_above_the_top_speaks(run: Run) -> Iterator[str]:
    """The sources above the one in the settings make no marks."""
    allowed = RUNGS[RUNGS.index(run.schedule.source) :]
    for mark in run.marks:
        if mark.source not in allowed:
            yield f"{mark.source} spoke, the top is {run.schedule.source}"


def a_silent_source_was_silent(run: Run) -> Iterator[str]:
    """A source that is declared silent had made no mark for as long as patience asks, in this incarnation."""
    patience_ns = run.schedule.patience_s * 1e9
    spoke_ns: dict[tuple[int, str, str], int] = {}
    for said in said_by_the_consumer(run):
        before = dict(spoke_ns)
        for mark in said.marks:
            spoke_ns[said.turn.generation, mark.instrument.symbol, mark.source] = mark.monotonic_ns
        for event in said.events:
            data = dict(event.data)
            if event.kind == "rung_changed" and str(data["cause"]).startswith("silent"):
                last_ns = before.get((said.turn.generation, str(event.symbol), data["before"]))
                if last_ns is not None and said.at_ns - last_ns <= patience_ns:
                    yield f"{data['before']} of {event.symbol} was called silent {said.at_ns - last_ns} ns after its last mark"


def climbs_are_earned(run: Run) -> Iterator[str]:
    """A source that failed speaks again after as many good updates as are asked for."""
    for said in said_by_the_consumer(run):
        for event in said.events:
            data = dict(event.data)
            if event.kind != "rung_changed" or not str(data["cause"]).endswith("is healthy again"):
                continue
            heard = _heard_since_it_fell(run, said, str(event.symbol), str(data["after"]))
            if heard < run.schedule.climb_after:
                yield f"{data['after']} of {event.symbol} climbed after {heard} updates"


def _heard_since_it_fell(run: Run, climb: Said, symbol: str, source: str) -> int:
    """Return how many updates of a source a consumer got between its start, or the last fall of that source, and the climb.

    Changes of a book that was bad when it fell waited for a snapshot since it was withdrawn, and are its updates now.
    """
    withdrawn = fell = 0
    for said in said_by_the_consumer(run):
        if said.turn.number >= climb.turn.number or said.turn.generation != climb.turn.generation:
            continue
        for event in said.events:
            if event.symbol == symbol and event.kind == "book_withdrawn":
                withdrawn = said.turn.number
            elif (
                event.symbol == symbol
                and event.kind == "rung_changed"
                and dict(event.data)["before"] == source
            ):
                fell = withdrawn if source == "book" else said.turn.number
    heard = 0
    for turn, _ in run.runtime.notes.handled:
        if (
            turn.actor == CONSUMER
            and turn.generation == climb.turn.generation
            and fell <= turn.number <= climb.turn.number
        ):
            heard += sum(
                _carries(frame, symbol, source) for frame in _frames(turn.message)
            ) + _answers(turn.message, symbol, source)
    return heard


def _frames(message: Any) -> tuple[bytes, ...]:
    return message.frames if isinstance(message, FramesArrived) else ()


def _carries(frame: bytes, symbol: str, source: str) -> bool:
    stream = SIDE.stream_of(frame)
    return (
        stream is not None
        and SIDE.symbol_of(stream) == symbol
        and SIDE.channel_of(stream) == source
    )


def _answers(message: Any, symbol: str, source: str) -> int:
    """Return how many updates of a source an answer is: a snapshot brings the book, and all that waited for it."""
    if isinstance(message, AnswerArrived):
        return source == "book" and message.answer.request.symbol == symbol
    return (
        sum(mark.instrument.symbol == symbol and mark.source == source for mark in message.marks)
        if isinstance(message, OfferMarks)
        else 0
    )


def a_withdrawn_book_makes_no_mark(run: Run) -> Iterator[str]:
    """Once a book is withdrawn, no mark is made of it before the answer to a request for its snapshot."""
    withdrawn: dict[str, tuple[int, int]] = {}
    said_in = {said.turn.number: said for said in said_by_the_consumer(run)}
    for turn, _ in run.runtime.notes.handled:
        if turn.actor != CONSUMER:
            continue
        message = turn.message
        if (
            isinstance(message, AnswerArrived)
            and message.answer.status == 200
            and message.answer.request.purpose == "depth"
        ):
            withdrawn.pop(str(message.answer.request.symbol), None)
        said = said_in.get(turn.number)
        if said is None:
            continue
        for mark in said.marks:
            generation, number = withdrawn.get(mark.instrument.symbol, (0, 0))
            if mark.source == "book" and generation == turn.generation and number < turn.number:
                yield f"{mark} in turn {turn.number}, its book was withdrawn in turn {number}"
        for event in said.events:
            if event.kind == "book_withdrawn":
                withdrawn[str(event.symbol)] = (turn.generation, turn.number)


def a_connection_that_was_given_up_is_not_heard(run: Run) -> Iterator[str]:
    """No mark is made of frames that came over a connection of an incarnation before."""
    for said in said_by_the_consumer(run):
        message = said.turn.message
        if isinstance(message, FramesArrived) and said.marks:
            opened_in = run.venue.opened_in[message.session - 1]
            if opened_in is None or opened_in.generation != said.turn.generation:
                yield f"incarnation {said.turn.generation} made marks of session {message.session}, opened by {opened_in}"


def a_good_update_makes_a_mark(run: Run) -> Iterator[str]:
    """Every touch that a consumer reads makes a mark while the touch is the active source.

    That includes touches before a frame that kills the consumer. A touch that is older than one
    before it makes none, unless a pause lies between them. Touches read while streams are reopened
    for new settings do not count.
    """
    if run.schedule.source != "touch" or any(
        change.what in {"level", "switch"} for change in run.schedule.settings_changes
    ):
        return
    said_in = {said.turn.number: said for said in said_by_the_consumer(run)}
    moved = {
        event.symbol
        for said in said_in.values()
        for event in said.events
        if event.kind == "rung_changed"
    }
    newest_ns: dict[tuple[int, str], int] = {}
    for turn, _ in run.runtime.notes.handled:
        if (
            turn.actor != CONSUMER
            or not isinstance(turn.message, FramesArrived)
            or not _is_its_own(run, turn)
        ):
            continue
        expected: Counter[str] = Counter()
        older: Counter[str] = Counter()
        for touch in filter(None, map(_touch_in, _read_in(run, turn))):
            symbol, venue_time_ns = touch.instrument.symbol, touch.venue_time_ns or 0
            key = (turn.generation, symbol)
            (older if venue_time_ns < newest_ns.get(key, 0) else expected)[symbol] += 1
            newest_ns[key] = max(venue_time_ns, newest_ns.get(key, 0))
        said = said_in.get(turn.number)
        marked = (
            Counter(mark.instrument.symbol for mark in said.marks if mark.source == "touch")
            if said is not None
            else Counter()
        )
        for symbol in expected.keys() - moved:
            if not 0 <= marked[symbol] - expected[symbol] <= older[symbol]:
                yield f"{expected[symbol]} touches of {symbol} in turn {turn.number} made {marked[symbol]} marks"


def _is_its_own(run: Run, turn: Turn) -> bool:
    opened_in = run.venue.opened_in[turn.message.session - 1]
    return opened_in is not None and opened_in.generation == turn.generation


def _read_in(run: Run, turn: Turn) -> tuple[bytes, ...]:
    """Return the frames that were read in a turn: all, but for those from the one on at which it was harmed."""
    frames: tuple[bytes, ...] = turn.message.frames
    harm = run.runtime.notes.struck.get(turn.number)
    if harm is None or harm.moment == "after":
        return frames
    return frames[: harm.item % len(frames)] if harm.moment == "within" else ()


def _touch_in(frame: bytes) -> Touch | None:
    """Return the touch in a frame; None if the frame has none."""
    try:
        return SIDE.read_touch(frame)
    except msgspec.DecodeError:
        return None


def a_bad_book_keeps_its_manners(run: Run) -> Iterator[str]:
    """A book that breaks again and again does not ask for snapshots faster and faster: its neighbours need theirs too."""
    asked_ns: dict[str | None, list[int]] = {}
    for request, at_ns in run.venue.asked:
        if request.purpose == "depth":
            asked_ns.setdefault(request.symbol, []).append(at_ns)
    most = SNAPSHOTS_IN_TEN_S * (1 + run.child(CONSUMER).restarts)
    for symbol, times in asked_ns.items():
        for first, last in zip(times, times[most:], strict=False):
            if last - first < 10 * NS_PER_S:
                yield f"{most + 1} snapshots of {symbol} in {(last - first) / NS_PER_S} s"


SOURCES = (
    one_source_speaks_at_a_time,
    no_source_above_the_top_speaks,
    a_silent_source_was_silent,
    climbs_are_earned,
    a_withdrawn_book_makes_no_mark,
    a_connection_that_was_given_up_is_not_heard,
    a_good_update_makes_a_mark,
    a_bad_book_keeps_its_manners,
)
