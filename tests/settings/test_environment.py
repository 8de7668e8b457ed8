from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors.errors import SettingsError
from perps_actors.market.mark import RUNGS
from perps_actors.settings import table_from_environment
from perps_actors.settings.environment import variable_of
from perps_actors.settings.fields import all_fields
from perps_actors.settings.originals import NOT_READ

NUMBERS = st.floats(1e-6, 1e9).map(lambda value: float(f"{value:.6f}"))
VALUES = {
    bool: st.booleans(),
    int: st.integers(1, 10**12),
    float: NUMBERS.filter(lambda value: value > 0),
    str: st.text("ab/.-_", min_size=1),
    tuple[str, ...]: st.lists(st.text("ABC1-", min_size=1), min_size=1, unique=True),
}
GIVEN = [(field, variable) for field in all_fields() if (variable := variable_of(field))]


def refused(environ) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        table_from_environment(environ)
    assert "\n" not in str(caught.value)
    return caught.value


def at(table, name):
    for part in name.split("."):
        table = table[part]
    return table


def spelled(value, data) -> str:
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, bool):
        word = data.draw(
            st.sampled_from(["1", "true", "yes", "on"] if value else ["0", "false", "no", "off"])
        )
        return data.draw(st.sampled_from([word, word.upper(), word.title(), f" {word} "]))
    return str(value)


@pytest.mark.parametrize(
    ("field", "variable"), GIVEN, ids=lambda given: getattr(given, "name", None)
)
@settings(max_examples=15)
@given(data=st.data())
def test_every_setting_has_a_variable_that_gives_just_it(field, variable, data) -> None:
    value = data.draw(
        st.sampled_from(RUNGS) if field.name == "stream.source" else VALUES[field.kind]
    )
    table = table_from_environment(
        {variable: spelled(value, data), "HOME": "/root", "PERPETUAL": "1"}
    )
    section, _, name = field.name.rpartition(".")
    assert table == ({section: {name: value}} if section else {name: value})
    assert type(at(table, field.name)) is type(value)
    assert variable == "PERPS_" + field.name.upper().replace(".", "_")


def test_markets_and_live_settings_have_no_variable() -> None:
    without = {field.name for field in all_fields() if variable_of(field) is None}
    assert without == {
        "provenance",
        "lossless",
        "markets",
        "endpoints.stream",
        "endpoints.rest",
    }


@pytest.mark.parametrize(
    "name",
    [
        "PERPS_PROVENANCE",
        "PERPS_LOSSLESS",
        "PERPS_ENDPOINTS_REST",
        "PERPS_ENDPOINTS",
        "PERPS_LIVE",
        "PERPS_TRADING_LIVE",
    ],
)
def test_a_variable_for_a_forbidden_setting_is_refused(name) -> None:
    error = refused({name: "live"})
    assert (error.field, error.value, error.place) == (name, "live", "environment")
    assert "never taken from the environment" in str(error)


@pytest.mark.parametrize(
    "name",
    [
        "PERPS_",
        "PERPS_NONSENSE",
        "PERPS_MARKS",
        "PERPS_MARK_LONG",
        "PERPS_MARKS_LONG_",
        "PERPS_symbols",
    ],
)
def test_an_unknown_variable_is_refused_with_name_and_value_even_if_blank(name) -> None:
    for text in ("7", ""):
        error = refused({name: text})
        assert (error.field, error.value, error.place) == (name, text, "environment")
        assert "is no setting" in str(error)


@pytest.mark.parametrize(
    "name", ["PERPS_API_KEY", "PERPS_DB_PASSWORD", "PERPS_SECRET", "PERPS_ACCESS_TOKEN"]
)
def test_the_value_of_an_unknown_variable_that_may_be_a_secret_is_not_shown(name) -> None:
    assert "hunter2" not in str(refused({name: "hunter2"}))


@pytest.mark.parametrize(
    ("variable", "text", "field", "why"),
    [
        ("PERPS_MARKS_LONG", "many", "marks.long", "expected a whole number"),
        ("PERPS_MARKS_LONG", "5.0", "marks.long", "expected a whole number"),
        ("PERPS_MARKS_LONG", "1_000", "marks.long", "expected a whole number"),
        ("PERPS_MARKS_LONG", "\u0665", "marks.long", "expected a whole number"),
        ("PERPS_MARKS_LONG", "9" * 31, "marks.long", "expected a whole number"),
        ("PERPS_MARKS_LONG", "-5", "marks.long", "above zero"),
        ("PERPS_STREAM_LEVEL", "0", "stream.level", "above zero"),
        ("PERPS_STREAM_LEVEL", "best", "stream.level", "expected a whole number"),
        ("PERPS_POLL_INTERVAL_S", "0", "poll.interval_s", "above zero"),
        ("PERPS_POLL_INTERVAL_S", "nan", "poll.interval_s", "Expected a number"),
        ("PERPS_POLL_INTERVAL_S", "inf", "poll.interval_s", "Expected a number"),
        ("PERPS_POLL_INTERVAL_S", "1e400", "poll.interval_s", "Expected a number"),
        ("PERPS_POLL_INTERVAL_S", "5s", "poll.interval_s", "Expected a number"),
        ("PERPS_STREAM_ENABLED", "maybe", "stream.enabled", "expected one of"),
        (
            "PERPS_STREAM_SOURCE",
            "rumours",
            "stream.source",
            "expected one of book, touch, trades, rest",
        ),
        ("PERPS_SYMBOLS", " , ", "symbols", "at least one"),
        ("PERPS_SYMBOLS", "A,B,A", "symbols", "twice"),
        ("TRADING_SYMBOLS", "A;A", "symbols", "twice"),
        ("PERPS_ENABLE_STREAMING", "on", "stream.enabled", "expected one of 1, true, yes"),
        ("DISABLE_WS_STREAMING", "perhaps", "stream.enabled", "expected one of"),
        ("PERPS_STREAMING_REST_INTERVAL", "soon", "poll.interval_s", "Expected a number"),
        ("RISK_MAX_MARK_STALENESS_SECONDS", "1.5", "risk.stale_soft_s", "expected a whole number"),
        ("RISK_MAX_MARK_STALENESS_SECONDS", "0", "risk.stale_soft_s", "above zero"),
    ],
)
def test_an_unusable_value_is_refused_with_variable_value_and_reason(
    variable, text, field, why
) -> None:
    error = refused({variable: text})
    assert error.place == variable
    assert error.field.startswith(field)
    assert why in error.why
    assert str(error.value) in str(error)


