"""Settings from environment variables: `PERPS_<FIELD>` and `PERPS_<SECTION>_<FIELD>`.

Callers pass the environment; this module never looks at `os.environ`. Some variables of the systems
that this library replaces are still read (`perps_actors.settings.originals`); the variable of a
setting's own name wins over them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_origin

import attrs

from perps_actors.errors import SettingsError
from perps_actors.settings.fields import Field, all_fields, names, number, truth, whole
from perps_actors.settings.originals import STILL_READ, is_not_read

PREFIX = "PERPS_"
PLACE = "environment"

NEVER = ("provenance", "endpoints", "lossless", "live", "market", "markets")
"""Never read from the environment, wherever the word stands in a name.

The kind of market and live orders have to be stated on purpose; markets are tables.
"""

_READERS: dict[Any, Callable[[str], Any]] = {
    bool: truth,
    int: whole,
    float: number,
    str: lambda text: text,
    tuple[str, ...]: names,
}
_SECRET = ("KEY", "SECRET", "TOKEN", "PASS", "CREDENTIAL")


def variable_of(field: Field) -> str | None:
    """Return the variable that gives a setting; None if none does."""
    name = PREFIX + field.name.upper().replace(".", "_")
    return None if _is_never_given(name) else name


def table_from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the table that variables give, for `settings_from`.

    Lists are separated by commas; truth values are 1, true, yes, on and 0, false, no, off in any
    case. A blank variable counts as not set. Of other programs' variables only those in
    `originals` are read.

    Raises:
        SettingsError: an unknown variable that begins with `PERPS_`, or an unusable value; names
            variable, value and why.
    """
    return table_of(values_in(environ))


def table_of(found: Mapping[str, tuple[Any, str]]) -> dict[str, Any]:
    """Return the table that values by dotted name make."""
    table: dict[str, Any] = {}
    for name, (value, _) in found.items():
        *sections, field = name.split(".")
        inner = table
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[field] = value
    return table


def values_in(environ: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    """Return the value and the variable it came from, by the dotted name of the setting.

    Raises:
        SettingsError: as `table_from_environment`.
    """
    own = {variable: field for field in all_fields() if (variable := variable_of(field))}
    readings = [
        _Reading(original.variable, original.gives, original.read) for original in STILL_READ
    ]
    readings += [
        _Reading(variable, (field.name,), _reader_of(field)) for variable, field in own.items()
    ]
    known = {reading.variable for reading in readings}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known and not is_not_read(variable):
            raise SettingsError(
                variable, _shown(variable, environ[variable]), _why_not(variable), PLACE
            )
    fields = {field.name: field for field in all_fields()}
    found: dict[str, tuple[Any, str]] = {}
    for reading in readings:
        text = environ.get(reading.variable, "")
        if text.strip():
            for name, value in reading.values(text).items():
                fields[name].check(value, reading.variable)
                found[name] = (value, reading.variable)
    return found


@attrs.frozen
class _Reading:
    variable: str
    gives: tuple[str, ...]
    read: Callable[[str], dict[str, Any]]

    def values(self, text: str) -> dict[str, Any]:
        try:
            return self.read(text)
        except ValueError as error:
            raise SettingsError(
                " and ".join(self.gives), text, str(error), self.variable
            ) from error


def _reader_of(field: Field) -> Callable[[str], dict[str, Any]]:
    # The validator of the field checks whether the text is one of the allowed values.
    read = _READERS[str if get_origin(field.kind) is Literal else field.kind]
    return lambda text: {field.name: read(text)}


def _is_never_given(variable: str) -> bool:
    return not set(NEVER).isdisjoint(variable.lower().split("_"))


def _why_not(variable: str) -> str:
    return "is never taken from the environment" if _is_never_given(variable) else "is no setting"


def _shown(variable: str, text: str) -> str:
    # An unknown variable may belong to another program and hold a secret.
    return "***" if any(word in variable for word in _SECRET) else text
