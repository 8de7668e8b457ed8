"""The result of a round: one JSON line."""

from __future__ import annotations

import json
from typing import Any

import attrs


@attrs.define(kw_only=True)
class RoundResult:
    """The figures and violations of a round."""

    kind: str
    seed: int
    figures: dict[str, Any] = attrs.Factory(dict)
    violations: list[str] = attrs.Factory(list)

    def require(self, holds: object, what: str) -> None:
        """Note a violation unless the condition holds."""
        if not holds:
            self.violations.append(what)

    def show(self) -> None:
        """Print one JSON line."""
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
