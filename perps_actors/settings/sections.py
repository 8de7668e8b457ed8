"""The settings: frozen, validated, one class a section, composed of what each room needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import attrs

from perps_actors.errors import SettingsError
from perps_actors.market.mark import RUNGS, Provenance, Source
from perps_actors.trading.staleness import StalenessLimits
from perps_actors.venues.contract import Endpoints


def _refuse(instance: object, attribute: attrs.Attribute[Any], value: object, why: str) -> None:
    raise SettingsError(attribute.name, value, why, type(instance).__name__)


def _above_zero(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 < value < float("inf"):
        _refuse(instance, attribute, value, "must be above zero and finite")


def _one_of(*values: str) -> Callable[[object, attrs.Attribute[Any], object], None]:
    def check(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value not in values:
            _refuse(instance, attribute, value, f"expected one of {', '.join(values)}")

    return check


def _not_blank(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    if not value or any(not symbol or symbol != symbol.strip() for symbol in value):
        _refuse(
            instance,
            attribute,
            value,
            "must name at least one symbol, none blank or with blanks around it",
        )
    if len(set(value)) != len(value):
        _refuse(instance, attribute, value, "names a symbol twice")


@attrs.frozen(kw_only=True)
class MarkSettings:
    """Windows: `max(short, long) + 5` marks are kept of each instrument."""

    short: int = attrs.field(default=5, validator=_above_zero)
    long: int = attrs.field(default=20, validator=_above_zero)


@attrs.frozen(kw_only=True)
class StreamSettings:
    """Streams and the ladder of sources."""

    enabled: bool = True
    source: Source = attrs.field(default="book", validator=_one_of(*RUNGS))
    """The rung to start at: `book`, `touch`, `trades` or `rest`; rungs above it are not used."""
    level: int = attrs.field(default=1, validator=_above_zero)
    """Depth level a host's own broker is asked for; venues stream what `source` needs."""
    patience_s: float = attrs.field(default=5.0, validator=_above_zero)
    """How long the speaking source may be silent while a lower one has news."""
    climb_after: int = attrs.field(default=5, validator=_above_zero)
    """Good updates of a failed source before it speaks again."""
    silence_s: float = attrs.field(default=20.0, validator=_above_zero)
    """A connection that brought nothing at all, not even a pong, for so long is dead."""
    audit_s: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(_above_zero)
    )
    """How often each book is compared with a fresh one over REST; None: never."""


@attrs.frozen(kw_only=True)
class PollSettings:
    """Polling of quotes beside the streams."""

    enabled: bool = True
    interval_s: float = attrs.field(default=5.0, validator=_above_zero)


@attrs.frozen(kw_only=True)
class RiskSettings:
    """Age of marks, in seconds: told beyond the soft limit, nothing opened beyond the hard one."""

    stale_soft_s: float = attrs.field(default=180.0, validator=_above_zero)
    stale_hard_s: float = attrs.field(default=360.0, validator=_above_zero)

    def __attrs_post_init__(self) -> None:
        """Check the limits against each other."""
        if self.stale_hard_s < self.stale_soft_s:
            why = f"must not be below stale_soft_s = {self.stale_soft_s}"
            raise SettingsError(
                field="stale_hard_s", value=self.stale_hard_s, why=why, place=type(self).__name__
            )

    @property
    def limits(self) -> StalenessLimits:
        """The limits as the risk rule takes them."""
        return StalenessLimits(soft_s=self.stale_soft_s, hard_s=self.stale_hard_s)


@attrs.frozen(kw_only=True)
class MonitorSettings:
    """Feed health: after how many seconds without a mark a feed is no longer live."""

    limit_s: float = attrs.field(default=5.0, validator=_above_zero)


@attrs.frozen(kw_only=True)
class JournalSettings:
    """The journal of events."""

    path: str | None = None
    """File of the journal; None: events are counted and not kept."""
    linger_s: float = attrs.field(default=0.02, validator=_above_zero)
    block: int = attrs.field(default=1_000, validator=_above_zero)
    rest_marks: bool = False
    """Whether polled marks are recorded, as `rest_mark_update`."""


@attrs.frozen(kw_only=True)
class SupervisionSettings:
    """When an actor that dies is given up, and when one counts as hung."""

    intensity: int = attrs.field(default=5, validator=_above_zero)
    """Deaths of one actor within the period that are forgiven."""
    period_s: float = attrs.field(default=30.0, validator=_above_zero)
    hang_after_s: float = attrs.field(default=30.0, validator=_above_zero)
    """A handler that takes longer is taken for hung: its actor is fenced and replaced."""
    look_every_s: float = attrs.field(default=1.0, validator=_above_zero)
    """How often it is looked for handlers that hang."""


@attrs.frozen(kw_only=True)
class Settings:
    """Everything a system needs to know.

    Raises:
        SettingsError: a value that cannot be used; names field, value and place.
    """

    venue: str = "binance_futures"
    symbols: tuple[str, ...] = attrs.field(validator=_not_blank)
    """In the venue's own spelling, e.g. `BTCUSDT`."""
    provenance: Provenance = attrs.field(default="live", validator=_one_of(*get_args(Provenance)))
    """What kind of market the venue's addresses lead to."""
    endpoints: Endpoints | None = None
    """Addresses of a simulator; None: the venue's own."""
    lossless: bool = False
    """Stop reading while the inside is full, instead of conflating (recordings, replay, tests)."""
    seed: int = 0
    """Of the randomness in pauses between attempts."""
    marks: MarkSettings = MarkSettings()
    stream: StreamSettings = StreamSettings()
    poll: PollSettings = PollSettings()
    risk: RiskSettings = RiskSettings()
    monitor: MonitorSettings = MonitorSettings()
    journal: JournalSettings = JournalSettings()
    supervision: SupervisionSettings = SupervisionSettings()
