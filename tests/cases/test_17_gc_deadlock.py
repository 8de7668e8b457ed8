"""A stream is garbage-collected while its own thread, or another, changes the subscribers."""

from __future__ import annotations

import asyncio
import gc
import threading

from perps_actors import PerpsSystem, Settings
from perps_actors.testing import FakeNetwork, SimulatedRuntime


class Client:
    """Holds a stream and itself, so that only the cyclic collector frees both."""

    def __init__(self, perps):
        self.me, self.stream = self, perps.stream()


def test_a_stream_is_collected_while_the_lock_of_the_subscribers_is_held():
    runtime = SimulatedRuntime()
    replace = {"runtime": runtime, "network": FakeNetwork(runtime.clock)}
    system = PerpsSystem(Settings(symbols=("BTCUSDT",), provenance="synthetic"), replace=replace)

    async def main():
        async with system as perps:
            lock = system._composition.parts.subscribers._changing
            Client(perps)
            collected = threading.Thread(target=gc.collect, daemon=True)
            with lock:
                collected.start()
                collected.join(timeout=5)
            assert not collected.is_alive(), "the collector waits for a lock"
            async with perps.stream():
                pass

    asyncio.run(main())
