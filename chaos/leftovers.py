"""What a round leaves behind: threads, descriptors, child processes, memory."""

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
"""How long what was let go may take to be gone."""
LOOK_EVERY_S = 0.02


def child_processes() -> frozenset[int]:
    """Return the process ids of this process' children, those that nobody has waited for included."""
    mine, children = str(os.getpid()), set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue  # it ended in the meantime
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
            continue  # the one with which the folder is read
    return frozenset(found)


@attrs.frozen
class Belongings:
    """What this process has at a moment."""

    threads: frozenset[threading.Thread]
    descriptors: frozenset[str]
    children: frozenset[int]

    @classmethod
    def now(cls) -> Belongings:
        """Return what it has now."""
        gc.collect()
        return cls(frozenset(threading.enumerate()), _descriptors(), child_processes())

    def _beyond(self, before: Belongings) -> Iterator[str]:
        yield from (f"thread {thread.name}" for thread in self.threads - before.threads)
        yield from (
            f"descriptor {descriptor}" for descriptor in self.descriptors - before.descriptors
        )
        yield from (f"process {child}" for child in self.children - before.children)


def left_behind(before: Belongings) -> list[str]:
    """Return what there is now that was not there before, once it had the time to go."""
    pause, until_s = threading.Event(), time.monotonic() + PATIENCE_S
    while left := sorted(Belongings.now()._beyond(before)):  # noqa: SLF001 - of this module
        if time.monotonic() > until_s:
            return left
        pause.wait(LOOK_EVERY_S)
    return []
