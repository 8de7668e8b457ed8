"""Planned faults of a served venue: what goes wrong, when and for how long."""

from __future__ import annotations

import asyncio
import json
import math
import random
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args

import attrs

from perps_actors.errors import SimulatorError
from perps_actors.kernel.clock import Clock

Kind = Literal["drop_connection", "silence", "garbage", "gap", "refuse_rest"]
"""
`drop_connection`: every connection is cut without a close frame, and new ones are refused;
`silence`: nothing is sent, not even pongs; delayed frames follow at its end;
`garbage`: random bytes or torn frames are sent between the frames;
`gap`: book deltas are left out;
`refuse_rest`: requests are answered with 429 and Retry-After.
"""

_LONGEST_S: Final = 86_400.0


@attrs.frozen
class Fault:
    """One fault: `do` from `at_s` after the start of the venue for `for_s` seconds."""

    at_s: float
    do: Kind
    for_s: float


class FaultPlan:
    """All faults of one run."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._faults = tuple(sorted(faults, key=lambda fault: fault.at_s))

    def remaining_s(self, kind: Kind, elapsed_s: float) -> float:
        """Return the seconds left of a kind of fault, adjacent faults included; 0 if inactive."""
        end = elapsed_s
        for fault in self._faults:
            if fault.do == kind and fault.at_s <= end:
                end = max(end, fault.at_s + fault.for_s)
        return end - elapsed_s

    def starts_s(self, kind: Kind) -> list[float]:
        """Return the starts of a kind of fault, in order."""
        return [fault.at_s for fault in self._faults if fault.do == kind]


class ActiveFaults:
    """The faults that are active now; garbage is drawn from a seed."""

    def __init__(self, plan: FaultPlan, clock: Clock, seed: int) -> None:
        self._plan = plan
        self._clock = clock
        self._started_ns = clock.monotonic_ns()
        self._rng = random.Random(seed)  # noqa: S311 - noise, not a secret

    def remaining_s(self, kind: Kind) -> float:
        """Return the seconds left of a kind of fault; 0 if inactive."""
        return self._plan.remaining_s(kind, self._elapsed_s())

    async def silence(self) -> None:
        """Wait until no silence is active; always give the loop's other tasks a turn."""
        await asyncio.sleep(self.remaining_s("silence"))

    def garbage(self, frame: bytes) -> bytes | None:
        """Return noise or a piece of the frame to send before it; None without such a fault."""
        if self.remaining_s("garbage") <= 0:
            return None
        return (
            self._rng.randbytes(40)
            if self._rng.random() < 0.5
            else frame[: self._rng.randrange(len(frame))]
        )

    async def each(self, kind: Kind) -> None:
        """Wait for the next start of a kind of fault; forever if there is none."""
        elapsed = self._elapsed_s()
        coming = [start for start in self._plan.starts_s(kind) if start > elapsed]
        await asyncio.sleep(coming[0] - elapsed if coming else math.inf)

    def _elapsed_s(self) -> float:
        return (self._clock.monotonic_ns() - self._started_ns) / 1e9


def read_faults(path: Path) -> FaultPlan:
    """Read a plan: a list of `{"at_s": 5, "do": "gap", "for_s": 3}`.

    JSON has the list alone or under `faults`; TOML (by the file's suffix) has it under `faults`.

    Raises:
        SimulatorError: the file cannot be used; names file, place, field and value.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path}: faults cannot be read: {error}"
        raise SimulatorError(msg) from error
    listed = document.get("faults") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        msg = f"{path}: faults = {_short(listed)}: expected a list"
        raise SimulatorError(msg)
    return FaultPlan(
        [_fault(entry, f"{path}: faults[{place}]") for place, entry in enumerate(listed)]
    )


def _fault(entry: Any, place: str) -> Fault:
    if not isinstance(entry, dict):
        msg = f"{place} = {_short(entry)}: expected an object with at_s, do and for_s"
        raise SimulatorError(msg)
    for name in entry.keys() - {"at_s", "do", "for_s"}:
        msg = f"{place}.{name} = {_short(entry[name])}: unknown field, expected at_s, do, for_s"
        raise SimulatorError(msg)
    if entry.get("do") not in get_args(Kind):
        msg = f"{place}.do = {_short(entry.get('do'))}: expected one of {', '.join(get_args(Kind))}"
        raise SimulatorError(msg)
    return Fault(
        _seconds(entry.get("at_s"), f"{place}.at_s"),
        entry["do"],
        _seconds(entry.get("for_s", 0), f"{place}.for_s"),
    )


def _seconds(value: Any, place: str) -> float:
    if type(value) not in (int, float) or not 0 <= value <= _LONGEST_S:
        msg = f"{place} = {_short(value)}: expected seconds from 0 to {_LONGEST_S:.0f}"
        raise SimulatorError(msg)
    return float(value)


def _short(value: Any) -> str:
    return repr(value)[:60]
