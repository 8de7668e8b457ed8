"""Values from text, as variables of the environment hold them. Each function raises ValueError that says what was expected."""

from __future__ import annotations

import re

from perps_actors.market.numbers import decimal_text

YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"0", "false", "no", "off"})

_WHOLE = re.compile(r"-?\d{1,30}", re.ASCII)


def truth(text: str, yes: frozenset[str] = YES) -> bool:
    """Return what a word in any case says.

    Raises:
        ValueError: a word that is neither.
    """
    word = text.strip().lower()
    if word not in yes and word not in NO:
        msg = f"expected one of {', '.join(sorted(yes))} or {', '.join(sorted(NO))}"
        raise ValueError(msg)
    return word in yes


def whole(text: str) -> int:
    """Return a whole number.

    Raises:
        ValueError: anything but at most 30 ASCII digits.
    """
    if _WHOLE.fullmatch(text.strip()) is None:
        msg = "expected a whole number"
        raise ValueError(msg)
    return int(text)


def number(text: str) -> float:
    """Return a number, e.g. of seconds.

    Raises:
        MarketError: no number within the limits of `perps_actors.market.numbers`; also a ValueError.
    """
    return float(decimal_text(text.strip()))


def names(text: str, separators: str = ",") -> list[str]:
    """Return the names in a list, without blanks around them and without empty ones."""
    return [name for part in re.split(f"[{separators}]", text) if (name := part.strip())]
