"""The documentation is true: its programs and commands run and print what it says.

Python blocks are pasted into a REPL line by line, as a reader does.
"""

from __future__ import annotations

import code
import contextlib
import io
import os
import re
import shlex
import signal
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import attrs
import click
import pytest
from click.testing import CliRunner

from docs.make_reference import DOCS, REFERENCE, events_section, reference
from docs.make_venues import PAGE as VENUES_PAGE
from docs.make_venues import page as venues_page
from docs.reported_events import ReportedKind, UnreadableKindError, reported_kinds
from perps_actors.cli.main import main as commands
from perps_actors.host.logging import WARNINGS
from perps_actors.simulator.process import VenueProcess
from perps_actors.venues import registry

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
    if path != REFERENCE
)
ENDLESS = {"--follow", "--venue"}
"""Options of commands that run forever or need the internet; these are only parsed."""

Block = tuple[str, str]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in order: language and text."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def pages_with(*languages: str) -> list[Path]:
    return [page for page in PAGES if any(language in languages for language, _ in blocks(page))]


# --- programs and commands


LIVE_VENUES = ("binance_futures", "bybit")
"""Venues that the pages use as if they were live."""


@pytest.fixture(scope="module")
def simulated_venues() -> Iterator[dict[str, VenueProcess]]:
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(VenueProcess.start("--venue", name)) for name in LIVE_VENUES
        }


@pytest.fixture
def workspace(simulated_venues, monkeypatch, tmp_path) -> None:
    """Give an empty folder, no settings in the environment, simulated venues as the live ones."""
    monkeypatch.chdir(tmp_path)
    for name in [
        name
        for name in os.environ
        if name.startswith("PERPS_") and not name.startswith("PERPS_ACTORS_")
    ]:
        monkeypatch.delenv(name)
    for name, process in simulated_venues.items():
        simulated = attrs.evolve(registry.venue(name), endpoints=process.endpoints)
        monkeypatch.setattr(f"perps_actors.venues.{name}.VENUE", simulated)


