"""Variables of the two systems that this library replaces: which are still read, which are not.

Where a variable of the trading bot has a counterpart here, its meaning is kept: the words for yes,
the lower limit of an interval, a hard limit twice the soft one. The bot replaced unusable values by
defaults; here they are errors. `docs/migrating.md` shows both tables.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import attrs

from perps_actors.settings.fields import YES, names, number, truth, whole

STREAMING_REST_FLOOR_S = 0.5

_BOT_YES = YES - {"on"}


@attrs.frozen
class Original:
    """A variable that is still read."""

    variable: str
    gives: tuple[str, ...]
    """Dotted names of the settings it gives."""
    read: Callable[[str], dict[str, Any]]
    """From its text to values by dotted name; ValueError for text it cannot have."""
    meaning: str


def _disabled(text: str) -> dict[str, Any]:
    return {"stream.enabled": False} if truth(text) else {}


def _staleness(text: str) -> dict[str, Any]:
    limit_s = float(whole(text))
    return {"risk.stale_soft_s": limit_s, "risk.stale_hard_s": 2 * limit_s}


STILL_READ = (
    Original(
        "TRADING_SYMBOLS",
        ("symbols",),
        lambda text: {"symbols": names(text, ",;")},
        "names separated by commas or semicolons, in the venue's spelling (not rewritten)",
    ),
    Original(
        "PERPS_ENABLE_STREAMING",
        ("stream.enabled",),
        lambda text: {"stream.enabled": truth(text, _BOT_YES)},
        "1, true, yes or 0, false, no, off; `on` did not count as yes and is refused",
    ),
    Original(
        "DISABLE_WS_STREAMING",
        ("stream.enabled",),
        _disabled,
        "1, true, yes or on: no streams, in spite of `PERPS_ENABLE_STREAMING`; "
        "0, false, no, off: no effect",
    ),
    Original(
        "PERPS_STREAMING_REST_INTERVAL",
        ("poll.interval_s",),
        lambda text: {"poll.interval_s": max(number(text), STREAMING_REST_FLOOR_S)},
        f"seconds, raised to {STREAMING_REST_FLOOR_S} if less; "
        "quotes are always polled, not only while streams fail",
    ),
    Original(
        "RISK_MAX_MARK_STALENESS_SECONDS",
        ("risk.stale_soft_s", "risk.stale_hard_s"),
        _staleness,
        "whole seconds: the soft limit; the hard limit is twice as long",
    ),
)
"""Applied in this order; a later one wins."""

NOT_READ: dict[str, tuple[str, ...]] = {
    "retired: there is one code path and nothing to roll back to": (
        "USE_NEW_MARKET_DATA_SERVICE",
        "USE_NEW_STREAMING_SERVICE",
        "USE_PERPS_BOT_BUILDER",
        "USE_BUILDER_PATTERN",
        "USE_LIFECYCLE_SERVICE",
    ),
    "no orders, positions or accounts yet": (
        "PERPS_PAPER",
        "PERPS_SKIP_RECONCILE",
        "PERPS_POSITION_FRACTION",
        "PERPS_COLLATERAL_ASSETS",
        "PERPS_SPECS_PATH",
        "SPOT_FORCE_LIVE",
        "ORDER_PREVIEW_ENABLED",
        "SLIPPAGE_MULTIPLIERS",
        "RISK_*",
    ),
    "`perps-actors run` without a venue runs on a synthetic one": ("PERPS_FORCE_MOCK",),
    "the host configures logging; events go to the journal": (
        "PERPS_DEBUG",
        "PERPS_LOG_DIR",
        "PERPS_LOG_MAX_BYTES",
        "PERPS_LOG_BACKUP_COUNT",
        "PERPS_CRIT_LOG_*",
        "PERPS_MIN_LOG_LEVEL",
        "PERPS_JSON_CONSOLE",
    ),
    "a journal is one file with one writer: `PERPS_JOURNAL_PATH`": (
        "EVENT_STORE_ROOT",
        "GPT_TRADER_RUNTIME_ROOT",
    ),
    "one settings file holds everything: `perps-actors run --config FILE`": (
        "RISK_CONFIG_PATH",
        "SPOT_PROFILE_PATH",
    ),
    "a venue's addresses are built in; those of a simulator are set under `[endpoints]`": (
        "COINBASE_WS_URL",
        "COINBASE_API_BASE",
    ),
    "the venue is set by `PERPS_VENUE`; public data need no key": ("BROKER", "COINBASE_*", "CDP_*"),
    "where the tests of this package find the recordings": ("PERPS_ACTORS_*",),
}
"""Reason or replacement, and the variables that have no effect (`*`: all with this prefix)."""


def is_not_read(variable: str) -> bool:
    """Tell whether a variable is known and changes nothing."""
    return any(
        fnmatchcase(variable, pattern) for patterns in NOT_READ.values() for pattern in patterns
    )
