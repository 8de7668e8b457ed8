"""Quantiles of latencies."""

from __future__ import annotations


def quantiles(taken_ns: list[int]) -> dict[str, float]:
    """Return p50 and p99 in microseconds, leaving out the first tenth (start-up)."""
    ordered = sorted(taken_ns[len(taken_ns) // 10 :])
    return {
        name: ordered[int(len(ordered) * part)] / 1_000
        for name, part in (("p50", 0.50), ("p99", 0.99))
    }
