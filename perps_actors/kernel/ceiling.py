"""How much memory can wait in inboxes at most. Every inbox is bounded in items, and what is large in bytes, so it can be computed."""

from __future__ import annotations

import attrs

from perps_actors.kernel.inbox import InboxPolicy, Overflow

_MIB = 2**20


@attrs.frozen(kw_only=True)
class CeilingRow:
    """One place where messages wait."""

    name: str
    items: int
    """The most items that wait there."""
    item_bytes: int
    """What the heaviest of its items takes when it comes as a message of its own, without what it holds of the outside."""
    held_bytes: int = 0
    """The most bytes of the outside that all items together hold."""

    @property
    def total(self) -> int:
        """The most bytes that wait there."""
        return self.items * self.item_bytes + self.held_bytes


@attrs.frozen
class MemoryCeiling:
    """What all that can wait in a system takes at most; windows, books and the interpreter itself are not in it."""

    rows: tuple[CeilingRow, ...]

    @property
    def total(self) -> int:
        """The most bytes that wait anywhere in the system."""
        return sum(row.total for row in self.rows)

    def __str__(self) -> str:
        """Return a table: a line a row, and the total."""
        lines = [f"{'inbox':<16} {'items':>8} {'B/item':>8} {'held MiB':>9} {'total MiB':>10}"]
        for row in self.rows:
            held, total = row.held_bytes / _MIB, row.total / _MIB
            lines.append(
                f"{row.name:<16} {row.items:>8} {row.item_bytes:>8} {held:>9.1f} {total:>10.1f}"
            )
        lines.append(f"{'all':<16} {'':>8} {'':>8} {'':>9} {self.total / _MIB:>10.1f}")
        return "\n".join(lines)


def most_items(policy: InboxPolicy) -> int:
    """Return how many data items an inbox may hold: what may not be shed is taken up to twice the bound.

    One batch that is longer than the bound itself is taken into an inbox that drops the oldest, and is not counted here; nor are
    control, orders, timers and questions, of which there are few.
    """
    return policy.bound if policy.overflow is Overflow.DROP_OLDEST else 2 * policy.bound
