"""How a system is composed: `phases` in the order in which it is set up, `actors` with one factory an actor."""

from __future__ import annotations

from perps_actors.host.composing.phases import Composition, Replacements, compose

__all__ = ["Composition", "Replacements", "compose"]
