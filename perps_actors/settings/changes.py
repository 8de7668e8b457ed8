"""What differs between two settings, and which of it can change while a system runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from perps_actors.errors import SettingsError
from perps_actors.settings.fields import all_fields
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
"""Sections and settings that can change while a system runs; all others need a new one."""


@attrs.frozen
class Change:
    """A setting that differs."""

    field: str
    """Dotted name, e.g. `stream.level`."""
    before: Any
    after: Any


def changes_between(old: Settings, new: Settings) -> tuple[Change, ...]:
    """Return every setting that differs, in the order of the classes.

    If one of them names several markets, their markets are compared in place of the short form.
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
    """Tell whether a setting can change while a system runs."""
    return field in CHANGEABLE or field.rpartition(".")[0] in CHANGEABLE


def refuse_unchangeable(changes: Iterable[Change], place: str) -> None:
    """Let changes pass that a running system can take.

    Args:
        changes: what is asked for.
        place: where it was asked for, for the error.

    Raises:
        SettingsError: one that needs a new system; names the first.
    """
    for change in changes:
        if not can_change(change.field):
            why = f"cannot change while a system runs, was {change.before!r}: needs a new system"
            raise SettingsError(change.field, change.after, why, place)
