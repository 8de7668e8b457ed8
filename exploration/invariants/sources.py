"""Rules 7 and 8 for each market: one source at a time is active, and a bad book makes no mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from itertools import pairwise
from typing import Any

import attrs

from exploration.invariants.losses import items_taken
from exploration.play import PlayedMarket, Run
from exploration.schedule import FIRST
from exploration.schedule import SOURCES as FEED_ACTORS
from exploration.watch import Put, Turn
from perps_actors.market.events import Touch
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import RUNGS, Mark, Source
from perps_actors.messages.feeds import AnswerArrived, FramesArrived
from perps_actors.messages.marks import OfferMarks, RecordMarks
from perps_actors.messages.records import Event, Record
from perps_actors.simulator.venues import side_of
from perps_actors.venues.registry import venue

OUTAGE_GAP_S = 2.5
"""Longest time without a mark of a market whose own venue works, beside its poll interval."""
NS_PER_S = 1_000_000_000
SNAPSHOTS_IN_TEN_S = 10
"""Most snapshots of one book that an incarnation of the consumer requests in ten seconds."""


@attrs.frozen
class Said:
    """The messages that a consumer sent in one turn."""

    turn: Turn
    at_ns: int
    marks: tuple[Any, ...]
    events: tuple[Event, ...]


def said_by_the_consumer(run: Run, market: PlayedMarket) -> Iterator[Said]:
    """Yield the turns in which a consumer sent anything, in order."""
    by_turn: dict[int, list[Put]] = {}
    for put in run.runtime.notes.puts:
        if put.turn is not None and put.turn.actor == market.consumer:
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


def one_source_speaks_at_a_time(run: Run, market: PlayedMarket) -> Iterator[str]:
    """The marks of an instrument come from its active source.

    That is the best one when a consumer starts, then the one that `rung_changed` names.
    """
    stands: dict[tuple[int, str], Source] = {}
    for said in said_by_the_consumer(run, market):
        for symbol in market.symbols:
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
    """Return the active source at a consumer's start: `rest` while streaming is switched off."""
    if any(change.what == "switch" for change in run.schedule.settings_changes):
        first = [move["before"] for move in moves[:1]] or [mark.source for mark in marks[:1]]
        if first == ["rest"]:
            return "rest"
    return run.schedule.source


def _is_along(rungs: Sequence[Source], sources: Sequence[Source]) -> bool:
    """Return whether marks came from sources in the order of the rungs."""
    left = list(rungs)
    for source in sources:
        while left and left[0] != source:
            left.pop(0)
    return bool(left)


def no_source_above_the_top_speaks(run: Run, market: PlayedMarket) -> Iterator[str]:
    """The sources above the one in the settings make no marks."""
    allowed = RUNGS[RUNGS.index(run.schedule.source) :]
    for mark in run.marks:
        if mark.instrument.venue == market.venue.name and mark.source not in allowed:
            yield f"{mark.source} spoke, the top is {run.schedule.source}"


def a_silent_source_was_silent(run: Run, market: PlayedMarket) -> Iterator[str]:
    """A source is declared silent only after `patience_s` without a mark in this incarnation."""
    patience_ns = run.schedule.patience_s * 1e9
    spoke_ns: dict[tuple[int, str, str], int] = {}
    for said in said_by_the_consumer(run, market):
        before = dict(spoke_ns)
        for mark in said.marks:
            spoke_ns[said.turn.generation, mark.instrument.symbol, mark.source] = mark.monotonic_ns
        for event in said.events:
            data = dict(event.data)
            if event.kind == "rung_changed" and str(data["cause"]).startswith("silent"):
                last_ns = before.get((said.turn.generation, str(event.symbol), data["before"]))
                if last_ns is not None and said.at_ns - last_ns <= patience_ns:
                    age_ns = said.at_ns - last_ns
                    yield f"{data['before']} of {event.symbol} was silent after {age_ns} ns"


