"""A recording in memory, and the time that plays of it take.

Imports the standard library only, because peers run it in an environment of their own.
"""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self


class Line(NamedTuple):
    """A WebSocket frame, or the answer to a REST request."""

    is_frame: bool
    connection: str
    url: str
    text: str
    received_s: float
    """0 if the recording does not say."""


@dataclass(frozen=True)
class Recording:
    """The lines that a venue sent, in order of arrival."""

    venue: str
    symbols: tuple[str, ...]
    lines: tuple[Line, ...]


def recording(folder: Path) -> Recording:
    """Read a recording."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    with gzip.open(folder / "raw.jsonl.gz", "rt", encoding="utf-8") as raw:
        lines = [json.loads(text) for text in raw]
    return Recording(
        meta["venue"],
        tuple(meta["symbols"]),
        tuple(_line(line) for line in lines if line["dir"] in ("ws", "http")),
    )


def _line(line: dict[str, Any]) -> Line:
    return Line(
        line["dir"] == "ws", line["conn"], line["url"] or "", line["data"], line["t"] or 0.0
    )


class Stopwatch:
    """Sums the CPU time that the process spends in its `with` blocks, one block per play."""

    def __init__(self) -> None:
        self.plays = 0
        self.cpu_s = 0.0
        self._since = 0.0

    def __enter__(self) -> Self:
        self._since = time.process_time()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cpu_s += time.process_time() - self._since
        self.plays += 1


@dataclass
class Heard:
    """What one side decoded in one play."""

    books: int = 0
    """Updates of books."""
    trades: int = 0
    backlog: int = 0
    """Trades made before the subscription."""
    levels: int = 0
    """Levels of all books at the end."""


def show(played: Recording, watch: Stopwatch, heard: Heard) -> None:
    """Print the JSON object that the other process reads."""
    frames = sum(line.is_frame for line in played.lines)
    print(json.dumps({"count": frames * watch.plays, "cpu": watch.cpu_s, "heard": vars(heard)}))
