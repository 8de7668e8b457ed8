"""What every test leaves behind: no thread and no registered actor."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pykka
import pytest

PATIENCE_S = 3.0
FOREIGN = ("Thread-", "Dummy-", "asyncio_", "ThreadPoolExecutor", "pytest", "MainThread")
"""Names that the interpreter and the libraries give."""


def _ours() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith(FOREIGN)}


@pytest.fixture(autouse=True)
def nothing_lives_on() -> Iterator[None]:
    before = _ours()
    yield
    end = time.monotonic() + PATIENCE_S
    for thread in _ours() - before:
        thread.join(max(0.0, end - time.monotonic()))
    assert sorted(thread.name for thread in _ours() - before) == []
    registered = pykka.ActorRegistry.get_all()
    pykka.ActorRegistry.stop_all(timeout=PATIENCE_S)
    assert registered == []
