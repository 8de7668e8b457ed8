"""A run from start to end: a system and, unless it runs on a live venue, the venue's process that it runs on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import attrs

from perps_actors.errors import JournalError, SettingsError, StartFailed
from perps_actors.host.readings import SystemReport
from perps_actors.host.system import PerpsSystem
from perps_actors.market.mark import RUNGS
from perps_actors.market.numbers import plain
from perps_actors.settings import Layers, Settings, layers_of
from perps_actors.simulator.process import VenueProcess


@attrs.frozen(kw_only=True)
class RunOptions:
    """What `perps-actors run` is told: each field is one of its options, but for the environment."""

    config: Path | None = None
    venue: str | None = None
    symbols: tuple[str, ...] = ()
    source: str | None = None
    recording: Path | None = None
    speed: float | None = None
    journal: Path | None = None
    environ: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Variables that settings may be read from; never shown, since it holds everybody's secrets."""

    def layers(self) -> Layers:
        """Return what the file, the environment and the command line give, each overriding the one before.

        Raises:
            SettingsError: the file or a variable cannot be used, or options that do not go together.
        """
        if self.speed is not None and self.recording is None:
            raise SettingsError(
                field="speed", value=self.speed, why="goes with --recording", place="--speed"
            )
        if self.source is not None and self.source not in RUNGS:
            raise SettingsError(
                field="source",
                value=self.source,
                why=f"expected one of {', '.join(RUNGS)}",
                place="--source",
            )
        return layers_of(
            file=self.config,
            environ=self.environ,
            table=self.given(),
            place="command line",
            file_from="--config",
        )

    def given(self) -> dict[str, Any]:
        """Return the settings that the command line gives."""
        table: dict[str, Any] = {}
        if self.source is not None:
            table["stream"] = {"source": self.source}
        if self.journal is not None:
            table["journal"] = {"path": str(self.journal)}
        if self.venue is not None:
            table["venue"] = self.venue
        if self.symbols:
            table["symbols"] = list(self.symbols)
        return table


class Session:
    """A system with what it runs on. `open` starts both; `close` ends both and returns the summary.

    On a live venue there is no process; a recording, or the synthetic venue that is used when no venue is named, is served by a
    process of its own on loopback.
    """

    def __init__(self, system: PerpsSystem, process: VenueProcess | None) -> None:
        self.system = system
        self.process = process

    @classmethod
    def open(cls, options: RunOptions) -> Self:
        """Start what the options ask for.

        Raises:
            SettingsError: an option or setting that cannot be used, e.g. a file that cannot be the journal.
            SimulatorError: the venue's process cannot be started, e.g. the recording cannot be read.
            StartFailed: an actor did not come up.
        """
        layers = options.layers()
        table = layers.table
        live = options.recording is None and ("venue" in table or "endpoints" in table)
        if live:
            if "symbols" not in table:
                why = "is required on a live venue, e.g. --symbols BTCUSDT,ETHUSDT"
                raise SettingsError(
                    field="symbols", value=None, why=why, place=layers.place_of("symbols")
                )
            return cls(_started(layers.settings(), layers, options), None)
        # All that can be known to be wrong is, before a process is started.
        layers.over({"symbols": ["any"]}, "venue").settings()
        process = _start_venue(options, table)
        try:
            return cls(_started(_settings_on(process, layers), layers, options), process)
        except BaseException:
            process.stop()
            raise

    @property
    def ended(self) -> str | None:
        """Why there is nothing more to come: `finished` (all of a recording was sent) or `venue died`; None while there is."""
        if self.process is None:
            return None
        if self.process.finished.is_set():
            return "finished"
        return None if self.process.running else "venue died"

    def close(self, deadline_s: float = 10.0) -> dict[str, Any]:
        """Drain the system, end the venue's process, and return the summary that `run --json` prints."""
        report = self.system.drain(deadline_s)
        if self.process is not None:
            self.process.stop()
        return summary(self.system, report)

    def abort(self, deadline_s: float = 1.0) -> dict[str, Any]:
        """Stop ahead of what is queued, kill the venue's process, and return the summary."""
        report = self.system.stop(deadline_s)
        if self.process is not None:
            self.process.kill()
            self.process.stop()
        return summary(self.system, report)


def _started(settings: Settings, layers: Layers, options: RunOptions) -> PerpsSystem:
    """Start a system that follows the settings file it is started with."""
    try:
        system = PerpsSystem(settings)
        if options.config is not None:
            system.follow(options.config, environ=options.environ, table=options.given())
        return system.start()
    except StartFailed as error:
        if isinstance(error.__cause__, JournalError):
            field, place = "journal.path", layers.place_of("journal.path")
            raise SettingsError(
                field, settings.journal.path, str(error.__cause__), place
            ) from error
        raise


def summary(system: PerpsSystem, report: SystemReport) -> dict[str, Any]:
    """Return what a run came to, as the command line's contract has it. `window` is how many marks are held now."""
    symbols = {}
    for symbol in system.settings.symbols:
        mark, health = system.mark(symbol), system.health(symbol)
        symbols[symbol] = {
            "marks": system.count(symbol),
            "window": len(system.window(symbol)),
            "last_mark": None if mark is None else plain(mark.mark),
            "health": None if health is None else health.health.value,
        }
    return {
        "venue": system.settings.venue,
        "symbols": symbols,
        "marks_total": sum(s["marks"] for s in symbols.values()),
        "events_recorded": system.journal().recorded,
        "events_dropped": system.dropped,
        "restarts": system.restarts,
        "threads_left": len(report.threads_left),
        "clean_stop": report.clean,
    }


def _start_venue(options: RunOptions, table: dict[str, Any]) -> VenueProcess:
    arguments: list[str] = []
    if options.recording is not None:
        arguments += [
            "--recording",
            str(options.recording),
            "--speed",
            str(1.0 if options.speed is None else options.speed),
            "--progress",
        ]
    if "venue" in table:
        arguments += ["--venue", str(table["venue"])]
    if table.get("symbols"):
        arguments += ["--symbols", ",".join(table["symbols"])]
    return VenueProcess.start(*arguments)


def _settings_on(process: VenueProcess, layers: Layers) -> Settings:
    settings = layers.over(
        {"venue": process.venue, "symbols": list(process.symbols)}, "venue"
    ).settings()
    return attrs.evolve(
        settings,
        endpoints=process.endpoints,
        provenance=process.provenance,
        lossless=process.provenance == "recording",
    )
