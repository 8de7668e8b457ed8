"""The children of a supervisor, in the order in which they start. Plain rules of that order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perps_actors.kernel.children import Child, ChildState
from perps_actors.kernel.orders import Recycle


class Brood:
    """Children by name and by order."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = {child.name: child for child in children}

    def __iter__(self) -> Iterator[Child]:
        """Go through the children, first started first."""
        return iter(tuple(self._children.values()))

    def __reversed__(self) -> Iterator[Child]:
        """Go through the children, last started first."""
        return reversed(tuple(self._children.values()))

    def get(self, name: str) -> Child | None:
        """Return the child of that name; None when there is none (any more)."""
        return self._children.get(name)

    def add(self, child: Child) -> None:
        """Take in a child, last in the order."""
        self._children[child.name] = child

    def remove(self, child: Child) -> None:
        """Forget a child."""
        del self._children[child.name]

    def first(self, state: ChildState) -> Child | None:
        """Return the first child in that state."""
        return next((child for child in self if child.state is state), None)

    def recycle_after(self, child: Child) -> None:
        """End those that were started after a child that died; their inboxes stay for those that follow them."""
        names = list(self._children)
        for name in names[names.index(child.name) + 1 :]:
            later = self._children[name]
            if later.state in {ChildState.RUNNING, ChildState.STARTING}:
                later.state = ChildState.RECYCLING
                later.cell.address.tell(Recycle())
            elif later.state is ChildState.BACKING_OFF:
                later.state = ChildState.RECYCLED

    def next_recycled(self) -> Child | None:
        """Return who comes up next of those that were recycled; None while another is coming up, ending or pausing."""
        busy = {ChildState.STARTING, ChildState.BACKING_OFF, ChildState.RECYCLING}
        if any(child.state in busy for child in self):
            return None
        return self.first(ChildState.RECYCLED)
