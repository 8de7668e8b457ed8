"""What a host does with its process does not disturb the system: cases 21, 25 and 27."""

from __future__ import annotations

import codecs
import json
import logging
import threading

import pytest

from perps_actors import JournalSettings, Settings, SettingsError
from perps_actors.host.logging import log_event
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.messages.records import event
from perps_actors.settings import read_settings, settings_from
from perps_actors.settings.toml import SettingsFile
from perps_actors.simulator.faults import read_faults
from perps_actors.simulator.recording import read_recording
from perps_actors.testing import InjectedCrash


def test_case_21_a_relative_journal_path_keeps_its_meaning_after_a_chdir(
    tmp_path, monkeypatch, worlds
):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    monkeypatch.chdir(first)
    world = worlds(journal=JournalSettings(path="events.journal"))
    world.touch("BTCUSDT", 10, 12)
    world.system.flush()
    monkeypatch.chdir(second)
    recorder = world.address("event_recorder")._cell
    recorder.actor.on_receive = raising
    world.tell("event_recorder", object())
    world.advance(1)
    world.system.drain()
    assert world.system.restarts == 1
    assert list(second.iterdir()) == []
    with SqliteJournalReader(first / "events.journal") as reader:
        kinds = [found.kind for _, found in reader.events()]
    assert "actor_died" in kinds


def raising(_):
    raise InjectedCrash


def test_a_followed_file_with_a_relative_path_keeps_its_meaning_after_a_chdir(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "perps.toml").write_text('[journal]\npath = "events.journal"\n')
    file = SettingsFile("perps.toml")
    monkeypatch.chdir("/")
    assert file.look() == {"journal": {"path": str(tmp_path / "events.journal")}}


def test_a_followed_file_given_by_a_relative_path_is_put_in_force(tmp_path, monkeypatch, worlds):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "perps.toml").write_text("[marks]\nlong = 20\n")
    world = worlds()
    world.system.follow("perps.toml", every_s=3600)
    (tmp_path / "perps.toml").write_text("[marks]\nlong = 30\n")
    [follower] = world.system._followers
    asked = threading.Thread(target=follower.look)
    asked.start()
    while asked.is_alive():
        world.runtime.settle()
    assert world.system.settings.marks.long == 30


def test_case_25_events_are_logged_although_the_hosts_records_have_attributes_of_their_own(caplog):
    before = logging.getLogRecordFactory()

    def factory(*arguments, **fields):
        record = before(*arguments, **fields)
        record.venue = record.symbol = record.event_kind = record.event_data = "the host's"
        return record

    happened = event(
        "feed_health", venue="v", received_ns=7, provenance="live", symbol_count=2, health="live"
    )
    logging.setLogRecordFactory(factory)
    try:
        with caplog.at_level(logging.INFO):
            log_event(happened)
    finally:
        logging.setLogRecordFactory(before)
    [record] = caplog.records
    assert (record.venue, record.symbol) == ("the host's", "the host's")
    assert (record.event_kind, record.event_venue) == ("feed_health", "v")
    assert record.event_data == {"symbol_count": 2, "health": "live"}
    assert "feed_health v" in record.getMessage()


def test_case_27_settings_with_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "perps.toml"
    path.write_bytes(codecs.BOM_UTF8 + b'symbols = ["BTCUSDT"]\n')
    assert settings_from(read_settings(path), "file").symbols == ("BTCUSDT",)


@pytest.mark.parametrize("name", ["faults.json", "faults.toml"])
def test_case_27_faults_with_a_byte_order_mark_are_read(tmp_path, name):
    text = (
        b'[{"at_s": 5, "do": "gap", "for_s": 1}]'
        if name.endswith("json")
        else b"[[faults]]\nat_s = 5\nfor_s = 1\ndo = 'gap'\n"
    )
    (tmp_path / name).write_bytes(codecs.BOM_UTF8 + text)
    assert read_faults(tmp_path / name).starts_s("gap") == [5]


def test_case_27_a_recordings_meta_with_a_byte_order_mark_is_read(tmp_path):
    meta = {"venue": "bybit", "symbols": ["BTCUSDT"], "perpetuals": ["BTCUSDT"]}
    (tmp_path / "meta.json").write_bytes(codecs.BOM_UTF8 + json.dumps(meta).encode())
    (tmp_path / "raw.jsonl").write_text("")
    assert read_recording(tmp_path).side.name == "bybit"


def test_a_file_that_is_not_utf_8_is_refused_by_name(tmp_path):
    path = tmp_path / "perps.toml"
    path.write_bytes(b"symbols = ['\xff']")
    with pytest.raises(SettingsError, match=r"perps\.toml"):
        read_settings(path)


def test_settings_with_a_relative_path_are_equal_to_those_with_its_absolute_path(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    relative, absolute = (
        Settings(symbols=("BTCUSDT",), journal=JournalSettings(path=path))
        for path in ("events.journal", str(tmp_path / "events.journal"))
    )
    assert relative == absolute
