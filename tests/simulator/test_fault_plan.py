from __future__ import annotations

from pathlib import Path

import pytest

from perps_actors.errors import SimulatorError
from perps_actors.simulator.faults import Fault, FaultPlan, read_faults


def test_a_plan_in_json_equals_the_same_plan_in_toml(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"faults": [{"at_s": 5, "do": "gap", "for_s": 3}]}')
    (tmp_path / "b.json").write_text('[{"at_s": 5, "do": "gap", "for_s": 3}]')
    (tmp_path / "c.toml").write_text('[[faults]]\nat_s = 5\ndo = "gap"\nfor_s = 3\n')
    plans = [read_faults(tmp_path / name) for name in ("a.json", "b.json", "c.toml")]
    assert [[plan.remaining_s("gap", at) for at in (4.9, 5, 7, 8)] for plan in plans] == [
        [0, 3, 1, 0]
    ] * 3


def test_adjacent_faults_count_as_one() -> None:
    plan = FaultPlan([Fault(4, "silence", 3), Fault(1, "silence", 3), Fault(2, "gap", 9)])
    assert plan.remaining_s("silence", 2) == 5
    assert plan.starts_s("silence") == [1, 4]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("f.json", '[{"at_s": 1, "do": "explode"}]', r"faults\[0\]\.do = 'explode'"),
        (
            "f.json",
            '[{"at_s": 1, "do": "gap"}, {"at_s": -1, "do": "gap"}]',
            r"faults\[1\]\.at_s = -1",
        ),
        ("f.json", '[{"at_s": NaN, "do": "gap"}]', r"faults\[0\]\.at_s = nan"),
        ("f.json", '[{"at_s": true, "do": "gap"}]', r"faults\[0\]\.at_s = True"),
        ("f.json", '[{"do": "gap"}]', r"faults\[0\]\.at_s = None"),
        ("f.json", '[{"at_s": 1, "do": "gap", "for_s": "3"}]', r"faults\[0\]\.for_s = '3'"),
        ("f.json", '[{"at_s": 1, "do": "gap", "until": 3}]', r"faults\[0\]\.until = 3"),
        ("f.json", "[7]", r"faults\[0\] = 7"),
        ("f.json", '{"faults": 7}', r"faults = 7"),
        ("f.json", "{", r"f\.json: faults cannot be read"),
        ("f.toml", "= 1", r"f\.toml: faults cannot be read"),
    ],
)
def test_a_bad_file_is_refused_with_field_value_and_place(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SimulatorError, match=said):
        read_faults(tmp_path / name)