def climbs_are_earned(run: Run, market: PlayedMarket) -> Iterator[str]:
    """A source that failed becomes active again only after `climb_after` good updates."""
    for said in said_by_the_consumer(run, market):
        for event in said.events:
            data = dict(event.data)
            if event.kind != "rung_changed" or not str(data["cause"]).endswith("is healthy again"):
                continue
            heard = _heard_since_it_fell(run, market, said, str(event.symbol), str(data["after"]))
            if heard < run.schedule.climb_after:
                yield f"{data['after']} of {event.symbol} climbed after {heard} updates"


def _heard_since_it_fell(
    run: Run, market: PlayedMarket, climb: Said, symbol: str, source: str
) -> int:
    """Return the number of updates of a source before it climbed.

    They count from the source's last fall, or from the consumer's start. Deltas of a book count
    from its withdrawal, because they wait for its snapshot.
    """
    withdrawn = fell = 0
    for said in said_by_the_consumer(run, market):
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
            turn.actor == market.consumer
            and turn.generation == climb.turn.generation
            and fell <= turn.number <= climb.turn.number
        ):
            heard += sum(
                _carries(market, frame, symbol, source) for frame in _frames(turn.message)
            ) + _answers(turn.message, symbol, source)
    return heard


def _frames(message: Any) -> tuple[bytes, ...]:
    return message.frames if isinstance(message, FramesArrived) else ()


def _carries(market: PlayedMarket, frame: bytes, symbol: str, source: str) -> bool:
    side = side_of(market.venue.name).streams
    stream = side.stream_of(frame)
    return (
        stream is not None
        and side.symbol_of(stream) == symbol
        and side.channel_of(stream) == source
    )


def _answers(message: Any, symbol: str, source: str) -> int:
    """Return the number of updates of a source in an answer."""
    if isinstance(message, AnswerArrived):
        return source == "book" and message.answer.request.symbol == symbol
    return (
        sum(mark.instrument.symbol == symbol and mark.source == source for mark in message.marks)
        if isinstance(message, OfferMarks)
        else 0
    )


def a_withdrawn_book_makes_no_mark(run: Run, market: PlayedMarket) -> Iterator[str]:
    """A withdrawn book makes no mark before its snapshot has come."""
    withdrawn: dict[str, tuple[int, int]] = {}
    said_in = {said.turn.number: said for said in said_by_the_consumer(run, market)}
    for turn, _ in run.runtime.notes.handled:
        if turn.actor != market.consumer:
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


def a_connection_that_was_given_up_is_not_heard(run: Run, market: PlayedMarket) -> Iterator[str]:
    """Frames of a connection that an earlier incarnation opened make no mark."""
    for said in said_by_the_consumer(run, market):
        message = said.turn.message
        if isinstance(message, FramesArrived) and said.marks:
            opened_in = market.venue.opened_in[message.session - 1]
            if opened_in is None or opened_in.generation != said.turn.generation:
                yield f"{said.turn} made marks of session {message.session}, opened in {opened_in}"


def a_good_update_makes_a_mark(run: Run, market: PlayedMarket) -> Iterator[str]:
    """Every touch that is read makes a mark while touches are active.

    That includes touches before a frame that kills the consumer. A touch that is older than one
    before it makes no mark, unless a pause lies between them. Runs in which other settings restart
    the streams are left out.
    """
    if run.schedule.source != "touch" or any(
        change.what in {"level", "switch"} for change in run.schedule.settings_changes
    ):
        return
    said_in = {said.turn.number: said for said in said_by_the_consumer(run, market)}
    moved = {
        event.symbol
        for said in said_in.values()
        for event in said.events
        if event.kind == "rung_changed"
    }
    newest_ns: dict[tuple[int, str], int] = {}
    for turn, _ in run.runtime.notes.handled:
        if (
            turn.actor != market.consumer
            or not isinstance(turn.message, FramesArrived)
            or not _is_its_own(market, turn)
        ):
            continue
        expected: Counter[str] = Counter()
        older: Counter[str] = Counter()
        for touch in filter(None, (_touch_in(market, frame) for frame in items_taken(run, turn))):
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
                yield (
                    f"{expected[symbol]} touches of {symbol} in turn {turn.number} "
                    f"made {marked[symbol]} marks"
                )


