from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import SettingsError
from perps_actors.settings import (
    Change,
    Settings,
    can_change,
    changes_between,
    refuse_unchangeable,
    settings_from,
)
from perps_actors.settings.fields import all_fields
from perps_actors.venues.contract import Endpoints

OLD = Settings(symbols=("A", "B"))
CHANGED = {
    "venue": "other",
    "symbols": ["B", "A"],
    "provenance": "synthetic",
    "lossless": True,
    "seed": 7,
    "stream.enabled": False,
    "stream.source": "touch",
    "stream.audit_s": 60.0,
    "poll.enabled": False,
    "risk.stale_soft_s": 30.0,
    "risk.stale_hard_s": 999.0,
    "journal.path": "/other.journal",
    "journal.rest_marks": True,
}
FIELDS = [
    field.name
    for field in all_fields()
    if field.name.partition(".")[0] not in ("endpoints", "markets")
]
NEEDS_A_NEW_SYSTEM = {
    "name",
    "venue",
    "provenance",
    "endpoints.stream",
    "endpoints.rest",
    "lossless",
    "seed",
    "journal.path",
    "supervision.intensity",
    "supervision.period_s",
    "supervision.hang_after_s",
    "supervision.look_every_s",
}


def other_than(name: str) -> object:
    field = next(field for field in all_fields() if field.name == name)
    return CHANGED[name] if name in CHANGED else field.of(OLD) * 2


@given(st.sets(st.sampled_from(FIELDS)))
def test_every_setting_that_differs_is_named_once_with_both_values_and_no_other(names) -> None:
    table = {"symbols": ["A", "B"]}
    for name in sorted(names):
        section, _, field = name.rpartition(".")
        (table.setdefault(section, {}) if section else table)[field] = other_than(name)
    new = settings_from(table, "file")
    changes = changes_between(OLD, new)
    assert [change.field for change in changes] == [name for name in FIELDS if name in names]
    for change in changes:
        expected = other_than(change.field)
        assert change.after == (tuple(expected) if isinstance(expected, list) else expected)
        assert change.before != change.after
    assert {change.field: change.after for change in changes_between(new, OLD)} == {
        change.field: change.before for change in changes
    }


def test_addresses_that_come_or_go_are_changes_of_each_of_them() -> None:
    new = attrs.evolve(
        OLD, endpoints=Endpoints(stream="ws://127.0.0.1:1", rest="http://127.0.0.1:1")
    )
    assert changes_between(OLD, new) == (
        Change("endpoints.stream", None, "ws://127.0.0.1:1"),
        Change("endpoints.rest", None, "http://127.0.0.1:1"),
    )


def test_only_changes_that_need_a_new_system_are_refused() -> None:
    for field in all_fields():
        change = Change(field.name, "before", "after")
        assert can_change(field.name) is (field.name not in NEEDS_A_NEW_SYSTEM)
        if field.name not in NEEDS_A_NEW_SYSTEM:
            refuse_unchangeable([change], "perps.toml")
            continue
        with pytest.raises(SettingsError, match="needs a new system") as caught:
            refuse_unchangeable([Change("marks.long", 20, 21), change], "perps.toml")
        assert (caught.value.field, caught.value.value, caught.value.place) == (
            field.name,
            "after",
            "perps.toml",
        )


def test_an_unknown_setting_cannot_change() -> None:
    assert not can_change("nonsense")
    assert not can_change("")
