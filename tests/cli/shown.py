"""Figures as a running system would give them, for tests of how they are shown."""

from __future__ import annotations

from decimal import Decimal

from perps_actors.cli.figures import Ailment, Figures, Row, Whole
from perps_actors.cli.picture import Line
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.market.feed_state import Health


def row(symbol: str = "BTCUSDT", **changed) -> Row:
    known = {
        "mark": Decimal("117234.55"),
        "source": "book",
        "age_ns": NS_PER_S // 10,
        "venue_mark": Decimal("117230.12345678"),
        "places": 2,
        "spread_bp": 0.0085,
        "held": 25,
        "length": 25,
        "marks_per_s": 9.9,
        "health": Health.LIVE,
    }
    return Row(**{"symbol": symbol, **known, **changed})


def unknown_row(symbol: str = "NEWUSDT") -> Row:
    names = (
        "mark",
        "source",
        "age_ns",
        "venue_mark",
        "places",
        "spread_bp",
        "marks_per_s",
        "health",
    )
    return row(symbol, held=0, **dict.fromkeys(names))


def figures(
    *rows: Row,
    hidden: tuple[tuple[str, int], ...] = (),
    ailments: tuple[Ailment, ...] = (),
    **changed,
) -> Figures:
    known = {
        "venue": "binance_futures",
        "provenance": "synthetic",
        "running_ns": 83 * NS_PER_S,
        "waiting": 0,
        "oldest_age_ns": None,
        "restarts": 0,
        "dropped": 0,
        "events_per_s": 32.0,
        "kept": True,
        "failing": None,
        "ceiling_bytes": 1_692 * 2**20,
        "frames": None,
    }
    return Figures(rows=rows, hidden=hidden, ailments=ailments, whole=Whole(**known | changed))


def text_of(lines: tuple[Line, ...]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]
