"""Values as short printable text, measured in columns of a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from perps_actors.kernel.clock import NS_PER_S

UNKNOWN = "-"
"""Shown for a value that is not known."""
MORE = ".."
"""Ends a text that was cut off."""


def printable(text: str) -> str:
    """Return text on one line without control characters; they become `?`, so no cursor moves."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text occupies."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def cut(text: str, width: int) -> str:
    """Return a text cut to at most `width` columns."""
    if width_of(text) <= width:
        return text
    kept = text
    while kept and width_of(kept) > width - len(MORE):
        kept = kept[:-1]
    return (kept + MORE)[: max(width, 0)]


def padded(text: str, width: int, *, right: bool) -> str:
    """Return a text cut or padded to exactly `width` columns; `right` aligns it on the right."""
    text = cut(text, width)
    blank = " " * (width - width_of(text))
    return blank + text if right else text + blank


def folded(parts: Sequence[str], width: int, gap: str = "  ") -> list[str]:
    """Return the parts joined into as few lines as possible; a part wider than a line is cut."""
    lines: list[str] = []
    for part in parts:
        if lines and width_of(lines[-1]) + len(gap) + width_of(part) <= width:
            lines[-1] += gap + part
        else:
            lines.append(cut(part, width))
    return lines


def age(ns: int | None) -> str:
    """Return a duration in at most five characters, e.g. `0.3s`, `42s`, `7m`, `30h`, `12d`."""
    if ns is None:
        return UNKNOWN
    seconds = max(ns, 0) / NS_PER_S
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    for length, unit in ((1, "s"), (60, "m"), (3_600, "h")):
        if seconds < 100 * length:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds / 86_400:.0f}d"


def running_time(ns: int) -> str:
    """Return a duration as `h:mm:ss`."""
    minutes, seconds = divmod(ns // NS_PER_S, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def rate(per_s: float | None) -> str:
    """Return a rate in at most five characters, e.g. `0.5`, `120`, `34k`."""
    if per_s is None:
        return UNKNOWN
    if per_s < 9.95:
        return f"{per_s:.1f}"
    for size, unit in ((1, ""), (1e3, "k"), (1e6, "M")):
        if per_s < 9_999.5 * size:
            return f"{per_s / size:.0f}{unit}"
    return f"{per_s / 1e9:.0f}G"


def basis_points(value: float | None) -> str:
    """Return basis points, in at most five characters below 10,000: `0.01`, `12.5`, `140`."""
    if value is None:
        return UNKNOWN
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{decimals}f}"


def mebibytes(count: int) -> str:
    """Return a number of bytes in MiB."""
    return f"{count / 2**20:,.0f} MiB"
