"""Numbers of JSON as the venue spelled them, taken as text: a float in between would change them."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Raw

from perps_actors.errors import MarketError
from perps_actors.market import plain
from perps_actors.market.numbers import DecimalText, decimal_text, positive
from perps_actors.market.plain import spelled

JsonNumber = Any
"""A JSON number as spelled, in a record whose decoder has the `float_hook` str: text, or an integer, which has but one spelling."""

_NULL: Final = "null"
_MAX_LENGTH: Final = 60


def text_of(raw: Raw) -> DecimalText | None:
    """Return the text of a JSON number or of a string that may hold one, ahead of its check; None where it is absent or null.

    Raises:
        MarketError: longer than any number that is taken.
    """
    text = str(raw, "utf-8", "replace")
    if not text or text == _NULL:
        return None
    if len(text) > _MAX_LENGTH:
        msg = f"Expected a number, was {text[:_MAX_LENGTH]!r}"
        raise MarketError(msg)
    return DecimalText(text[1:-1] if text[0] == '"' else text)


def spelled_if_any(number: Raw) -> DecimalText | None:
    """Return a JSON number as spelled, ahead of its check; None where the field was not sent or is null."""
    text = spelled(number)
    return text if text and text != _NULL else None


def numbers_of(*numbers: Raw) -> list[DecimalText | None]:
    """Return numbers; None for a field that was not sent or is null.

    Raises:
        MarketError: anything else that is no number within the limits.
    """
    texts = plain.numbers_of(*numbers)
    return texts if texts is not None else [number_of(number) for number in numbers]


def number_of(number: Raw) -> DecimalText | None:
    """Return a number; None where the field was not sent or is null.

    Raises:
        MarketError: anything else that is no number within the limits.
    """
    text = spelled_if_any(number)
    return decimal_text(text) if text is not None else None


def positive_of(number: Raw) -> DecimalText | None:
    """Return a number above zero; None where the field was not sent or is null.

    Raises:
        MarketError: anything else that is no number above zero.
    """
    text = spelled_if_any(number)
    return positive(text) if text is not None else None


def amount_of(number: Raw) -> DecimalText | None:
    """Return a number of zero or more; None where the field was not sent or is null.

    Raises:
        MarketError: anything else that is no number, or one below zero.
    """
    text = number_of(number)
    return positive(text) if text is not None and text.startswith("-") else text