class Reader:
    """Does what a page says, block after block."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self._console = code.InteractiveConsole({"__name__": "__main__"})
        self._printed = ""

    def read(self) -> None:
        for language, text in blocks(self._page):
            match language:
                case "python":
                    self._paste(text)
                case "sh":
                    outputs = map(output_of, text.splitlines())
                    self._printed = "".join(output for output in outputs if output is not None)
                case "toml":
                    write_named_file(text)
                case "text":
                    assert_printed(self._printed, text)

    def _paste(self, text: str) -> None:
        """Push a block into the console line by line, then Enter, as a paste at a prompt does."""
        out, err = io.StringIO(), io.StringIO()
        more = False
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.MonkeyPatch.context() as patch,
        ):
            # A prompt also shows the values of expressions; the pages show printed lines only.
            patch.setattr(sys, "displayhook", lambda _value: None)
            for line in [*text.splitlines(), ""]:
                more = self._console.push(line)
                assert not err.getvalue(), f"{text}\n{err.getvalue()}"
        assert not more, f"the block does not end:\n{text}"
        self._printed = out.getvalue()


def write_named_file(text: str) -> None:
    """Write a file whose name stands in its first line."""
    if name := re.match(r"# ([\w.]+\.toml)\n", text):
        Path(name[1]).write_text(text)


def assert_printed(printed: str, shown: str) -> None:
    """Compare the output with what a page shows: … is any text, a blank is any number of them."""
    pattern = r"\s+".join(
        r".*?".join(re.escape(part) for part in word.split("…")) for word in shown.split()
    )
    assert re.fullmatch(rf"\s*{pattern}\s*", printed, re.DOTALL), printed


def words(line: str) -> tuple[dict[str, str], list[str]]:
    """Return the variables that a command line sets, and its other words."""
    parts = shlex.split(line, comments=True)
    setting = [part for part in parts if re.match(r"[A-Z_]+=", part)]
    # `make run ARGS=...` sets its variables last.
    return dict(part.split("=", 1) for part in setting), [
        part for part in parts if part not in setting
    ]


def output_of(line: str) -> str | None:
    """Run a command of ours that ends by itself and return its output; None for all others."""
    variables, (program, *arguments) = words(line)
    if program != "perps-actors" or arguments[0] == "simulate" or ENDLESS & set(arguments):
        return None
    if arguments[0] == "run" and not {"--recording", "--duration"} & set(arguments):
        return None
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        done = CliRunner().invoke(commands, arguments, env=variables)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("page", pages_with("python", "text"), ids=name_of)
def test_the_programs_on_a_page_can_be_pasted_and_print_what_it_shows(page) -> None:
    Reader(page).read()


def test_a_page_that_shows_another_output_is_noticed() -> None:
    assert_printed("a  1.5 b\n", "a … b\n")
    with pytest.raises(AssertionError):
        assert_printed("a 1.5 c", "a … b")


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("for _ in ():\n    pass\nprint()", "SyntaxError"),
        ("class A:\n    a = 1\n\n    b = 2", "IndentationError"),
        ("1 / 0", "ZeroDivisionError"),
        ("print((1,", "does not end"),
    ],
)
def test_a_block_that_breaks_when_pasted_is_noticed(tmp_path, block, why) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```python\n{block}\n```\n")
    with pytest.raises(AssertionError, match=why):
        Reader(page).read()


@pytest.mark.parametrize("page", pages_with("sh"), ids=name_of)
def test_the_commands_on_a_page_exist(page) -> None:
    for line in (
        line for language, text in blocks(page) if language == "sh" for line in text.splitlines()
    ):
        assert_exists(line)


def assert_exists(line: str) -> None:
    _, (program, *arguments) = words(line)
    match program, arguments:
        case "perps-actors", [name, *options]:
            command = commands.commands[name]
            with command.make_context(name, options) as context:
                assert context.params
        case "make", [target]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        case "pip", ["install", what]:
            extras = re.match(r"\.(?:\[([\w,]+)\])?$", what)
            assert extras
            assert all(
                f"\n{extra} =\n" in (ROOT / "setup.cfg").read_text()
                for extra in (extras[1] or "cli").split(",")
            )
        case _:
            pytest.fail(f"this test does not know the command: {line}")


@pytest.mark.parametrize(
    "line", ["perps-actors run --sped 0", "make it", "pip install '.[nothing]'", "rm -r ."]
)
def test_a_command_that_does_not_exist_is_noticed(line) -> None:
    with pytest.raises((click.UsageError, AssertionError, pytest.fail.Exception)):
        assert_exists(line)


def test_the_simulated_venues_of_the_documentation_can_be_served(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "how-to" / "recordings.md"
    (faults,) = (text for language, text in blocks(page) if language == "toml")
    Path("faults.toml").write_text(faults)
    lines = [
        words(line)[1]
        for language, text in blocks(page)
        if language == "sh"
        for line in text.splitlines()
    ]
    synthetic = [line[2:] for line in lines if line[1] == "simulate" and "--recording" not in line]
    assert synthetic
    for arguments in synthetic:
        with VenueProcess.start(*arguments) as process:
            assert process.provenance == "synthetic"


def test_the_table_of_commands_has_all_options() -> None:
    shown = re.findall(
        r"^\| `perps-actors (\w+)([^`]*)`", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert {name for name, _ in shown} == commands.commands.keys()
    for name, options in shown:
        known = {
            option
            for parameter in commands.commands[name].params
            for option in parameter.opts
            if isinstance(parameter, click.Option) and not parameter.hidden
        }
        assert set(re.findall(r"--[\w-]+", options)) == known


# --- links


@pytest.mark.parametrize("page", [*PAGES, REFERENCE, ROOT / "CHANGELOG.md"], ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(page) -> None:
    for target, _, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]*))?\)", page.read_text()):
        there = page.parent / target if target else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings
            }, anchor


def test_every_page_is_reachable_from_the_readme() -> None:
    reached, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        reached.add(page)
        linked = {
            (page.parent / target).resolve()
            for target in re.findall(r"\]\((?!https?:)([^)#]+\.md)", page.read_text())
        }
        left += linked - reached
    assert set((ROOT / "docs").rglob("*.md")) <= reached


# --- files that pages name


def files_named_in(page: Path, heading: str) -> set[str]:
    """Return the paths in code spans of the tables below a heading."""
    section = page.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return {span for row in rows for span in re.findall(r"`([\w./]+/[\w./]*)`", row)}


def test_every_file_on_the_way_of_a_frame_exists() -> None:
    named = files_named_in(ROOT / "docs" / "architecture.md", "From socket to subscriber")
    assert {"kernel/dispatcher.py", "market/book.py", "actors/mark_store.py"} <= named
    assert not {name for name in named if not (ROOT / "perps_actors" / name).is_file()}


def test_every_package_in_the_table_of_floors_exists() -> None:
    named = files_named_in(ROOT / "docs" / "architecture.md", "Packages")
    packages = {path.parent.name + "/" for path in (ROOT / "perps_actors").glob("*/__init__.py")}
    assert named == packages


def test_every_file_listed_for_the_five_changes_exists() -> None:
    heading = "Five changes and the files they touch"
    named = files_named_in(ROOT / "CONTRIBUTING.md", heading)
    assert len(named) > 15
    assert not {name for name in named if not (ROOT / name).exists()}


# --- the reference


def test_the_reference_matches_the_code() -> None:
    assert REFERENCE.read_text() == reference(), "run `make docs`"


def test_the_page_of_venues_matches_the_code() -> None:
    assert VENUES_PAGE.read_text() == venues_page(), "run `make docs`"


def test_the_reference_lists_all_public_names_and_all_kinds_logged_as_warnings() -> None:
    import perps_actors  # noqa: PLC0415 - for its names alone

    text = REFERENCE.read_text()
    entries = set(re.findall(r"^### `(?:async )?(\w+)", text, re.MULTILINE))
    assert set(perps_actors.__all__) <= entries
    assert set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) >= WARNINGS


REPORTING = """
class Actor:
    def act(self):
        self._report.tell("spelt", None, one=1)
        self._tell("handed_on", two=2)
        return self._report.event(_KINDS[self.state], None)
    def _tell(self, kind, **data):
        self._report.tell(kind, None, three=3, **data)
    def look(self):
        for kind, what in self._watch.looks():
            self._on(Incident(kind=kind, error=what))
    def looks(self):
        yield "yielded", "why"
    def told(self, incident):
        self._report.tell(incident.kind, None, actor=1)
_KINDS = {1: "first", 2: "second"}
"""


def test_every_way_of_reporting_an_event_is_found() -> None:
    found = reported_kinds({"a.py": REPORTING})
    assert {reported.kind: reported.data for reported in found} == {
        "spelt": ("one",),
        "handed_on": ("three", "two"),
        "first": (),
        "second": (),
        "yielded": ("actor",),
    }


@pytest.mark.parametrize(
    "call",
    ["self._report.tell(f'x{1}', None)", "report.event(what(), None)", "report.tell(kind='x')"],
)
def test_a_kind_that_is_computed_is_refused(call) -> None:
    with pytest.raises(UnreadableKindError, match=r"a\.py:1"):
        reported_kinds({"a.py": call})


def test_a_kind_without_an_explanation_is_refused(monkeypatch) -> None:
    explained = tomllib.loads((DOCS / "event_kinds.toml").read_text())
    found = [ReportedKind(kind, "new.py", ()) for kind in (*explained, "brand_new")]
    monkeypatch.setattr("docs.make_reference.reported_kinds", lambda _texts: found)
    with pytest.raises(ValueError, match=r"differ in brand_new$"):
        list(events_section())
