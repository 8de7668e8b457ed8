"""Following a settings file while a system runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from perps_actors.errors import PerpsActorsError, ReconfigureFailed, SettingsError
from perps_actors.settings import Change, Layers, Settings, SettingsFile, can_change
from perps_actors.settings.fields import all_fields
from perps_actors.settings.sections import SHORT_FORM

if TYPE_CHECKING:
    from perps_actors.feeds.reporter import Reporter


class Follower:
    """Reads a settings file periodically, on a thread of its own, and puts its changes in force.

    An unusable file changes nothing and is reported once, as `settings_refused`.
    """

    def __init__(
        self,
        file: SettingsFile,
        layers: Layers,
        *,
        now: Callable[[], Settings],
        reconfigure: Callable[[Settings], tuple[Change, ...]],
        report: Reporter,
        every_s: float,
    ) -> None:
        self._file = file
        self._layers = layers
        self._now = now
        self._reconfigure = reconfigure
        self._report = report
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"{now().name}-settings", daemon=True
        )

    def start(self) -> None:
        """Start to read the file."""
        self._thread.start()

    def look(self) -> tuple[Change, ...]:
        """Read the file once; return what changed."""
        try:
            table = self._file.look()
            return () if table is None else self._reconfigure(self._settings(table))
        except SettingsError as error:
            self._report.tell(
                "settings_refused",
                None,
                field=error.field,
                value=repr(error.value)[:300],
                why=error.why,
                place=error.place,
            )
        except ReconfigureFailed as error:
            self._report.tell(
                "settings_refused",
                None,
                field=None,
                value=None,
                why=str(error),
                place=str(self._file.path),
            )
        return ()

    def _settings(self, table: dict[str, Any]) -> Settings:
        self._layers = self._layers.renewed(str(self._file.path), table)
        return self._layers.over(_of_the_run(self._now(), table), "the running system").settings()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                self.look()
            except PerpsActorsError:
                return  # the system has ended

    def end(self, timeout_s: float) -> None:
        """Stop reading the file."""
        self._ended.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)


def _of_the_run(settings: Settings, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a file need not repeat: the markets, and all that cannot change."""
    table: dict[str, Any] = {}
    for field in all_fields():
        value = field.of(settings)
        fixed = field.name in ("symbols", "markets") or not can_change(field.name)
        of_one_market = field.name.partition(".")[0] in SHORT_FORM
        if value is None or value == () or not fixed:
            continue
        if of_one_market and settings.markets:
            continue
        if field.name == "markets" and given.keys() & set(SHORT_FORM):
            continue
        section, _, name = field.name.rpartition(".")
        (table.setdefault(section, {}) if section else table)[name] = (
            list(value) if isinstance(value, tuple) else value
        )
    return table
