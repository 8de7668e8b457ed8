"""Faults on a schedule: what goes wrong with a served venue, when and for how long. Pure; the server asks what holds now."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args

import attrs

from perps_actors.errors import SimulatorError

Kind = Literal["drop_connection", "silence", "garbage", "gap", "refuse_rest"]
"""
`drop_connection`: every connection is cut without a close frame, and new ones are refused meanwhile;
`silence`: nothing is sent, not even an answer to a ping, and what was due comes afterwards;
`garbage`: bytes that are no message come between the frames;
`gap`: changes of books are left out;
`refuse_rest`: requests are answered with 429 and Retry-After.
"""

_LONGEST_S: Final = 86_400.0


@attrs.frozen
class Fault:
    """One fault: `do` from `at_s` on, for `for_s` seconds, counted from the start of the venue."""

    at_s: float
    do: Kind
    for_s: float


class FaultPlan:
    """All faults of one run."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._faults = tuple(sorted(faults, key=lambda fault: fault.at_s))

    def remaining_s(self, kind: Kind, elapsed_s: float) -> float:
        """Return for how many seconds a kind of fault still holds, through faults that follow without a pause; 0 while it does not."""
        end = elapsed_s
        for fault in self._faults:
            if fault.do == kind and fault.at_s <= end:
                end = max(end, fault.at_s + fault.for_s)
        return end - elapsed_s

    def starts_s(self, kind: Kind) -> list[float]:
        """Return when faults of a kind start, in order."""
        return [fault.at_s for fault in self._faults if fault.do == kind]


def read_faults(path: Path) -> FaultPlan:
    """Read a plan: a list of `{"at_s": 5, "do": "gap", "for_s": 3}`, bare (JSON) or under `faults` (JSON, and TOML by its suffix).

    Raises:
        SimulatorError: names file, place, field and value.
    """
    try:
        text = path.read_text(encoding="utf-8")
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
