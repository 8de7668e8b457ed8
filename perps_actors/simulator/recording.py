"""A recording folder: its frames by stream, and its REST answers."""

from __future__ import annotations

import base64
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs
import msgspec

from perps_actors.errors import SimulatorError
from perps_actors.simulator.venues import VenueSide, side_of

_DATED: Final = re.compile(
    r"[-_]\d{6,8}(?:\D|$)|-\d{1,2}[A-Z]{3}\d{2}(?:-|$)|^F[IF]_|[A-Z][FGHJKMNQUVXZ]\d{2}$", re.ASCII
)
"""Dated symbols: BTCUSDT_210924, BTC-USD-260327, BTC-26DEC25, FI_XBTUSD_210924, XBTU21."""
_RAW_NAMES: Final = ("raw.jsonl.gz", "raw.jsonl")


DEFAULT_VENUE: Final = "binance_futures"
"""Venue that is served when neither an option nor `meta.json` names one."""


class _Line(msgspec.Struct):
    dir: str
    data: str
    url: str = ""
    t: float | None = None
    enc: str | None = None


class _Meta(msgspec.Struct):
    venue: str | None = None
    symbols: list[str] = []
    perpetuals: list[str] = []


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One recorded frame."""

    line: int
    """Number of its line in the file, from 0."""
    due_s: float
    """Seconds since the first frame."""
    stream: str
    data: bytes


class RecordedAnswer(msgspec.Struct, frozen=True, gc=False):
    """One recorded REST answer."""

    line: int
    body: bytes


@attrs.frozen
class Recording:
    """The content of a recording, in memory.

    Attributes:
        side: server side of its venue.
        frames: frames by stream, in the order of the file.
        answers: REST answers by the key of their request, in the order of the file.
        snapshot_lines: line of the first recorded book snapshot, by symbol.
        symbols: all symbols.
        perpetuals: perpetual symbols: of `meta.json`, else by their names; all if there are none.
    """

    side: VenueSide
    frames: dict[str, list[Frame]]
    answers: dict[tuple[str, ...], list[RecordedAnswer]]
    snapshot_lines: dict[str, int]
    symbols: tuple[str, ...]
    perpetuals: tuple[str, ...]


def read_recording(folder: Path, venue: str | None = None) -> Recording:
    """Read a recording: `raw.jsonl.gz` or `raw.jsonl`, and `meta.json` if it exists.

    Args:
        folder: the recording's folder.
        venue: venue of a recording without `meta.json`; None: `DEFAULT_VENUE`.

    Raises:
        SimulatorError: the recording cannot be read; names the file, the line and the cause.
    """
    meta = _read_meta(folder)
    named = venue or meta.venue or DEFAULT_VENUE
    side = side_of(named, "" if venue else f"{folder / 'meta.json'}: ")
    if meta.venue is not None and meta.venue != side.name:
        msg = f"venue = {side.name!r}: {folder / 'meta.json'} is a recording of {meta.venue!r}"
        raise SimulatorError(msg)
    frames: dict[str, list[Frame]] = {}
    answers: dict[tuple[str, ...], list[RecordedAnswer]] = {}
    snapshot_lines: dict[str, int] = {}
    first_t = latest_t = None
    for number, line, data in _lines(folder):
        if line.dir == "ws":
            latest_t = line.t if line.t is not None else latest_t
            first_t = latest_t if first_t is None else first_t
            stream = side.streams.stream_of(data)
            if stream is not None:
                frames.setdefault(stream, []).append(
                    Frame(number, (latest_t or 0) - (first_t or 0), stream, data)
                )
        elif line.dir == "http":
            url = urlsplit(line.url)
            answers.setdefault(side.rest.request_key(url.path, url.query), []).append(
                RecordedAnswer(number, data)
            )
            symbol = side.rest.snapshot_symbol(url.path, url.query)
            if symbol is not None:
                snapshot_lines.setdefault(symbol, number)
    if latest_t is not None and not frames and venue is None and meta.venue is None:
        msg = (
            f"{folder / 'meta.json'}: venue: not found, and no frame is one of {DEFAULT_VENUE};"
            " add the file, or name the venue with --venue"
        )
        raise SimulatorError(msg)
    symbols = tuple(meta.symbols) or tuple(
        sorted({side.streams.symbol_of(stream) for stream in frames})
    )
    perpetuals = (
        tuple(meta.perpetuals)
        or tuple(symbol for symbol in symbols if not _DATED.search(symbol))
        or symbols
    )
    return Recording(side, frames, answers, snapshot_lines, symbols, perpetuals)


def _bytes(line: _Line) -> bytes:
    return (
        base64.b64decode(line.data, validate=True) if line.enc == "base64" else line.data.encode()
    )


def _read_meta(folder: Path) -> _Meta:
    path = folder / "meta.json"
    try:
        return msgspec.json.decode(path.read_text(encoding="utf-8-sig"), type=_Meta)
    except FileNotFoundError:
        return _Meta()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise SimulatorError(msg) from error


def _lines(folder: Path) -> Iterator[tuple[int, _Line, bytes]]:
    path = next((folder / name for name in _RAW_NAMES if (folder / name).is_file()), None)
    if path is None:
        problem = "" if folder.is_dir() else "not a folder, "
        msg = (
            f"recording = {str(folder)!r}: {problem}expected a folder"
            f" with {' or '.join(_RAW_NAMES)}"
        )
        raise SimulatorError(msg)
    number, decode = 0, msgspec.json.Decoder(_Line).decode
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, text in enumerate(file):
                if text.strip():
                    line = decode(text)
                    yield number, line, _bytes(line)
    except (OSError, EOFError, zlib.error, msgspec.DecodeError, ValueError) as error:
        msg = f"{path}: line {number}: cannot be read: {error}"
        raise SimulatorError(msg) from error
