"""Settings from TOML files and tables. An error names the first invalid field."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from perps_actors.errors import SettingsError
from perps_actors.market.mark import Provenance, Source
from perps_actors.settings.sections import BOTH_FORMS, SHORT_FORM, Market, Settings


def read_settings(path: Path | str, place: str = "--config") -> dict[str, Any]:
    """Return the table in a TOML file, for `settings_from`.

    Args:
        path: the file.
        place: what named it, for errors.

    Raises:
        SettingsError: the file cannot be read or is no TOML.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(
            field="config", value=str(path), why=error.strerror or str(error), place=place
        ) from error
    return parsed(content, path, place)


def parsed(content: bytes, path: Path | str, place: str) -> dict[str, Any]:
    """Return the table in the content of a TOML file.

    Raises:
        SettingsError: it is no TOML.
    """
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # also text that is no UTF-8
        raise SettingsError(
            field="config", value=str(path), why=f"is no TOML: {error}", place=place
        ) from error
    if "market" in table:  # one `[[market]]` describes one of the `markets`
        table["markets"] = table.pop("market")
    return table


def settings_from(table: Mapping[str, Any], place: str) -> Settings:
    """Return the settings in a table, e.g. of a TOML file.

    Args:
        table: fields of `Settings`; an absent field keeps its default.
        place: where the table came from, for errors.

    Raises:
        SettingsError: an unknown field, or a value of the wrong type or out of range.
    """
    _check_form(table, place)
    # Imported here, because hosts that give settings in code need not load it.
    from cattrs import BaseValidationError, Converter  # noqa: PLC0415
    from cattrs.gen import make_dict_structure_fn, override  # noqa: PLC0415

    converter = Converter(forbid_extra_keys=True)
    for kind in (int, float, bool, str):
        converter.register_structure_hook(kind, _exactly)
    converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _texts)
    # A broker is an object: no file can hold it.
    market = make_dict_structure_fn(
        Market, converter, _cattrs_forbid_extra_keys=True, broker=override(omit=True)
    )
    converter.register_structure_hook(
        Market, lambda value, kind: value if isinstance(value, Market) else market(value, kind)
    )
    # The validator of the field checks whether it is one of the allowed values.
    converter.register_structure_hook_func(
        lambda kind: kind in (Source, Provenance), lambda value, _: value
    )
    try:
        return converter.structure(dict(table), Settings)
    except SettingsError as error:
        raise SettingsError(error.field, error.value, error.why, place) from error
    except BaseValidationError as error:
        field, cause = next(_leaves(error, ""))
        if isinstance(cause, SettingsError):
            name = field if field.endswith(cause.field) else f"{field}.{cause.field}".lstrip(".")
            raise SettingsError(name, cause.value, cause.why, place) from error
        why = "is missing" if isinstance(cause, KeyError) else str(cause)
        raise SettingsError(
            field or str(cause).strip("'"), _value_at(table, field), why, place
        ) from error


def _check_form(table: Mapping[str, Any], place: str) -> None:
    if "markets" not in table:
        if "symbols" not in table:
            raise SettingsError(field="symbols", value=None, why="is missing", place=place)
        return
    for name in SHORT_FORM:
        if name in table:
            raise SettingsError(field=name, value=table[name], why=BOTH_FORMS, place=place)
    if not isinstance(table["markets"], list | tuple):
        why = "expected a list of tables, [[market]]"
        raise SettingsError(field="markets", value=table["markets"], why=why, place=place)


def _exactly(value: object, kind: Any) -> Any:
    """Return a value of exactly this type, or a whole number for a float.

    `"5"` is no number and `1` is no truth value.
    """
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


def _leaves(error: BaseException, path: str) -> Iterator[tuple[str, BaseException]]:
    """Yield the causes in a nested validation error, each with its dotted field."""
    here = path
    for note in getattr(error, "__notes__", ()):
        if hasattr(note, "name"):
            here = f"{here}.{note.name}" if here else note.name
        elif hasattr(note, "index"):
            here = f"{here}[{note.index}]"
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
    for name in re.findall(r"[^.\[\]]+", field):
        try:
            value = value[int(name) if isinstance(value, list | tuple) else name]
        except (LookupError, TypeError, ValueError):
            return None
    return value


class SettingsFile:
    """A settings file that is read again and again.

    Its whole content is compared each time, because two writes within a tick of the file system's
    clock leave the same time and may leave the same size. A file that is gone or empty is being
    replaced, which is not a change.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        # Relative paths in the file keep the meaning that they had when it was first read.
        self._folder = Path.cwd()
        self._seen: bytes | str | None = None

    def look(self) -> dict[str, Any] | None:
        """Return the file's table, or None if it did not change since the last look.

        Raises:
            SettingsError: it cannot be read, or is no TOML; raised once, until it changes again.
        """
        now = self._now()
        if now is None or now == self._seen:
            return None
        self._seen = now
        if isinstance(now, str):
            raise SettingsError(field="config", value=str(self.path), why=now, place=str(self.path))
        table = parsed(now, self.path, str(self.path))
        journal = table.get("journal")
        if isinstance(journal, dict) and isinstance(journal.get("path"), str):
            journal["path"] = str(self._folder / journal["path"])
        return table

    def _now(self) -> bytes | str | None:
        """Return its content, or why it cannot be read; None while it is gone or empty."""
        try:
            content = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return error.strerror or str(error)
        return content if content.strip() else None