@given(st.dictionaries(st.sampled_from([variable for _, variable in GIVEN]), st.text(max_size=6)))
def test_any_text_in_a_variable_gives_a_valid_table_or_an_error_that_names_it(
    environ,
) -> None:
    try:
        table = table_from_environment(environ)
    except SettingsError as error:
        assert error.place in environ  # noqa: PT017
        return
    for field, variable in GIVEN:
        if environ.get(variable, "").strip():
            assert type(at(table, field.name)) in {bool, int, float, str, list}


@pytest.mark.parametrize("variable", [variable for _, variable in GIVEN])
def test_a_blank_variable_counts_as_not_set(variable) -> None:
    assert table_from_environment({variable: "  "}) == {}


@pytest.mark.parametrize(
    ("environ", "table"),
    [
        ({"TRADING_SYMBOLS": "A, B;C ;"}, {"symbols": ["A", "B", "C"]}),
        ({"PERPS_ENABLE_STREAMING": "Yes"}, {"stream": {"enabled": True}}),
        ({"PERPS_ENABLE_STREAMING": "off"}, {"stream": {"enabled": False}}),
        ({"PERPS_ENABLE_STREAMING": ""}, {}),
        ({"DISABLE_WS_STREAMING": "on"}, {"stream": {"enabled": False}}),
        ({"DISABLE_WS_STREAMING": "0"}, {}),
        (
            {"DISABLE_WS_STREAMING": "1", "PERPS_ENABLE_STREAMING": "1"},
            {"stream": {"enabled": False}},
        ),
        (
            {"DISABLE_WS_STREAMING": "0", "PERPS_ENABLE_STREAMING": "1"},
            {"stream": {"enabled": True}},
        ),
        ({"PERPS_STREAM_LEVEL": "2"}, {"stream": {"level": 2}}),
        ({"PERPS_STREAMING_REST_INTERVAL": "7"}, {"poll": {"interval_s": 7.0}}),
        ({"PERPS_STREAMING_REST_INTERVAL": "0.1"}, {"poll": {"interval_s": 0.5}}),
        ({"PERPS_STREAMING_REST_INTERVAL": "-3"}, {"poll": {"interval_s": 0.5}}),
        (
            {"RISK_MAX_MARK_STALENESS_SECONDS": "120"},
            {"risk": {"stale_soft_s": 120.0, "stale_hard_s": 240.0}},
        ),
    ],
)
def test_a_variable_of_the_bot_keeps_its_meaning(environ, table) -> None:
    assert table_from_environment(environ) == table


@pytest.mark.parametrize(
    ("environ", "table"),
    [
        ({"PERPS_SYMBOLS": "A", "TRADING_SYMBOLS": "B"}, {"symbols": ["A"]}),
        (
            {
                "PERPS_STREAM_ENABLED": "1",
                "DISABLE_WS_STREAMING": "1",
                "PERPS_ENABLE_STREAMING": "0",
            },
            {"stream": {"enabled": True}},
        ),
        (
            {"PERPS_POLL_INTERVAL_S": "0.2", "PERPS_STREAMING_REST_INTERVAL": "9"},
            {"poll": {"interval_s": 0.2}},
        ),
        (
            {"PERPS_RISK_STALE_HARD_S": "500", "RISK_MAX_MARK_STALENESS_SECONDS": "120"},
            {"risk": {"stale_soft_s": 120.0, "stale_hard_s": 500.0}},
        ),
    ],
)
def test_the_variable_of_a_settings_own_name_wins_over_one_of_the_bot(environ, table) -> None:
    assert table_from_environment(environ) == table


@pytest.mark.parametrize(
    "pattern", [pattern for patterns in NOT_READ.values() for pattern in patterns]
)
def test_a_variable_of_the_bot_without_a_counterpart_changes_nothing(pattern) -> None:
    assert table_from_environment({pattern.replace("*", "ANYTHING"): "not even a number"}) == {}
