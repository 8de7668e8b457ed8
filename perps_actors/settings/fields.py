"""Every setting by its dotted name: how text is read, and which can change while running."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

import attrs

from perps_actors.errors import SettingsError
from perps_actors.market.numbers import decimal_text
from perps_actors.settings.sections import SHORT_FORM, Settings

CHANGEABLE = (
    "symbols",
    "markets",
    "marks",
    "stream",
    "poll",
    "risk",
    "monitor",
    "journal.linger_s",
    "journal.block",
    "journal.rest_marks",
)
"""Sections and settings that can change while a system runs; all others need a new system."""

YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"0", "false", "no", "off"})

_WHOLE = re.compile(r"-?\d{1,30}", re.ASCII)


@attrs.frozen
class Field:
    """One setting that holds a value, not a section."""

    name: str
    """Dotted, e.g. `marks.long` or `symbols`."""
    kind: Any
    """Type of its values, other than None."""
    _attribute: attrs.Attribute[Any]

    def check(self, value: object, place: str) -> None:
        """Check a value of the right type with the validator of the setting.

        Raises:
            SettingsError: it is out of range.
        """
        if self._attribute.validator is None:
            return
        try:
            self._attribute.validator(None, self._attribute, value)
        except SettingsError as error:
            raise SettingsError(self.name, value, error.why, place) from error

    def of(self, settings: Settings) -> Any:
        """Return its value; None also if its section is None."""
        value: Any = settings
        for name in self.name.split("."):
            value = getattr(value, name, None)
        return value


@functools.cache
def all_fields() -> tuple[Field, ...]:
    """Return every setting, in the order of the classes."""
    return tuple(_fields_of(Settings, ""))


def _fields_of(section: type[attrs.AttrsInstance], prefix: str) -> Iterator[Field]:
    kinds = get_type_hints(section)
    for attribute in attrs.fields(section):
        kind, name = _without_none(kinds[attribute.name]), f"{prefix}{attribute.name}"
        if attrs.has(kind):
            yield from _fields_of(kind, f"{name}.")
        else:
            yield Field(name, kind, attribute)


def _without_none(kind: Any) -> Any:
    if not isinstance(kind, UnionType):
        return kind
    [given] = (member for member in get_args(kind) if member is not NoneType)
    return given


# --- values from text; each function raises a ValueError that says what it expected


def truth(text: str, yes: frozenset[str] = YES) -> bool:
    """Return the truth value of a word in any case."""
    word = text.strip().lower()
    if word not in yes and word not in NO:
        msg = f"expected one of {', '.join(sorted(yes))} or {', '.join(sorted(NO))}"
        raise ValueError(msg)
    return word in yes


def whole(text: str) -> int:
    """Return a whole number of at most 30 ASCII digits."""
    if _WHOLE.fullmatch(text.strip()) is None:
        msg = "expected a whole number"
        raise ValueError(msg)
    return int(text)


def number(text: str) -> float:
    """Return a number within the limits of `perps_actors.market.numbers`."""
    return float(decimal_text(text.strip()))


def names(text: str, separators: str = ",") -> list[str]:
    """Return the names in a list, without blanks around them and without empty names."""
    return [name for part in re.split(f"[{separators}]", text) if (name := part.strip())]


# --- changes


@attrs.frozen
class Change:
    """A setting that differs."""

    field: str
    """Dotted name, e.g. `stream.level`."""
    before: Any
    after: Any


def changes_between(old: Settings, new: Settings) -> tuple[Change, ...]:
    """Return every setting that differs, in the order of the classes.

    If one of the two names several markets, markets are compared in place of the short form.
    """
    changes = []
    for field in all_fields():
        before, after = field.of(old), field.of(new)
        if old.markets or new.markets:
            if field.name.partition(".")[0] in SHORT_FORM:
                continue
            if field.name == "markets":
                before, after = old.as_markets(), new.as_markets()
        if before != after:
            changes.append(Change(field.name, before, after))
    return tuple(changes)


def can_change(field: str) -> bool:
    """Return whether a setting can change while a system runs."""
    return field in CHANGEABLE or field.rpartition(".")[0] in CHANGEABLE


def refuse_unchangeable(changes: Iterable[Change], place: str) -> None:
    """Do nothing if a running system can take all changes.

    Args:
        changes: the wanted changes.
        place: where they were wanted, for the error.

    Raises:
        SettingsError: a change that needs a new system; names the first.
    """
    for change in changes:
        if not can_change(change.field):
            why = f"cannot change while a system runs, was {change.before!r}: needs a new system"
            raise SettingsError(change.field, change.after, why, place)
