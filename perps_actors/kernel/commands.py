"""What a host orders of a supervisor. All of it control; each carries the future on which the host waits."""

from __future__ import annotations

import attrs

from perps_actors.kernel.children import Child
from perps_actors.kernel.future import Answer


@attrs.frozen
class StartChildren:
    """Start all children, each once the one before it is up; `done` gets None, or `StartFailed` after those that were up stopped."""

    control = True
    done: Answer


@attrs.frozen(kw_only=True)
class StopChildren:
    """Stop all children in reverse order within the deadline; `done` gets a `StopReport`.

    Repeated, it gets the same report; the earlier deadline holds, and an order to stop overrides one to drain.
    """

    control = True
    drain: bool
    """Handle what waits first; else go ahead of it and report it as left."""
    deadline_s: float
    done: Answer


@attrs.frozen
class AddChild:
    """Take in and start one more child, last in the order; `done` gets None once it is up, or `StartFailed` and it is forgotten."""

    control = True
    child: Child
    done: Answer


@attrs.frozen(kw_only=True)
class RemoveChild:
    """Stop one child and forget it, within its own stop deadline; `done` gets the number of items it left."""

    control = True
    name: str
    drain: bool
    done: Answer
