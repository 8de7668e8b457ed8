"""Every single setting by its dotted name, derived from the classes: what variables, changes and documents are made of."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

import attrs

from perps_actors.errors import SettingsError
from perps_actors.settings.sections import Settings


@attrs.frozen
class Field:
    """One setting that holds a value, not a section."""

    name: str
    """Dotted, e.g. `marks.long` or `symbols`."""
    kind: Any
    """Type of its values, other than None."""
    _attribute: attrs.Attribute[Any]

    def check(self, value: object, place: str) -> None:
        """Hold a value of the right type against the field's own rule.

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
        """Return its value; None also where its section is None."""
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
