"""Our adapter playing a recording: frames as bytes to events, with whole books. One JSON object at the end.

Usage: python -m benchmarks.our_decode FOLDER CPU_SECONDS
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.playing import Heard, Line, Recording, Stopwatch, recording, show
from perps_actors.market.events import BookTop, Trade
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput, Outcome, StreamAdapter, Venue
from perps_actors.venues.registry import venue

ALL_LEVELS = 1_000_000

Step = tuple[HttpRequest | None, str, bytes, int]
"""The request that is answered, or the connection of a frame; data, and when it came."""


def _steps(known: Venue, lines: Iterable[Line]) -> Iterator[Step]:
    rest = known.rest(known.endpoints)
    for line in lines:
        request = None if line.is_frame else rest.request_for(line.url)
        if request is None or request.purpose == "depth":
            yield (
                request,
                line.connection,
                line.text.encode(),
                round(line.received_s * 1_000_000_000),
            )


def _play(stream: StreamAdapter, steps: Sequence[Step]) -> Iterator[Sequence[Outcome]]:
    for request, connection, data, received_ns in steps:
        yield (
            stream.frame(connection, data, received_ns)
            if request is None
            else stream.answer(request, 200, data, received_ns)
        )


def _heard(stream: StreamAdapter, played: Recording, steps: Sequence[Step]) -> Heard:
    heard = Heard()
    for outcome in (outcome for outcomes in _play(stream, steps) for outcome in outcomes):
        assert not isinstance(outcome, InvalidInput), outcome.what
        heard.books += isinstance(outcome, BookTop)
        if isinstance(outcome, Trade):
            heard.backlog += outcome.backlog
            heard.trades += not outcome.backlog
    heard.levels = sum(
        len(side) for symbol in played.symbols for side in stream.depth(symbol, ALL_LEVELS)
    )
    return heard


def main(folder: str, cpu_s: str) -> None:
    """Play the recording over and over, each time with an adapter that knows nothing."""
    played, watch = recording(Path(folder)), Stopwatch()
    known = venue(played.venue)
    steps = tuple(_steps(known, played.lines))
    heard = _heard(known.stream(known.endpoints), played, steps)
    while watch.cpu_s < float(cpu_s):
        stream = known.stream(known.endpoints)
        stream.plan(played.symbols)
        with watch:
            deque(_play(stream, steps), maxlen=0)
    show(played, watch, heard)


main(*sys.argv[1:])
