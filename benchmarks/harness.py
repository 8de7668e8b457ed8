"""The lines that a benchmark prints, and the processes that it starts."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

ROOT = Path(__file__).resolve().parent.parent


@attrs.frozen(kw_only=True)
class Result:
    """A measured figure and, where there is one, its baseline from the same run."""

    benchmark: str
    variant: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    """Median of the rounds' ratios to the baseline; above 1 is better in every unit."""

    def show(self) -> None:
        """Print the result as one JSON line."""
        line = {
            name: round(v, 6) if isinstance(v, float) else v
            for name, v in attrs.asdict(self).items()
        }
        print(json.dumps(line), flush=True)


def compared(
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


def measured(benchmark: str, variant: str, unit: str, rounds: Sequence[float]) -> Result:
    """Return the median of rounds that are compared with nothing."""
    return Result(benchmark=benchmark, variant=variant, value=statistics.median(rounds), unit=unit)


def quantiles(taken_ns: list[int]) -> dict[str, float]:
    """Return p50 and p99 in microseconds, without the first tenth, during which a client starts."""
    ordered = sorted(taken_ns[len(taken_ns) // 10 :])
    return {
        name: ordered[int(len(ordered) * part)] / 1_000
        for name, part in (("p50", 0.50), ("p99", 0.99))
    }


@contextmanager
def ticker_server(count: int, rate: float = 0) -> Iterator[str]:
    """Serve `count` frames to each client of `/public`, and yield the address without scheme."""
    command = [sys.executable, "-m", "benchmarks.ticker_server", str(count), str(rate)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield f"127.0.0.1:{server.stdout.readline().strip()}"
        server.stdin.close()


def output_of(*command: str, environment: Mapping[str, str] | None = None) -> Any:
    """Run a client to its end and return the JSON object that it printed last."""
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )
    if done.returncode:
        sys.exit(f"benchmarks: exit code {done.returncode} of {' '.join(command)}")
    return json.loads(done.stdout.splitlines()[-1])


def python(module: str, *arguments: str) -> Any:
    """Run a module of this folder as a client in a process of its own."""
    return output_of(sys.executable, "-m", f"benchmarks.{module}", *arguments)
