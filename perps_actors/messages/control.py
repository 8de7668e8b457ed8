"""Messages that steer actors: their periodic timer, and new settings while a system runs.

The host asks: an answer means that the settings are in force. An actor that dies restarts with
them.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from perps_actors.market.instrument import InstrumentId
from perps_actors.market.ladder import LadderPolicy
from perps_actors.trading.staleness import StalenessLimits


@attrs.frozen
class Tick:
    """A periodic timer of an actor.

    It goes ahead of data. The next one is set after this one was handled, so ticks never pile up.
    """

    control = True


@attrs.frozen(kw_only=True)
class StreamPlan:
    """What is streamed, and how."""

    symbols: tuple[str, ...]
    """All that have a ladder, also when nothing is streamed."""
    streaming: bool = True
    ladder: LadderPolicy = attrs.field(factory=LadderPolicy)
    silence_s: float = 20.0
    """A connection that brought nothing at all for so long is dead."""
    audit_s: float | None = None
    """How often each book is compared with one over REST; None: never."""
    aged: bool = True
    """Whether the lag of data counts; not in a recording, which may be played at any pace."""
    level: int = 1
    """Depth level that a host's own broker is asked for."""


@attrs.frozen
class SetStreams:
    """Follow this plan from now on.

    Other symbols change the connections that carry them; any other change opens all again.
    """

    control = True
    plan: StreamPlan


@attrs.frozen(kw_only=True)
class SetPolling:
    """Poll these symbols, at once and then at this interval; none: poll no more."""

    control = True
    symbols: tuple[str, ...]
    interval_s: float


@attrs.frozen(kw_only=True)
class SetRisk:
    """Watch these instruments, with these limits; a new one is armed now."""

    instruments: tuple[InstrumentId, ...]
    limits: StalenessLimits


@attrs.frozen(kw_only=True)
class SetWatch:
    """Judge the feeds of these instruments, by this limit."""

    instruments: Mapping[InstrumentId, str]
    """The name of the market of each."""
    limit_s: float


@attrs.frozen(kw_only=True)
class SetRecording:
    """Keep events by this policy."""

    linger_s: float
    block: int
    """Events that are written at once, without lingering."""
    rest_marks: bool
    """Whether polled marks are recorded."""
