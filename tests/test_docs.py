"""What the documents show is so: their Python and commands run, print what they say, and their links lead somewhere."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import pytest

from docs.make_reference import REFERENCE, reference
from docs.make_venues import PAGE as VENUES_PAGE
from docs.make_venues import page as venues_page
from docs.told_events import UnreadableKindError, told_events
from perps_actors.cli.main import main as commands
from perps_actors.host.logging import WARNINGS
from perps_actors.simulator.process import VenueProcess
from perps_actors.venues import registry

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("PERPS_ACTORS_DATA", ROOT.parent / "shared" / "data"))
PAGES = sorted(
    path
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
    if path != REFERENCE
)
ENDLESS = {"--follow", "--venue"}
"""Options of commands that do not end by themselves, or leave the machine: those are only parsed."""

Block = tuple[str, str]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in order: language and text."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def pages_with(*languages: str) -> list[Path]:
    return [page for page in PAGES if any(language in languages for language, _ in blocks(page))]


# --- what runs


@pytest.fixture
def desk(monkeypatch, tmp_path) -> Iterator[None]:
    """A folder of one's own, no settings in the environment, and a simulated venue in the place of the live one."""
    monkeypatch.chdir(tmp_path)
    for name in [
        name
        for name in os.environ
        if name.startswith("PERPS_") and not name.startswith("PERPS_ACTORS_")
    ]:
        monkeypatch.delenv(name)
    if (DATA / "recordings").is_dir():
        Path("recordings").symlink_to(DATA / "recordings")
    with VenueProcess.start() as process:
        simulated = attrs.evolve(registry.venue(process.venue), endpoints=process.endpoints)
        monkeypatch.setattr(f"perps_actors.venues.{process.venue}.VENUE", simulated)
        yield


