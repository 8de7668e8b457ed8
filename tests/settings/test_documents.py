from __future__ import annotations

import ast
import functools
import re
import tomllib
from pathlib import Path

import attrs
import pytest

from perps_actors.settings import (
    CHANGEABLE,
    Market,
    Settings,
    StreamSettings,
    settings_from,
    table_from_environment,
)
from perps_actors.settings.environment import NEVER
from perps_actors.settings.fields import all_fields
from perps_actors.settings.originals import NOT_READ, STILL_READ
from perps_actors.settings.toml import parsed
from perps_actors.venues.contract import Endpoints

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
MIGRATING = (ROOT / "docs" / "migrating.md").read_text()


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading of the page on migrating."""
    part = MIGRATING.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("|")
    ][2:]


def sentence(start: str) -> str:
    return SETTINGS.split(start)[1].split(". ")[0]


@functools.cache
def told() -> set[str]:
    """Return every text in the code, the kinds of events among them."""
    trees = (
        ast.parse(path.read_text())
        for path in (ROOT / "perps_actors").rglob("*.py")
        if path.parent.name != "settings"
    )
    return {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_default_is_what_the_documentation_says() -> None:
    table = tomllib.loads(SETTINGS.split("```toml\n")[1].split("```")[0])
    shown = {
        f"{name}.{field}" if isinstance(value, dict) else name
        for name, value in table.items()
        for field in (value if isinstance(value, dict) else [""])
    }
    assert shown == {field.name for field in all_fields()} - {"markets"}
    table["journal"].pop("path")
    table["stream"].pop("audit_s")
    endpoints = table.pop("endpoints")
    assert settings_from(table, "settings.md") == Settings(symbols=("BTCUSDT", "ETHUSDT"))
    assert settings_from({**table, "endpoints": endpoints}, "settings.md").endpoints == Endpoints(
        **endpoints
    )


def test_the_markets_shown_can_be_used() -> None:
    table = parsed(SETTINGS.split("```toml\n")[2].split("```")[0].encode(), "settings.md", "docs")
    assert settings_from(table, "settings.md").markets == (
        Market("binance_futures", ("BTCUSDT", "ETHUSDT")),
        Market("bybit", ("BTCUSDT",), stream=StreamSettings(source="touch")),
    )


def test_the_variables_shown_are_read() -> None:
    shown = dict(
        part.split("=")
        for part in SETTINGS.split("```sh\n")[1].split("perps-actors run")[0].split()
    )
    assert len(shown) == 3
    assert (
        settings_from(table_from_environment(shown), "settings.md").stream.source
        == shown["PERPS_STREAM_SOURCE"]
    )


def test_changeable_settings_and_forbidden_variables_are_those_in_the_documentation() -> None:
    assert tuple(quoted(sentence("These can change while a system runs: "))) == CHANGEABLE
    never = sentence("These are never read from the environment:")
    assert tuple(quoted(never)) == NEVER
    sections = {field.name for field in attrs.fields(Settings)}
    assert {name.split(".")[0] for name in CHANGEABLE} <= sections


def test_the_documented_tables_of_variables_are_those_of_the_code() -> None:
    assert rows("Variables of the bot that are still read") == [
        [
            f"`{original.variable}`",
            ", ".join(f"`{name}`" for name in original.gives),
            original.meaning,
        ]
        for original in STILL_READ
    ]
    assert rows("Variables that are not read") == [
        [", ".join(f"`{name}`" for name in names), why] for why, names in NOT_READ.items()
    ]


@pytest.mark.parametrize("heading", ["Configuration of the bot", "Settings of the ticker service"])
def test_a_setting_named_for_an_old_one_exists(heading) -> None:
    known = {field.name for field in all_fields()}
    table = rows(heading)
    assert len(table) > 5
    for _, here, difference in table:
        assert here == "nothing" or (quoted(here) and set(quoted(here)) <= known)
        assert difference


def test_an_event_named_for_an_old_one_is_reported_by_the_code() -> None:
    table = rows("Events of the bot")
    assert {kind for _, here, _ in table for kind in quoted(here)} >= {
        "ws_mark_update",
        "ws_stream_error",
        "ws_stream_exit",
        "stale_mark_price",
    }
    for _, here, _ in table:
        assert here == "nothing" or (quoted(here) and set(quoted(here)) <= told())
