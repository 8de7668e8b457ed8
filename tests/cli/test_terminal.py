"""`perps-actors run` and `decode` on a terminal."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cli.test_run import children_of

PROGRAM = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches the program
from perps_actors.cli.main import main
main()
"""
LIMIT_S = 30
OWN_SCREEN, BACK = "\x1b[?1049h", "\x1b[?1049l"
CURSOR_HIDDEN, CURSOR_SHOWN = "\x1b[?25l", "\x1b[?25h"
TOUCH = (
    '{"e":"bookTicker","s":"BTCUSDT","b":"1.50","B":"2","a":"1.60","A":"1",'
    '"T":1700000000001,"E":1700000000020}'
)


class Terminal:
    """A command on a terminal of its own."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 80,
        lines: int = 24,
        piped: bool = False,
        **variables: str,
    ) -> None:
        self._ours, theirs = pty.openpty()
        self.said = ""
        self.resize(columns, lines)
        environ = {
            name: value
            for name, value in os.environ.items()
            if name not in {"NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR"}
        }
        self.child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdin=theirs,
            stdout=subprocess.DEVNULL if piped else theirs,
            stderr=theirs,
            env={**environ, "TERM": "xterm-256color", **variables},
            start_new_session=True,
        )
        os.close(theirs)

    def resize(self, columns: int, lines: int) -> None:
        termios.tcsetwinsize(self._ours, (lines, columns))

    def press_ctrl_c(self) -> None:
        os.write(self._ours, b"\x03")

    def wait_for(self, pattern: str) -> str:
        """Wait until the output matches; return all output so far, and forget it."""
        end = time.monotonic() + LIMIT_S
        while not re.search(pattern, self.said, re.DOTALL):
            assert time.monotonic() < end, f"no {pattern!r} in {self.said[-3000:]!r}"
            assert self._read(), f"ended without {pattern!r}: {self.said[-3000:]!r}"
        said, self.said = self.said, ""
        return said

    def finish(self) -> tuple[int, str]:
        """Wait until the command ends; return its exit code and the remaining output."""
        while self._read():
            pass
        return self.child.wait(LIMIT_S), self.said

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], LIMIT_S)[0]:
            return False
        try:
            said = os.read(self._ours, 65_536)
        except OSError:
            return False  # the command has closed the terminal
        self.said += said.decode(errors="replace")
        return bool(said)

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        os.close(self._ours)


@pytest.fixture
def on_terminal() -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def make(*arguments: str, **options) -> Terminal:
        made.append(Terminal(*arguments, **options))
        return made[-1]

    yield make
    for terminal in made:
        terminal.close()


def test_the_live_table_uses_the_alternate_screen_and_restores_the_terminal(on_terminal) -> None:
    terminal = on_terminal("run")
    said = terminal.wait_for(r"BTCUSDT +\d.*25/25.*\x1b\[32m +live")
    assert said.index(OWN_SCREEN) < said.index("symbol")
    assert CURSOR_HIDDEN in said
    terminal.press_ctrl_c()
    code, said = terminal.finish()
    assert code == 130
    shown, after = said.split(BACK)
    assert CURSOR_SHOWN in shown
    assert OWN_SCREEN not in after
    assert "symbol" in after
    assert re.search(r"stop +clean", after)


def test_the_spread_of_the_book_is_shown_in_basis_points(on_terminal) -> None:
    terminal = on_terminal("run")
    terminal.wait_for(r"BTCUSDT +\S+ +book +\S+ +\S+ +0\.\d\d +25/25")


def test_with_no_color_the_health_is_readable_and_nothing_is_coloured(on_terminal) -> None:
    terminal = on_terminal("run", NO_COLOR="1")
    said = terminal.wait_for(r"25/25 +\S+ +live")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7][;m]", said)


def test_a_dumb_terminal_gets_lines_without_escape_sequences(
    on_terminal,
) -> None:
    terminal = on_terminal("run", "--duration", "1", TERM="dumb")
    code, said = terminal.finish()
    assert code == 0
    assert "symbol        mark  source" in said
    assert "\x1b" not in said


def test_a_terminal_that_becomes_narrower_shows_fewer_columns(on_terminal) -> None:
    terminal = on_terminal("run")
    terminal.wait_for(r"venue mark +bp +window")
    terminal.resize(60, 12)
    terminal.wait_for(r"symbol +mark +source +age +bp +marks/s +health")


def test_a_second_ctrl_c_stops_at_once_and_restores_the_terminal(on_terminal) -> None:
    terminal = on_terminal("run")
    terminal.wait_for(r"25/25")
    [venue] = children_of(terminal.child.pid)
    os.kill(venue, signal.SIGSTOP)
    terminal.press_ctrl_c()
    said = terminal.wait_for(re.escape(BACK))
    terminal.press_ctrl_c()
    code, after = terminal.finish()
    assert code == 130
    assert "interrupted again, stopping at once" in after
    assert CURSOR_SHOWN in said + after


def test_json_draws_nothing_even_on_a_terminal(on_terminal) -> None:
    terminal = on_terminal("run", "--json", "--duration", "0.5")
    code, said = terminal.finish()
    assert code == 0
    assert "\x1b" not in said
    assert json.loads(said)["clean_stop"] is True


@pytest.fixture
def recording(tmp_path):
    """Twenty seconds of best prices, gzipped."""
    folder = tmp_path / "recording"
    folder.mkdir()
    template = (
        '{"stream":"ausdt@bookTicker","data":{"e":"bookTicker","u":1,"s":"AUSDT",'
        '"b":"%d","B":"1","a":"200","A":"1","E":%d}}'
    )
    with gzip.open(folder / "raw.jsonl.gz", "wt", compresslevel=1) as file:
        for n in range(2_000):
            line = {
                "t": 1.7e9 + n / 100,
                "conn": "ws-1",
                "dir": "ws",
                "url": "wss://v",
                "data": template % (100 + n % 50, n),
            }
            file.write(json.dumps(line) + "\n")
    return folder


def test_a_recording_shows_its_progress_in_the_table_or_on_a_bar_if_output_is_piped(
    on_terminal, recording
) -> None:
    arguments = ("run", "--recording", str(recording), "--source", "touch")
    table, bar = on_terminal(*arguments), on_terminal(*arguments, piped=True)
    table.wait_for(r"recording \[[#-]+\] +\d+%  [\d,]+ of 2,000 frames")
    said = bar.wait_for(r"\rrecording \[[#-]+\] +\d+%  [\d,]+ of 2,000 frames")
    assert OWN_SCREEN not in said


def test_decoding_into_a_pipe_shows_a_bar_and_erases_it_at_the_end(on_terminal, tmp_path) -> None:
    path = tmp_path / "raw.jsonl.gz"
    line = json.dumps({"t": 1, "conn": "ws-1", "dir": "ws", "url": "wss://x", "data": TOUCH})
    with gzip.open(path, "wt", compresslevel=0) as file:
        file.write((line + "\n") * 20_000)
    code, said = on_terminal("decode", "binance_futures", str(path), piped=True).finish()
    assert code == 0
    assert re.search(rf"decoding \[[#-]+\] +\d+%  [\d,]+ of {path.stat().st_size:,} bytes", said)
    assert said.rsplit("\r", 2)[1].isspace()


def test_events_printed_on_the_terminal_are_not_mixed_with_a_bar(on_terminal, tmp_path) -> None:
    path = tmp_path / "raw.jsonl"
    path.write_text(
        (json.dumps({"t": 1, "conn": "ws-1", "dir": "ws", "url": "wss://x", "data": TOUCH}) + "\n")
        * 600
    )
    code, said = on_terminal("decode", "binance_futures", str(path)).finish()
    assert (code, said.count("\n")) == (0, 600)
    assert all(line.startswith("{") for line in said.splitlines())
