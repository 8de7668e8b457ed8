"""Settings of a system: frozen, validated, composed of what each room needs; from code or from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
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
        _refuse(instance, attribute, value, "must name at least one symbol, none blank or with blanks around it")
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
    patience_s: float = attrs.field(default=5.0, validator=_above_zero)
    """How long the speaking source may be silent while a lower one has news."""
    climb_after: int = attrs.field(default=5, validator=_above_zero)
    """Good updates of a failed source before it speaks again."""
    silence_s: float = attrs.field(default=20.0, validator=_above_zero)
    """A connection that brought nothing at all, not even a pong, for so long is dead."""


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
            raise SettingsError(field="stale_hard_s", value=self.stale_hard_s, why=why, place=type(self).__name__)

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


def read_settings(path: Path | str) -> dict[str, Any]:
    """Return the table in a TOML file, for `settings_from`.

    Raises:
        SettingsError: the file cannot be read or is no TOML.
    """
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise SettingsError(field="config", value=str(path), why=error.strerror or str(error), place="--config") from error
    except (ValueError, RecursionError) as error:  # also text that is no UTF-8
        raise SettingsError(field="config", value=str(path), why=f"is no TOML: {error}", place="--config") from error


def settings_from(table: Mapping[str, Any], place: str) -> Settings:
    """Return the settings in a table, e.g. of a TOML file.

    Args:
        table: fields of `Settings`; what is absent keeps its default.
        place: where the table came from, for errors.

    Raises:
        SettingsError: an unknown field, or a value of the wrong type or out of range.
    """
    # Here, because hosts that give settings in code need not load it.
    from cattrs import BaseValidationError, Converter  # noqa: PLC0415

    converter = Converter(forbid_extra_keys=True)
    for kind in (int, float, bool, str):
        converter.register_structure_hook(kind, _exactly)
    converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _texts)
    # Whether it is one of the values allowed is the field's own validator's to say.
    converter.register_structure_hook_func(lambda kind: kind in (Source, Provenance), lambda value, _: value)
    try:
        return converter.structure(dict(table), Settings)
    except SettingsError as error:
        raise SettingsError(error.field, error.value, _why(error), place) from error
    except BaseValidationError as error:
        field, cause = next(_leaves(error, ""))
        if isinstance(cause, SettingsError):
            name = f"{field}.{cause.field}" if field and not field.endswith(cause.field) else field or cause.field
            raise SettingsError(name, cause.value, _why(cause), place) from error
        why = "is missing" if isinstance(cause, KeyError) else str(cause)
        raise SettingsError(field or str(cause).strip("'"), _value_at(table, field), why, place) from error


def _exactly(value: object, kind: Any) -> Any:
    """Take a value of just this type, or a whole number for a float: `"5"` is no number and `1` is no truth value."""
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    msg = f"expected {kind.__name__}, was {type(value).__name__}"
    raise TypeError(msg)


def _texts(value: object, _: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or any(type(text) is not str for text in value):
        msg = "expected a list of strings"
        raise TypeError(msg)
    return tuple(value)


def _why(error: SettingsError) -> str:
    return str(error).split(": ", 2)[-1]


def _leaves(error: BaseException, path: str) -> Iterator[tuple[str, BaseException]]:
    """Yield the causes in a nested validation error, each with the dotted field it is about."""
    names = [note.name for note in getattr(error, "__notes__", ()) if hasattr(note, "name")]
    here = ".".join(filter(None, (path, *names)))
    extra = getattr(error, "extra_fields", None)
    if extra:
        yield ".".join(filter(None, (here, min(extra)))), TypeError("is no setting")
    elif isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner, here)
    else:
        yield here, error


def _value_at(table: Mapping[str, Any], field: str) -> Any:
    value: Any = table
    for name in field.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value
