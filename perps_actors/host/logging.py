"""Events in the host's logs, under `perps_actors.events`, with their fields in the record."""

from __future__ import annotations

import logging
from typing import Final

from perps_actors.messages.records import Event

_logger = logging.getLogger("perps_actors.events")

WARNINGS: Final = frozenset(
    {
        "actor_died",
        "actor_given_up",
        "actor_stop_failed",
        "book_withdrawn",
        "clock_stepped",
        "event_unfit",
        "held_up",
        "hole",
        "input_rejected",
        "journal_repaired",
        "poll_failed",
        "stale_mark_price",
        "subscriber_failed",
        "subscriber_removed",
        "supervisor_failed",
        "venue_offset_rose",
        "ws_stream_error",
    }
)
"""Kinds of events that are logged as warnings; all others are information."""


def log_event(event: Event) -> None:
    """Log an event; subscribe it: `perps.subscribe(log_event, Event)`.

    The record has `event_kind`, `system`, `venue`, `symbol`, `provenance`, `venue_time_ns`,
    `received_ns` and `event_data` (a dictionary).
    """
    level = logging.WARNING if event.kind in WARNINGS else logging.INFO
    if _logger.isEnabledFor(level):
        data = dict(event.data)
        fields = " ".join(f"{name}={value}" for name, value in data.items() if value is not None)
        _logger.log(
            level,
            "%s %s %s",
            event.kind,
            event.symbol if event.symbol is not None else event.venue,
            fields,
            extra={
                "event_kind": event.kind,
                "system": event.system,
                "venue": event.venue,
                "symbol": event.symbol,
                "provenance": event.provenance,
                "venue_time_ns": event.venue_time_ns,
                "received_ns": event.received_ns,
                "event_data": data,
            },
        )


def somebody_reads() -> bool:
    """Return whether the host has set up logging that would show events."""
    logger: logging.Logger | None = _logger
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False
