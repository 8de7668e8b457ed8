"""Figures as a running system would give them, for tests of how they are shown."""

from __future__ import annotations

from decimal import Decimal

from perps_actors.cli.observer import Figures, Problem, Row, SystemFigures
from perps_actors.cli.table import StyledLine
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.market.feed_state import Health


def row(symbol: str = "BTCUSDT", **changed) -> Row:
    known = {
        "venue": "binance_futures",
        "mark": Decimal("117234.55"),
        "source": "book",
        "age_ns": NS_PER_S // 10,
        "venue_mark": Decimal("117230.12345678"),
        "places": 2,
        "bid": Decimal("117234.5"),
        "ask": Decimal("117234.6"),
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
        "bid",
        "ask",
        "marks_per_s",
        "health",
    )
    return row(symbol, held=0, **dict.fromkeys(names))


def figures(
    *rows: Row,
    hidden: tuple[tuple[str, int], ...] = (),
    problems: tuple[Problem, ...] = (),
    **changed,
) -> Figures:
    known = {
        "markets": (("binance_futures", "synthetic"),),
        "running_ns": 83 * NS_PER_S,
        "queued": 0,
        "oldest_age_ns": None,
        "restarts": 0,
        "dropped": 0,
        "events_per_s": 32.0,
        "journal_kept": True,
        "journal_error": None,
        "queue_limit_bytes": 1_692 * 2**20,
        "frames": None,
    }
    system = SystemFigures(**known | changed)
    return Figures(rows=rows, hidden=hidden, problems=problems, system=system)


def text_of(lines: tuple[StyledLine, ...]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]
