"""One line of output, and how it is made of rounds."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence

import attrs


@attrs.frozen(kw_only=True)
class Result:
    """A measured figure beside its baseline; ratios above 1 are better than the baseline whatever the unit."""

    benchmark: str
    variant: str
    value: float
    unit: str
    baseline: float
    ratio: float

    def show(self) -> None:
        """Print as one JSON line."""
        line = {
            name: round(v, 6) if isinstance(v, float) else v
            for name, v in attrs.asdict(self).items()
        }
        print(json.dumps(line), flush=True)


def of_rounds(
    benchmark: str,
    variant: str,
    unit: str,
    rounds: Sequence[tuple[float, float]],
    *,
    smaller_is_better: bool = False,
) -> Result:
    """Return the medians of rounds of (value, baseline), and the median of their ratios."""
    ratios = [
        baseline / value if smaller_is_better else value / baseline for value, baseline in rounds
    ]
    return Result(
        benchmark=benchmark,
        variant=variant,
        value=statistics.median(value for value, _ in rounds),
        unit=unit,
        baseline=statistics.median(baseline for _, baseline in rounds),
        ratio=statistics.median(ratios),
    )
