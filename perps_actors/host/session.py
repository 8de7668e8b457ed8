"""A run from start to end: a system and the processes that serve its venues, if it needs any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import attrs

from perps_actors.errors import JournalError, SettingsError, StartFailed
from perps_actors.host.readings import SystemReport
from perps_actors.host.system import PerpsSystem
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import RUNGS
from perps_actors.market.numbers import plain
from perps_actors.settings import Layers, Settings, layers_of
from perps_actors.settings.fields import names
from perps_actors.simulator.process import VenueProcess


@attrs.frozen(kw_only=True)
class RunOptions:
    """The options of `perps-actors run`, and the environment."""

    config: Path | None = None
    markets: tuple[str, ...] = ()
    """Each `VENUE:SYM,SYM`; on a recording also `VENUE`, for all of its symbols."""
    venue: str | None = None
    symbols: tuple[str, ...] = ()
    source: str | None = None
    recordings: tuple[Path, ...] = ()
    """One for each market, in the order of the markets."""
    speed: float | None = None
    journal: Path | None = None
    environ: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Variables for settings; never shown, because it holds the secrets of every program."""

    def layers(self) -> Layers:
        """Return the layers of the file, the environment and the command line.

        Raises:
            SettingsError: an unusable file, variable or option, or options that exclude each other.
        """
        if self.speed is not None and not self.recordings:
            raise SettingsError(
                field="speed", value=self.speed, why="goes with --recording", place="--speed"
            )
        if self.source is not None and self.source not in RUNGS:
            why = f"expected one of {', '.join(RUNGS)}"
            raise SettingsError(field="source", value=self.source, why=why, place="--source")
        if self.markets and (self.venue is not None or self.symbols):
            why = "goes without --venue and --symbols, which stand for one market"
            raise SettingsError(field="market", value=self.markets[0], why=why, place="--market")
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
        if self.markets:
            table["markets"] = [_market(text) for text in self.markets]
        return table


def _market(text: str) -> dict[str, Any]:
    venue, _, symbols = text.partition(":")
    if not venue.strip():
        raise SettingsError(
            field="market", value=text, why="expected VENUE:SYM,SYM", place="--market"
        )
    return {"venue": venue.strip(), "symbols": names(symbols)}


class Session:
    """A system with the venue processes that it runs on, one for each market; none on live venues.

    A recording, or the synthetic venue that is used if no venue is named, is served on loopback by
    a process of its own. `open` starts all; `close` ends all and returns the summary.
    """

    def __init__(self, system: PerpsSystem, processes: Sequence[VenueProcess]) -> None:
        self.system = system
        self.processes = tuple(processes)

    @classmethod
    def open(cls, options: RunOptions) -> Self:
        """Start what the options ask for.

        Raises:
            SettingsError: an unusable option or setting, e.g. a file that cannot be the journal.
            SimulatorError: a venue's process does not start, e.g. for an unreadable recording.
            StartFailed: an actor did not start.
        """
        layers = options.layers()
        table = layers.table
        if not options.recordings and table.keys() & {"venue", "endpoints", "markets"}:
            if not table.keys() & {"symbols", "markets"}:
                why = "is required on a live venue, e.g. --symbols BTCUSDT,ETHUSDT"
                raise SettingsError(
                    field="symbols", value=None, why=why, place=layers.place_of("symbols")
                )
            return cls(_started(layers.settings(), layers, options), ())
        markets = _markets_to_serve(options, layers)
        # Refuse what can be known to be wrong before a process is started.
        anything = [{"venue": "any", "symbols": [f"any{n}"]} for n in range(len(markets))]
        _on_served(layers, [{**a, **m} for a, m in zip(anything, markets, strict=True)]).settings()
        processes: list[VenueProcess] = []
        try:
            for number, market in enumerate(markets):
                processes.append(_serve(options, number, market))
            served = [{**m, **_served(p)} for m, p in zip(markets, processes, strict=True)]
            layers = _on_served(layers, served)
            settings, provenance = layers.settings(), processes[0].provenance
            settings = attrs.evolve(
                settings,
                endpoints=None if settings.markets else processes[0].endpoints,
                provenance=provenance,
                lossless=provenance == "recording",
            )
            return cls(_started(settings, layers, options), processes)
        except BaseException:
            for process in processes:
                process.stop()
            raise

    @property
    def ended(self) -> str | None:
        """Why no more data come: `finished` (all recordings were sent) or `venue died`; or None."""
        if not self.processes:
            return None
        if all(process.finished.is_set() for process in self.processes):
            return "finished"
        running = all(process.running or process.finished.is_set() for process in self.processes)
        return None if running else "venue died"

    @property
    def progress(self) -> tuple[int, int] | None:
        """Frames of the recordings that were sent, and their total; None without a recording."""
        known = [process.progress for process in self.processes if process.progress is not None]
        if not known:
            return None
        return sum(sent for sent, _ in known), sum(total for _, total in known)

    def close(self, deadline_s: float = 10.0) -> dict[str, Any]:
        """Drain the system, end the processes, and return the summary of `run --json`."""
        report = self.system.drain(deadline_s)
        for process in self.processes:
            process.stop()
        return summary(self.system, report)

    def abort(self, deadline_s: float = 1.0) -> dict[str, Any]:
        """Stop ahead of what is queued, kill the processes, and return the summary."""
        report = self.system.stop(deadline_s)
        for process in self.processes:
            process.kill()
            process.stop()
        return summary(self.system, report)


