from __future__ import annotations

import json
import math
from collections import ChainMap
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import TransportError
from perps_actors.transport.broker_calls import described, frame_of, quote_body


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError


class Foreign:
    """A number of another library."""

    def __str__(self) -> str:
        return "1.5"


def said(item, max_bytes=10_000):
    return json.loads(frame_of(item, max_bytes))


def test_values_that_brokers_use_are_encoded_as_a_venue_would() -> None:
    item = {
        "price": Decimal("50000.10"),
        "bid": 1e-07,
        "size": 3,
        "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "nested": {"levels": [(Decimal(1), 2.5)]},
        "foreign": Foreign(),
    }
    assert said(item) == {
        "price": "50000.10",
        "bid": 1e-07,
        "size": 3,
        "time": "2026-01-02T03:04:05Z",
        "nested": {"levels": [["1", 2.5]]},
        "foreign": "1.5",
    }
    assert said(ChainMap({"a": 1}, {"b": 2})) == {"a": 1, "b": 2}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_nan_is_not_encoded_like_a_missing_value(number) -> None:
    assert said({"bid": number, "ask": None}) == {"bid": str(number), "ask": None}


def test_an_unusable_item_becomes_a_text_with_the_reason() -> None:
    circle: dict = {}
    circle["self"] = circle
    assert said([1]) == "Expected a dict, was a list"
    assert said(None) == "Expected a dict, was None"
    assert "RecursionError" in said(circle)
    assert said({"raw": "\ud800"}).startswith(
        "Expected a dict that can be encoded: UnicodeEncodeError"
    )
    assert said({"a": "x" * 100}, max_bytes=50) == "Expected a dict of at most 50 bytes, was 108"


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.builds(Foreign),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.dictionaries(st.text() | st.integers() | st.binary(), inner)
    ),
    max_leaves=10,
)


@given(ANYTHING)
def test_any_item_becomes_json_and_an_object_only_if_it_was_a_dict(item) -> None:
    frame = said(item)
    assert isinstance(frame, dict | str)
    assert isinstance(item, dict) or isinstance(frame, str)


def test_a_quote_may_be_an_object_whose_attributes_are_read() -> None:
    quote = SimpleNamespace(
        symbol="BTC",
        bid=Decimal(1),
        ask=2.5,
        last=None,
        ts=datetime(2026, 1, 1, tzinfo=UTC),
        secret="x",
    )
    assert json.loads(quote_body(quote, 1_000)) == {
        "bid": "1",
        "ask": 2.5,
        "ts": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("quote", "kind"),
    [(None, "None"), (50_000.0, "a float"), (SimpleNamespace(last=None), "a SimpleNamespace")],
)
def test_an_object_without_attributes_of_a_quote_is_refused(quote, kind) -> None:
    with pytest.raises(TransportError, match=f"Expected a quote, was {kind}"):
        quote_body(quote, 1_000)


def test_an_error_whose_text_fails_is_described_by_its_type() -> None:
    assert described(KeyError("a")) == "KeyError: 'a'"
    assert described(Unspeakable()) == "Unspeakable"
