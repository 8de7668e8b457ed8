"""Threads, descriptors, child processes and memory that a round leaves behind."""

from __future__ import annotations

import gc
import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

PATIENCE_S = 5.0
"""Seconds until released resources must be gone."""
LOOK_EVERY_S = 0.02


def child_processes() -> frozenset[int]:
    """Return the ids of the child processes, including zombies."""
    mine, children = str(os.getpid()), set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue  # the process ended meanwhile
            if stat.rpartition(")")[2].split()[1] == mine:
                children.add(int(folder.name))
    return frozenset(children)


def resident_mib() -> float:
    """Return the resident memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def _descriptors() -> frozenset[str]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{entry.name} -> {entry.readlink()}")
        except OSError:
            continue  # the descriptor that reads this folder
    return frozenset(found)


@attrs.frozen
class Belongings:
    """The resources of this process at one moment."""

    threads: frozenset[threading.Thread]
    descriptors: frozenset[str]
    children: frozenset[int]

    @classmethod
    def now(cls) -> Belongings:
        """Return the present resources."""
        gc.collect()
        return cls(frozenset(threading.enumerate()), _descriptors(), child_processes())

    def _beyond(self, before: Belongings) -> Iterator[str]:
        yield from (f"thread {thread.name}" for thread in self.threads - before.threads)
        yield from (
            f"descriptor {descriptor}" for descriptor in self.descriptors - before.descriptors
        )
        yield from (f"process {child}" for child in self.children - before.children)


def left_behind(before: Belongings) -> list[str]:
    """Return the resources that are new since `before` and do not go away in time."""
    pause, until_s = threading.Event(), time.monotonic() + PATIENCE_S
    while left := sorted(Belongings.now()._beyond(before)):  # noqa: SLF001 - of this module
        if time.monotonic() > until_s:
            return left
        pause.wait(LOOK_EVERY_S)
    return []
