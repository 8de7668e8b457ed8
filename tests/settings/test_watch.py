from __future__ import annotations

import os
from pathlib import Path

import pytest

from perps_actors.errors import SettingsError
from perps_actors.settings import SettingsFile


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "perps.toml"
    path.write_text("seed = 1\n")
    return path


@pytest.fixture
def file(path) -> SettingsFile:
    """A file that was looked at once."""
    file = SettingsFile(path)
    assert file.look() == {"seed": 1}
    return file


def replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def test_a_file_is_returned_first_and_then_only_after_a_change(file, path) -> None:
    assert file.look() is None
    path.write_text("seed = 22\n")
    assert file.look() == {"seed": 22}
    assert file.look() is None
    path.write_text("seed = 1\n")
    assert file.look() == {"seed": 1}


def test_a_replaced_file_is_returned(file, path) -> None:
    replace(path, "seed = 2\n")
    assert file.look() == {"seed": 2}
    assert file.look() is None


def test_a_file_that_was_touched_or_replaced_by_its_copy_has_not_changed(file, path) -> None:
    os.utime(path, ns=(1, 1))
    assert file.look() is None
    replace(path, "seed = 1\n")
    assert file.look() is None


def test_a_change_of_content_alone_is_returned(file, path) -> None:
    before = path.stat()
    path.write_text("seed = 2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.look() == {"seed": 2}


@pytest.mark.parametrize(
    "vanish", [Path.unlink, lambda path: path.write_text(""), lambda path: path.write_text(" \n")]
)
def test_a_file_that_is_gone_or_empty_for_a_moment_has_not_changed(file, path, vanish) -> None:
    vanish(path)
    assert file.look() is None
    path.write_text("seed = 1\n")
    assert file.look() is None
    vanish(path)
    assert file.look() is None
    path.write_text("seed = 2\n")
    assert file.look() == {"seed": 2}


def test_a_file_that_is_created_later_is_returned(tmp_path) -> None:
    file = SettingsFile(tmp_path / "folder" / "perps.toml")
    assert file.look() is None
    file.path.parent.mkdir()
    file.path.write_text("seed = 3\n")
    assert file.look() == {"seed": 3}


@pytest.mark.parametrize("content", [b"seed = ", b"\xff\xfe"])
def test_invalid_toml_is_refused_once_and_returned_when_it_is_valid(file, path, content) -> None:
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="is no TOML") as caught:
        file.look()
    assert caught.value.place == str(path)
    assert file.look() is None
    path.write_text("seed = 1\n")
    assert file.look() == {"seed": 1}


def test_a_file_that_cannot_be_read_is_refused_once(file, path) -> None:
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingsError, match="directory") as caught:
        file.look()
    assert (caught.value.field, caught.value.place) == ("config", str(path))
    assert file.look() is None
