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

    The record has the event's fields as `event_kind`, `event_system`, `event_venue`,
    `event_symbol`, `event_venue_time_ns`, `event_received_ns`, `event_source`, `event_provenance`
    and `event_data` (a dictionary). They are not passed as `extra`, because `logging` refuses an
    `extra` that the host's own record factory has set already.
    """
    level = logging.WARNING if event.kind in WARNINGS else logging.INFO
    if not _logger.isEnabledFor(level):
        return
    data = dict(event.data)
    shown = " ".join(f"{name}={value}" for name, value in data.items() if value is not None)
    subject = event.symbol if event.symbol is not None else event.venue
    arguments = (event.kind, subject, shown)
    record = _logger.makeRecord(_logger.name, level, __file__, 0, "%s %s %s", arguments, None)
    fields = {f"event_{name}": getattr(event, name) for name in event.__struct_fields__}
    vars(record).update(fields, event_data=data)
    _logger.handle(record)


def somebody_reads() -> bool:
    """Return whether the host has set up logging that would show events."""
    logger: logging.Logger | None = _logger
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False
