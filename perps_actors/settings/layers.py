"""The places of settings; the later wins: defaults, file, environment, code or command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import attrs

from perps_actors.errors import SettingsError
from perps_actors.settings.environment import PLACE as ENVIRONMENT
from perps_actors.settings.environment import table_of, values_in
from perps_actors.settings.sections import SHORT_FORM, Settings
from perps_actors.settings.toml import read_settings, settings_from


@attrs.frozen
class Layer:
    """The settings that one place gives."""

    table: Mapping[str, Any]
    place: str
    """A file, the environment, the command line or a call; for errors."""
    places: Mapping[str, str] = attrs.field(factory=dict)
    """By dotted name, for settings with a place of their own: their variable."""

    def place_of(self, name: str) -> str | None:
        """Return where a setting, or any of a section, was given; None if not here."""
        inner: Any = self.table
        for part in name.split("."):
            if not isinstance(inner, Mapping) or part not in inner:
                return None
            inner = inner[part]
        own = (
            place
            for field, place in self.places.items()
            if field == name or field.startswith(f"{name}.")
        )
        return next(own, self.place)


@attrs.frozen
class Layers:
    """The settings of all places, lowest first: a later one wins, field by field."""

    layers: tuple[Layer, ...]

    @property
    def table(self) -> dict[str, Any]:
        """The values that win, as a table for `settings_from`.

        Markets win over a single market in the layers below.

        Raises:
            SettingsError: a section that is no table.
        """
        table: dict[str, Any] = {}
        for number, layer in enumerate(self.layers):
            if "markets" in layer.table:
                table = {name: table[name] for name in table if name not in SHORT_FORM}
            for name, value in layer.table.items():
                before = table.get(name, {})
                if not isinstance(value, Mapping):
                    table[name] = value
                elif isinstance(before, Mapping):
                    table[name] = {**before, **value}
                else:
                    place = Layers(self.layers[:number]).place_of(name)
                    raise SettingsError(
                        field=name, value=before, why="expected a table", place=place
                    )
        return table

    def settings(self) -> Settings:
        """Return the settings.

        Raises:
            SettingsError: an unusable setting; its place is the variable, file or call that gave
                it.
        """
        table = self.table
        try:
            return settings_from(table, "")
        except SettingsError as error:
            raise SettingsError(
                error.field, error.value, error.why, self.place_of(error.field)
            ) from error

    def place_of(self, field: str) -> str:
        """Return where a setting was given; else where its section was; else all places."""
        field = field.partition("[")[0]
        for name in (field, field.rpartition(".")[0]):
            for layer in reversed(self.layers):
                if name and (place := layer.place_of(name)):
                    return place
        return ", ".join(layer.place for layer in self.layers)

    def over(self, table: Mapping[str, Any], place: str) -> Self:
        """Return these layers over another lowest one, e.g. of what the venue says of itself."""
        return attrs.evolve(self, layers=(Layer(table, place), *self.layers))

    def under(self, table: Mapping[str, Any], place: str) -> Self:
        """Return these layers under another highest one."""
        return attrs.evolve(self, layers=(*self.layers, Layer(table, place)))

    def renewed(self, place: str, table: Mapping[str, Any]) -> Self:
        """Return these layers with a new table from one place, e.g. a file that changed."""
        return attrs.evolve(
            self,
            layers=tuple(
                Layer(table, place) if layer.place == place else layer for layer in self.layers
            ),
        )


def layers_of(
    *,
    file: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
    table: Mapping[str, Any] | None = None,
    place: str = "code",
    file_from: str = "file",
) -> Layers:
    """Return the layers of a file, the environment, and code or a command line, in this order.

    Args:
        file: a TOML file; its layer has the file's name as place.
        environ: variables, e.g. `os.environ`; None: none are read.
        table: fields of `Settings`.
        place: the place of `table`, for errors.
        file_from: the option that named the file, for errors if it cannot be read.

    Raises:
        SettingsError: the file cannot be read, or a variable cannot be used.
    """
    layers = [] if file is None else [Layer(read_settings(file, file_from), str(file))]
    if environ is not None:
        found = values_in(environ)
        layers.append(
            Layer(
                table_of(found),
                ENVIRONMENT,
                {name: variable for name, (_, variable) in found.items()},
            )
        )
    layers.append(Layer(table or {}, place))
    return Layers(tuple(layers))


def settings_of(
    *,
    file: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
    table: Mapping[str, Any] | None = None,
    place: str = "code",
) -> Settings:
    """Return the settings of a file, the environment and code; a later one wins, field by field.

    ```python
    settings_of(file="perps.toml", environ=os.environ, table={"symbols": ["BTCUSDT"]})
    ```

    Args:
        file: a TOML file.
        environ: variables, e.g. `os.environ`; None: none are read.
        table: fields of `Settings`.
        place: the place of `table`, for errors.

    Raises:
        SettingsError: an unusable setting; names field, value, reason, and the variable, file or
            call that gave it.
    """
    return layers_of(file=file, environ=environ, table=table, place=place).settings()
