"""What came of a round: one JSON line."""

from __future__ import annotations

import json
from typing import Any

import attrs


@attrs.define(kw_only=True)
class RoundResult:
    """A round, what it did and what it broke."""

    kind: str
    seed: int
    figures: dict[str, Any] = attrs.Factory(dict)
    violations: list[str] = attrs.Factory(list)

    def require(self, holds: object, what: str) -> None:
        """Note what was broken, unless it holds."""
        if not holds:
            self.violations.append(what)

    def show(self) -> None:
        """Print as one JSON line."""
        print(
            json.dumps(
                {
                    "kind": self.kind,
                    "seed": self.seed,
                    **self.figures,
                    "violations": self.violations,
                }
            ),
            flush=True,
        )