def _is_its_own(market: PlayedMarket, turn: Turn) -> bool:
    opened_in = market.venue.opened_in[turn.message.session - 1]
    return opened_in is not None and opened_in.generation == turn.generation


def _touch_in(market: PlayedMarket, frame: bytes) -> Touch | None:
    """Return the touch in a frame; None if the frame has none."""
    adapter = venue(market.venue.name).stream(market.venue.endpoints)
    outcomes = adapter.frame("read", frame, 0)
    return next((event for event in outcomes if isinstance(event, Touch)), None)


def a_bad_book_keeps_its_manners(run: Run, market: PlayedMarket) -> Iterator[str]:
    """A book that breaks repeatedly leaves its neighbours their share of the rate limit."""
    asked_ns: dict[str | None, list[int]] = {}
    for request, at_ns in market.venue.asked:
        if request.purpose == "depth":
            asked_ns.setdefault(request.symbol, []).append(at_ns)
    most = SNAPSHOTS_IN_TEN_S * (1 + run.child(market.consumer).restarts)
    for symbol, times in asked_ns.items():
        for first, last in zip(times, times[most:], strict=False):
            if last - first < 10 * NS_PER_S:
                yield f"{most + 1} snapshots of {symbol} in {(last - first) / NS_PER_S} s"


def an_outage_stays_at_its_venue(run: Run, market: PlayedMarket) -> Iterator[str]:
    """Marks of the second market go on while only the first venue and its actors fail.

    Not looked at if marks are made of trades, because a synthetic market may be without a trade for
    seconds.
    """
    schedule = run.schedule
    alone = not (
        schedule.second_faults
        or schedule.source == "trades"
        or schedule.stalls
        or schedule.journal_faults
        or schedule.settings_changes
        or schedule.last_crashes
        or schedule.hangs()
        or schedule.bound is not None
        or any(crash.actor not in FEED_ACTORS or not crash.nth for crash in schedule.crashes)
    )
    if market is run.markets[0] or not alone:
        return
    limit_s = OUTAGE_GAP_S + (schedule.poll_s or 0.0)
    for symbol in market.symbols:
        instrument = InstrumentId(market.venue.name, symbol)
        times = [mark.monotonic_ns for mark in run.marks if mark.instrument == instrument]
        for earlier, later in pairwise([*times, run.end_ns]):
            if later - earlier > limit_s * NS_PER_S:
                yield f"{instrument} had no mark for {(later - earlier) / NS_PER_S} s"
        if not times:
            yield f"{instrument} had no mark"


Check = Callable[[Run, PlayedMarket], Iterator[str]]


def _in_each_market(check: Check) -> Callable[[Run], Iterator[str]]:
    @wraps(check)
    def checked(run: Run) -> Iterator[str]:
        for market in run.markets:
            yield from check(run, market)

    return checked


def _with_rest_snapshots(check: Check) -> Check:
    """Leave out markets whose venue sends snapshots of books on the stream."""

    @wraps(check)
    def checked(run: Run, market: PlayedMarket) -> Iterator[str]:
        if market.venue.name == FIRST:
            yield from check(run, market)

    return checked


SOURCES = tuple(
    _in_each_market(check)
    for check in (
        one_source_speaks_at_a_time,
        no_source_above_the_top_speaks,
        a_silent_source_was_silent,
        _with_rest_snapshots(climbs_are_earned),
        _with_rest_snapshots(a_withdrawn_book_makes_no_mark),
        a_connection_that_was_given_up_is_not_heard,
        _with_rest_snapshots(a_good_update_makes_a_mark),
        a_bad_book_keeps_its_manners,
        an_outage_stays_at_its_venue,
    )
)