class Reader:
    """Does what a page says, block after block, in a folder of its own."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._printed = ""

    def read(self) -> None:
        for number, (language, text) in enumerate(blocks(self._page)):
            match language:
                case "python":
                    self._run(text, f"{named(self._page)}, block {number}")
                case "sh":
                    self._printed = "".join(
                        said for line in text.splitlines() if (said := ended(line)) is not None
                    )
                case "toml":
                    self._keep(text)
                case "text":
                    assert_printed(self._printed, text)

    def _run(self, text: str, place: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(text, place, "exec"), self._names)
        self._printed = out.getvalue()

    def _keep(self, text: str) -> None:
        """Write a file that names itself in its first line."""
        if name := re.match(r"# ([\w.]+\.toml)\n", text):
            Path(name[1]).write_text(text)


def assert_printed(printed: str, shown: str) -> None:
    """Compare what was printed with what a page shows, where … stands for anything and blanks for any number of them."""
    pattern = r"\s+".join(
        r".*?".join(re.escape(part) for part in word.split("…")) for word in shown.split()
    )
    assert re.fullmatch(rf"\s*{pattern}\s*", printed, re.DOTALL), printed


def words(line: str) -> tuple[dict[str, str], list[str]]:
    """Return the variables that a command line sets, and its words."""
    parts = shlex.split(line, comments=True)
    setting = [part for part in parts if re.match(r"[A-Z_]+=", part)]
    # `make run ARGS=...` gives its variables last.
    return dict(part.split("=", 1) for part in setting), [
        part for part in parts if part not in setting
    ]


def ended(line: str) -> str | None:
    """Run a command of ours that ends by itself, and return what it prints; None for all others."""
    variables, (program, *arguments) = words(line)
    if program != "perps-actors" or arguments[0] == "simulate" or ENDLESS & set(arguments):
        return None
    on_recording = any("recordings/" in argument for argument in arguments)
    if (on_recording and not Path("recordings").exists()) or (
        arguments[0] == "run" and not on_recording and "--duration" not in arguments
    ):
        return None
    done = subprocess.run(
        [sys.executable, "-c", "from perps_actors.cli.main import main; main()", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("page", pages_with("python", "text"), ids=named)
def test_the_programs_on_a_page_run_and_print_what_it_shows(page) -> None:
    Reader(page).read()


def test_a_page_that_shows_something_else_than_is_printed_is_noticed() -> None:
    assert_printed("a  1.5 b\n", "a … b\n")
    with pytest.raises(AssertionError):
        assert_printed("a 1.5 c", "a … b")


@pytest.mark.parametrize("page", pages_with("sh"), ids=named)
def test_the_commands_on_a_page_are_such_as_there_are(page) -> None:
    for line in (
        line for language, text in blocks(page) if language == "sh" for line in text.splitlines()
    ):
        assert_there_is(line)


def assert_there_is(line: str) -> None:
    _, (program, *arguments) = words(line)
    match program, arguments:
        case "perps-actors", [verb, *options]:
            command = commands.commands[verb]
            with command.make_context(verb, options) as context:
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
            pytest.fail(f"nobody knows whether this works: {line}")


@pytest.mark.parametrize(
    "line", ["perps-actors run --sped 0", "make it", "pip install '.[nothing]'", "rm -r ."]
)
def test_a_command_that_there_is_not_is_noticed(line) -> None:
    with pytest.raises((click.UsageError, AssertionError, pytest.fail.Exception)):
        assert_there_is(line)


def test_the_venues_that_the_documents_have_served_can_be_served(tmp_path, monkeypatch) -> None:
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


def test_the_options_in_the_table_of_commands_are_those_there_are() -> None:
    shown = re.findall(
        r"^\| `perps-actors (\w+)([^`]*)`", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert {verb for verb, _ in shown} == commands.commands.keys()
    for verb, options in shown:
        known = {
            option for parameter in commands.commands[verb].params for option in parameter.opts
        }
        assert set(re.findall(r"--[\w-]+", options)) <= known


# --- what is linked


@pytest.mark.parametrize("page", [*PAGES, REFERENCE, ROOT / "CHANGELOG.md"], ids=named)
def test_no_link_leads_nowhere(page) -> None:
    for target, _, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]*))?\)", page.read_text()):
        there = page.parent / target if target else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings
            }, anchor


def test_every_page_is_reached_from_the_first() -> None:
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


# --- the reference


def test_the_reference_is_what_the_code_says() -> None:
    assert REFERENCE.read_text() == reference(), "make docs writes it anew"


def test_the_page_of_venues_is_what_the_code_says() -> None:
    assert VENUES_PAGE.read_text() == venues_page(), "make docs writes it anew"


def test_the_reference_lists_what_is_public_and_every_kind_that_is_warned_of() -> None:
    import perps_actors  # noqa: PLC0415 - only its names

    text = REFERENCE.read_text()
    entries = set(re.findall(r"^### `(?:async )?(\w+)", text, re.MULTILINE))
    assert set(perps_actors.__all__) <= entries
    assert set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) >= WARNINGS


TELLING = """
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


def test_every_way_of_telling_an_event_is_seen() -> None:
    assert {told.kind: told.data for told in told_events({"a.py": TELLING})} == {
        "spelt": ("one",),
        "handed_on": ("three", "two"),
        "first": (),
        "second": (),
        "yielded": ("actor",),
    }


@pytest.mark.parametrize(
    "told",
    ["self._report.tell(f'x{1}', None)", "report.event(what(), None)", "report.tell(kind='x')"],
)
def test_a_kind_that_cannot_be_read_off_the_source_is_refused(told) -> None:
    with pytest.raises(UnreadableKindError, match=r"a\.py:1"):
        told_events({"a.py": told})


def test_a_kind_that_nobody_has_explained_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(
        "docs.make_reference.told_events",
        lambda texts: told_events({**texts, "new.py": "report.tell('brand_new', None)"}),
    )
    with pytest.raises(ValueError, match=r"differ in brand_new$"):
        reference()
