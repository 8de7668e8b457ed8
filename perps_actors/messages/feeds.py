"""Messages about feeds: from connections to the consumer, from there to the market monitor."""

from __future__ import annotations

from typing import ClassVar

import attrs
import msgspec

from perps_actors.kernel.address import Answer
from perps_actors.kernel.messages import Batch
from perps_actors.market.feed_state import Judgement
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import HttpAnswer, HttpRequest


@attrs.frozen
class ConnectionOpened:
    """A connection's handshake is done."""

    control = True
    connection: str
    session: int
    """Number of the attempt: what a connection that was given up still says is ignored."""


_set = msgspec.structs.force_setattr


class FramesArrived(Batch, frozen=True, gc=False):
    """Raw data frames of one read of a socket, in order."""

    items_field: ClassVar[str] = "frames"
    connection: str
    session: int
    frames: tuple[bytes, ...]
    received_ns: int
    monotonic_ns: int
    held_bytes: int = 0
    """Bytes of all frames together, which the gate bounds. Counted here."""

    def __post_init__(self) -> None:
        # An item that is no frame is for its handler to find out, not for the thread that tells it.
        try:
            held_bytes = sum(map(len, self.frames))
        except TypeError:
            return
        _set(self, "held_bytes", held_bytes)


@attrs.frozen
class ConnectionClosed:
    """A connection ended. Not control: the frames that came before it are handled first."""

    connection: str
    session: int
    reason: str
    error: bool


@attrs.frozen
class AnswerArrived:
    """A REST request was answered, or failed."""

    answer: HttpAnswer


@attrs.frozen
class Reconnect:
    """Open a connection (again); `session` is the attempt it replaces."""

    control = True
    connection: str
    session: int


@attrs.frozen
class CloseSources:
    """Ask the venue nothing more, close all connections and open none again.

    `done` is settled once each connection has sent all it had read, and its end.
    """

    control = True
    done: Answer


@attrs.frozen
class MakeRequest:
    """Make a REST request that was put off."""

    control = True
    request: HttpRequest


@attrs.frozen
class FeedHeard:
    """A connection brought data; sent at most once a second for each connection."""

    market: str
    """Name of the market, e.g. `bybit`."""
    connection: str
    monotonic_ns: int


@attrs.frozen
class FeedDown:
    """A connection is gone."""

    market: str
    """Name of the market, e.g. `bybit`."""
    connection: str
    cause: str
    symbols: tuple[str, ...] = ()
    """The symbols that it carried; none: all of the market."""
    ended: bool = False
    """Whether it was closed because a recording was sent to its end."""


@attrs.frozen
class FeedGone:
    """A connection was closed because settings changed; no data are missing."""

    market: str
    """Name of the market, e.g. `bybit`."""
    connection: str


@attrs.frozen
class BookSuspect:
    """A book was withdrawn and is being resynchronised."""

    instrument: InstrumentId
    cause: str


@attrs.frozen
class GetFeedHealth:
    """Ask the market monitor for the health of all feeds; the answer is a `FeedHealth`."""


@attrs.frozen
class FeedHealth:
    """Health by instrument."""

    judged_ns: int
    """Monotonic time of the judgement; 0 before the first."""
    judgements: tuple[tuple[InstrumentId, Judgement], ...]


@attrs.frozen
class GetTops:
    """Ask the consumer for the best levels of its good books; the answer is a `Tops`."""


@attrs.frozen
class Tops:
    """Best bid and ask of each good book."""

    tops: tuple[tuple[InstrumentId, tuple[tuple[str, str], tuple[str, str]]], ...]
    """By instrument: (price, size) of best bid and of best ask, as the venue writes them."""


@attrs.frozen
class GetStreamStatistics:
    """Ask the consumer for its counters; the answer is a `StreamStatistics`."""


@attrs.frozen(kw_only=True)
class StreamStatistics:
    """Counters of one venue's streams."""

    frames: int
    invalid_inputs: int
    """Input that could not be used."""
    reconnects: int
    rungs: tuple[tuple[InstrumentId, str], ...]
    """The rung each instrument stands on."""
    last_invalid_input: str | None


@attrs.frozen
class PollNow:
    """Make all requests now that are not under way."""


@attrs.frozen
class GetPollStatistics:
    """Ask the poller for its counters; the answer is a `PollStatistics`."""


@attrs.frozen
class PollStatistics:
    """Counters of one venue's polls."""

    polls: int
    """Requests made."""
    failures: int
    """Requests without a usable answer."""
    rejected: int
    """Rows that could not be used."""
    last_failure: str | None
