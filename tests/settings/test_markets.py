from __future__ import annotations

from pathlib import Path

import pytest

from perps_actors import Market, Settings, SettingsError, settings_of
from perps_actors.settings import PollSettings, StreamSettings
from perps_actors.venues.contract import Endpoints

TWO = """
name = "desk"
[poll]
interval_s = 2.0

[[market]]
venue = "binance_futures"
symbols = ["BTCUSDT"]

[[market]]
venue = "bybit"
symbols = ["BTCUSDT", "ETHUSDT"]
account = "main"
provenance = "synthetic"
poll = { interval_s = 9.0 }
[market.stream]
source = "touch"
[market.endpoints]
stream = "ws://127.0.0.1:1"
rest = "http://127.0.0.1:1"
"""


@pytest.fixture
def write(tmp_path: Path):
    def written(text: str) -> Path:
        path = tmp_path / "perps.toml"
        path.write_text(text)
        return path

    return written


def refused(**given) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        settings_of(**given)
    return caught.value


def test_a_file_describes_markets_with_the_same_keys_as_code(write) -> None:
    assert settings_of(file=write(TWO)) == Settings(
        name="desk",
        poll=PollSettings(interval_s=2.0),
        markets=(
            Market("binance_futures", ("BTCUSDT",)),
            Market(
                "bybit",
                ("BTCUSDT", "ETHUSDT"),
                account="main",
                provenance="synthetic",
                poll=PollSettings(interval_s=9.0),
                stream=StreamSettings(source="touch"),
                endpoints=Endpoints(stream="ws://127.0.0.1:1", rest="http://127.0.0.1:1"),
            ),
        ),
    )


def test_a_market_takes_the_systems_setting_where_it_has_none(write) -> None:
    first, second = settings_of(file=write(TWO)).resolved().values()
    assert (first.poll.interval_s, first.stream.source, first.provenance) == (2.0, "book", "live")
    assert (second.poll.interval_s, second.stream.source, second.provenance) == (
        9.0,
        "touch",
        "synthetic",
    )


def test_one_venue_with_symbols_is_the_short_form_of_one_market() -> None:
    short = Settings(venue="bybit", symbols=("BTCUSDT",))
    assert short.resolved() == Settings(markets=(Market("bybit", ("BTCUSDT",)),)).resolved()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("venue", "bybit"),
        ("symbols", ("BTCUSDT",)),
        ("endpoints", Endpoints(stream="ws://127.0.0.1:1", rest="http://127.0.0.1:1")),
    ],
)
def test_both_forms_at_once_are_refused(field, value) -> None:
    with pytest.raises(SettingsError, match="goes with one market") as caught:
        Settings(markets=(Market("okx", ("BTC-USDT-SWAP",)),), **{field: value})
    assert caught.value.field == field


def test_both_forms_in_a_file_and_a_variable_name_the_variable(write) -> None:
    error = refused(file=write(TWO), environ={"PERPS_VENUE": "binance_futures"})
    assert (error.field, error.value, error.place) == ("venue", "binance_futures", "PERPS_VENUE")
    error = refused(file=write(TWO), environ={"TRADING_SYMBOLS": "BTCUSDT"})
    assert (error.field, error.place) == ("symbols", "TRADING_SYMBOLS")


def test_markets_of_the_command_line_replace_the_short_form_of_file_and_environment(write) -> None:
    settings = settings_of(
        file=write('venue = "okx"\nsymbols = ["A"]\n[marks]\nlong = 30\n'),
        environ={"PERPS_VENUE": "bybit"},
        table={"markets": [{"venue": "bybit", "symbols": ["B"]}]},
    )
    assert settings.markets == (Market("bybit", ("B",)),)
    assert settings.marks.long == 30


def test_two_markets_with_the_same_instrument_are_refused_and_both_named() -> None:
    with pytest.raises(SettingsError, match="bybit and bybit-2 both have bybit:BTCUSDT") as caught:
        Settings(markets=(Market("bybit", ("A", "BTCUSDT")), Market("bybit", ("BTCUSDT",))))
    assert caught.value.field == "markets"


def test_a_second_market_of_a_venue_is_named_by_its_account_else_a_number() -> None:
    markets = (
        Market("bybit", ("A",), account="main"),
        Market("bybit", ("B",), account="hedge"),
        Market("bybit", ("C",)),
        Market("bybit", ("D",)),
    )
    assert list(Settings(markets=markets).resolved()) == [
        "bybit",
        "bybit-hedge",
        "bybit-2",
        "bybit-3",
    ]


@pytest.mark.parametrize(
    ("text", "field", "why"),
    [
        ('[[market]]\nvenue = "okx"\n', "markets[0].symbols", "is missing"),
        ('[[market]]\nvenue = "okx"\nsymbols = []\n', "markets[0].symbols", "at least one"),
        (
            '[[market]]\nvenue = "okx"\nsymbols = ["A"]\npoll = { interval_s = "5" }\n',
            "markets[0].poll.interval_s",
            "expected float",
        ),
        ('[[market]]\nvenue = "okx"\nsymbols = ["A"]\nbroker = 1\n', "markets[0].broker", "is no"),
        ('[[market]]\nvenue = "okx"\nsymbols = ["A"]\ncolour = 1\n', "markets[0].colour", "is no"),
        ('[market]\nvenue = "okx"\nsymbols = ["A"]\n', "markets", "expected a list"),
    ],
)
def test_an_unusable_market_is_refused_with_field_value_and_file(write, text, field, why) -> None:
    path = write(text)
    error = refused(file=path)
    assert (error.field, error.place) == (field, str(path))
    assert why in error.why


@pytest.mark.parametrize("variable", ["PERPS_MARKETS", "PERPS_MARKET", "PERPS_MARKET_VENUE"])
def test_no_variable_sets_markets(variable) -> None:
    error = refused(environ={variable: "bybit"}, table={"symbols": ["A"]})
    assert (error.field, error.why) == (variable, "is never taken from the environment")


@pytest.mark.parametrize("name", ["", " desk", "a\nb", "x" * 65])
def test_an_unusable_name_of_a_system_is_refused(name) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(symbols=("A",), name=name)
    assert (caught.value.field, caught.value.value) == ("name", name)


def test_the_name_of_a_system_may_come_from_the_environment() -> None:
    assert settings_of(environ={"PERPS_NAME": "desk"}, table={"symbols": ["A"]}).name == "desk"
