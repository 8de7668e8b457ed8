"""What all batch messages share: how one item is taken out of them."""

from __future__ import annotations

from typing import TypeVar

import attrs

B = TypeVar("B")


def split_at(batch: B, field: str, index: int) -> tuple[B, B | None]:
    """Return the batch with only the item at `index` of its tuple `field`, and the batch with all items after it, if any."""
    items = getattr(batch, field)
    rest = items[index + 1 :]
    return _with(batch, field, items[index : index + 1]), _with(
        batch, field, rest
    ) if rest else None


def _with(batch: B, field: str, items: object) -> B:
    return attrs.evolve(batch, **{field: items})  # type: ignore[misc]