def _started(settings: Settings, layers: Layers, options: RunOptions) -> PerpsSystem:
    """Start a system that follows its settings file."""
    try:
        system = PerpsSystem(settings)
        if options.config is not None:
            table, highest = options.given(), layers.layers[-1].table
            if "markets" in highest:
                # Served markets keep their addresses even if the file names markets.
                table["markets"] = highest["markets"]
            system.follow(options.config, environ=options.environ, table=table)
        return system.start()
    except StartFailed as error:
        if isinstance(error.__cause__, JournalError):
            place = layers.place_of("journal.path")
            path, why = settings.journal.path, str(error.__cause__)
            raise SettingsError(field="journal.path", value=path, why=why, place=place) from error
        raise


def key_of(system: PerpsSystem, instrument: InstrumentId) -> str:
    """Return an instrument's key in the summary: with its venue if there are several markets."""
    return str(instrument) if len(system.settings.markets) > 1 else instrument.symbol


def summary(system: PerpsSystem, report: SystemReport) -> dict[str, Any]:
    """Return the result of a run. `window` is the number of marks that are held now."""
    symbols = {}
    for instrument in system.instruments:
        mark, health = system.mark(instrument), system.health(instrument)
        symbols[key_of(system, instrument)] = {
            "marks": system.count(instrument),
            "window": len(system.window(instrument)),
            "last_mark": None if mark is None else plain(mark.mark),
            "health": None if health is None else health.health.value,
        }
    return {
        "venue": system.settings.venues,
        "symbols": symbols,
        "marks_total": sum(s["marks"] for s in symbols.values()),
        "events_recorded": system.journal().recorded,
        "events_dropped": system.dropped,
        "restarts": system.restarts,
        "threads_left": len(report.threads_left),
        "clean_stop": report.clean,
    }


def _markets_to_serve(options: RunOptions, layers: Layers) -> list[dict[str, Any]]:
    """Return the given settings of each market that a process is to serve."""
    table, recordings = layers.table, options.recordings
    if "markets" in table:
        markets = table["markets"]
        if not isinstance(markets, list) or any(not isinstance(m, dict) for m in markets):
            layers.settings()  # raises
        if len(markets) != len(recordings):
            why = f"expected one for each market, of which there are {len(markets)}"
            raise SettingsError(
                field="recording",
                value=[str(path) for path in recordings],
                why=why,
                place="--recording",
            )
        return [{name: m[name] for name in m if m[name] != []} for m in markets]
    single: dict[str, Any] = {name: table[name] for name in ("venue", "symbols") if name in table}
    if len(recordings) > 1 and single:
        name = next(iter(single))
        why = "goes with one recording; give each recording a --market"
        raise SettingsError(name, single[name], why, layers.place_of(name))
    return [dict(single) for _ in recordings or (None,)]


def _serve(options: RunOptions, number: int, market: dict[str, Any]) -> VenueProcess:
    arguments: list[str] = []
    if options.recordings:
        speed = 1.0 if options.speed is None else options.speed
        recording = str(options.recordings[number])
        arguments += ["--recording", recording, "--speed", str(speed), "--progress"]
    if "venue" in market:
        arguments += ["--venue", str(market["venue"])]
    if market.get("symbols"):
        arguments += ["--symbols", ",".join(market["symbols"])]
    return VenueProcess.start(*arguments)


def _served(process: VenueProcess) -> dict[str, Any]:
    return {
        "venue": process.venue,
        "symbols": list(process.symbols),
        "endpoints": attrs.asdict(process.endpoints),
        "provenance": process.provenance,
    }


def _on_served(layers: Layers, markets: list[dict[str, Any]]) -> Layers:
    """Return the layers with the markets that processes serve."""
    if "markets" in layers.table or len(markets) > 1:
        return layers.under({"markets": markets}, "venue")
    (market,) = markets
    return layers.over({name: market[name] for name in ("venue", "symbols")}, "venue")
