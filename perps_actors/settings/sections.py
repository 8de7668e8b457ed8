"""The settings: frozen, validated, one class a section, composed of what each room needs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, get_args

import attrs

from perps_actors.errors import SettingsError
from perps_actors.market.instrument import InstrumentId
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


def _is_name(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    if not value or not value.isprintable() or value != value.strip() or len(value) > 64:
        _refuse(
            instance, attribute, value, "must be 1 to 64 printable characters, no blank at an end"
        )


def _symbols_of_one_market(
    instance: Any, attribute: attrs.Attribute[Any], value: tuple[str, ...]
) -> None:
    if value or instance is None or not instance.markets:
        _not_blank(instance, attribute, value)


def _absolute(path: str | None) -> str | None:
    return path if path is None else str(os.path.abspath(path))  # noqa: PTH100 - text, not a Path


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

    path: str | None = attrs.field(default=None, converter=_absolute)
    """File of the journal; None: events are counted and not kept.

    A relative path is resolved when the settings are made, so that a later change of the working
    directory does not change its meaning.
    """
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


HOST_BROKER = "host_broker"
"""The venue's name of every market whose data come from a broker object of the host."""

SHORT_FORM = ("venue", "symbols", "endpoints")
"""The settings that describe one market without `markets`."""

BOTH_FORMS = "goes with one market; `markets` name their own venue, symbols and endpoints"


@attrs.frozen
class Market:
    """A venue and the symbols to follow there. A field that is None takes the system's setting.

    Raises:
        SettingsError: a value that cannot be used; names field, value and place.
    """

    venue: str
    symbols: tuple[str, ...] = attrs.field(validator=_not_blank)
    """In the venue's own spelling, e.g. `BTCUSDT`."""
    account: str | None = None
    """Name of the account to trade with; none is needed for market data."""
    endpoints: Endpoints | None = None
    """Addresses of a simulator; None: the venue's own."""
    stream: StreamSettings | None = None
    poll: PollSettings | None = None
    provenance: Provenance | None = attrs.field(
        default=None, validator=attrs.validators.optional(_one_of(*get_args(Provenance)))
    )
    broker: Any = attrs.field(default=None, repr=False)
    """The host's own broker object in place of a venue; the venue's name is then `host_broker`."""

    @property
    def instruments(self) -> tuple[InstrumentId, ...]:
        """Return the identities of its symbols."""
        return tuple(InstrumentId(self.venue, symbol) for symbol in self.symbols)


@attrs.frozen(kw_only=True)
class Settings:
    """Everything a system needs to know.

    `venue` and `symbols` describe one market; `markets` describes several.

    Raises:
        SettingsError: a value that cannot be used; names field, value and place.
    """

    name: str = attrs.field(default="perps", validator=_is_name)
    """Name of the system in its events, log records, thread names and statistics."""
    venue: str = "binance_futures"
    symbols: tuple[str, ...] = attrs.field(default=(), validator=_symbols_of_one_market)
    """In the venue's own spelling, e.g. `BTCUSDT`."""
    markets: tuple[Market, ...] = ()
    """Several markets, in place of `venue`, `symbols` and `endpoints`."""
    provenance: Provenance = attrs.field(default="live", validator=_one_of(*get_args(Provenance)))
    """Kind of market that the venue's addresses lead to."""
    endpoints: Endpoints | None = None
    """Addresses of a simulator; None: the venue's own."""
    lossless: bool = False
    """Stop reading while inboxes are full, instead of conflating (recordings, replay, tests)."""
    seed: int = 0
    """Seed of the randomness in pauses between attempts."""
    marks: MarkSettings = MarkSettings()
    stream: StreamSettings = StreamSettings()
    poll: PollSettings = PollSettings()
    risk: RiskSettings = RiskSettings()
    monitor: MonitorSettings = MonitorSettings()
    journal: JournalSettings = JournalSettings()
    supervision: SupervisionSettings = SupervisionSettings()

    def __attrs_post_init__(self) -> None:
        """Check that one of the two forms is used, and that no instrument is named twice."""
        if not self.markets:
            return
        fields = attrs.fields(Settings)
        for name in SHORT_FORM:
            value = getattr(self, name)
            if value != getattr(fields, name).default:
                _refuse(self, getattr(fields, name), value, BOTH_FORMS)
        seen: dict[InstrumentId, str] = {}
        for name, market in self.resolved().items():
            for instrument in market.instruments:
                if instrument in seen:
                    why = f"{seen[instrument]} and {name} both have {instrument}"
                    _refuse(self, fields.markets, str(instrument), why)
                seen[instrument] = name

    def as_markets(self) -> tuple[Market, ...]:
        """Return the markets as they were given, also if the short form was used."""
        return self.markets or (Market(self.venue, self.symbols, endpoints=self.endpoints),)

    def resolved(self) -> dict[str, Market]:
        """Return each market by its name, with the system's settings in place of None.

        The name is that of the venue. A second market of a venue has its account or a number in its
        name too, because actors, events of connections and health are kept apart by it.
        """
        given = self.as_markets()
        named: dict[str, Market] = {}
        for market in given:
            venue = market.venue if market.broker is None else HOST_BROKER
            names = [venue, *([f"{venue}-{market.account}"] if market.account else [])]
            names += [f"{venue}-{number}" for number in range(2, len(given) + 1)]
            named[next(name for name in names if name not in named)] = attrs.evolve(
                market,
                venue=venue,
                stream=market.stream if market.stream is not None else self.stream,
                poll=market.poll if market.poll is not None else self.poll,
                provenance=market.provenance or self.provenance,
            )
        return named

    @property
    def instruments(self) -> dict[InstrumentId, str]:
        """Return the name of the market of every instrument."""
        return {
            instrument: name
            for name, market in self.resolved().items()
            for instrument in market.instruments
        }

    @property
    def venues(self) -> str:
        """Return the names of the venues, joined by commas, each once."""
        return ",".join(dict.fromkeys(market.venue for market in self.resolved().values()))
