"""How much memory can wait between the actors of a system at most."""

from __future__ import annotations

from collections.abc import Iterable

from perps_actors.journal.group import RecordingPolicy
from perps_actors.kernel.ceiling import CeilingRow, MemoryCeiling, most_items
from perps_actors.kernel.cell import Cell
from perps_actors.transport.limits import READ_BYTES, Limits

MARK_BYTES = 448
"""A mark in a message of its own: message, tuple, mark, decimal and three times. In a batch it takes less."""
EVENT_BYTES = 1_536
"""An event in a message of its own, with two texts of 300 characters; that of a mark takes less."""
FRAME_BYTES = 320
"""A frame in a message of its own, without its payload."""
ANSWER_BYTES = 512
"""An answer in a message of its own, without its body."""

_ITEM_BYTES = {
    "event_recorder": EVENT_BYTES,
    "stream_consumer": FRAME_BYTES,
    "quote_poller": ANSWER_BYTES,
}


def memory_ceiling(
    cells: Iterable[Cell], *, connections: int, requests: int, gate_bytes: int
) -> MemoryCeiling:
    """Return the ceiling of a system, inbox by inbox.

    Args:
        cells: the actors' cells.
        connections: that a consumer reads at a time; each may bring one more read after the gate has shut.
        requests: that may be answered while nobody takes the answers.
        gate_bytes: bytes of frames at which sources stop reading.
    """
    limits = Limits()
    frames_bytes = gate_bytes + connections * (limits.max_message_bytes + READ_BYTES)
    rows = [
        CeilingRow(
            name=cell.name,
            items=most_items(cell.inbox.policy),
            item_bytes=_ITEM_BYTES.get(cell.name, MARK_BYTES),
            held_bytes=frames_bytes if cell.name == "stream_consumer" else 0,
        )
        for cell in cells
    ]
    # What may be dropped is, beyond it; other events are few.
    backlog = CeilingRow(
        name="journal backlog", items=RecordingPolicy().backlog, item_bytes=EVENT_BYTES
    )
    answers = CeilingRow(
        name="answers",
        items=requests,
        item_bytes=ANSWER_BYTES,
        held_bytes=requests * limits.max_answer_bytes,
    )
    return MemoryCeiling((*rows, backlog, answers))
