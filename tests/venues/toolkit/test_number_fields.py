from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import MarketError
from perps_actors.venues.toolkit.fields import amount_of, number_of, positive_of, spelled, text_of


class Row(msgspec.Struct):
    n: msgspec.Raw = msgspec.Raw()


def raw(json: str) -> msgspec.Raw:
    return msgspec.json.decode(json.encode(), type=Row).n


@pytest.mark.parametrize("number", ["1", "0.10", "8.7e3", "-3.1E-6", "12345678901234567.12345678"])
def test_a_number_keeps_the_digits_of_the_venue(number):
    assert spelled(raw(f'{{"n": {number}}}')) == number
    assert number_of(raw(f'{{"n": {number} }}')) == number


@pytest.mark.parametrize("read", [number_of, positive_of, amount_of])
@pytest.mark.parametrize("json", ["{}", '{"n":null}'])
def test_a_field_that_was_not_sent_or_is_null_is_none(read, json):
    assert read(raw(json)) is None


@pytest.mark.parametrize("read", [number_of, positive_of, amount_of])
@pytest.mark.parametrize(
    "value", ['"1"', "true", "[1]", "{}", '"\uff11"', "1e999999", "1" * 31, '""']
)
def test_a_value_that_is_not_a_number_is_refused(read, value):
    with pytest.raises(MarketError):
        read(raw(f'{{"n":{value}}}'))


@pytest.mark.parametrize(
    ("read", "value"), [(positive_of, "0"), (positive_of, "-1"), (amount_of, "-1")]
)
def test_a_number_on_the_wrong_side_of_zero_is_refused(read, value):
    with pytest.raises(MarketError):
        read(raw(f'{{"n":{value}}}'))


def test_an_amount_may_be_zero():
    assert amount_of(raw('{"n":0.0}')) == "0.0"


@pytest.mark.parametrize(
    ("json", "text"),
    [
        (b"1.10", "1.10"),
        (b"1e-8", "1e-8"),
        (b'"12"', "12"),
        (b'""', ""),
        (b"null", None),
        (b"", None),
        (b"-0", "-0"),
    ],
)
def test_a_number_keeps_its_spelling_in_a_string_or_not(json, text):
    assert text_of(msgspec.Raw(json)) == text


def test_a_very_long_number_is_refused_at_once():
    with pytest.raises(MarketError, match="Expected a number"):
        text_of(msgspec.Raw(b"1" * 1_000_000))


@given(st.binary(max_size=60))
def test_all_bytes_are_read_as_text_or_none(json):
    assert text_of(msgspec.Raw(json)) is None or isinstance(text_of(msgspec.Raw(json)), str)
