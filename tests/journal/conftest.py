from __future__ import annotations

import pytest

from perps_actors.market.instrument import InstrumentId
from perps_actors.messages.records import event

EPOCH_NS = 1_700_000_000_000_000_000


def _mark(number, *, symbol="BTCUSDT", kind="ws_mark_update", **data):
    received_ns = EPOCH_NS + number * 1_000_000_000
    return event(
        kind,
        venue="binance_futures",
        received_ns=received_ns,
        provenance="synthetic",
        instrument=InstrumentId("binance_futures", symbol),
        venue_time_ns=received_ns - 5_000_000,
        source="book",
        mark=f"{20_000 + number}.5",
        **data,
    )


@pytest.fixture(scope="session")
def mark():
    """One mark update a number, a second apart."""
    return _mark


@pytest.fixture(scope="session")
def marks():
    """`count` mark updates, numbered from `start`."""
    return lambda start, count, **fields: tuple(_mark(start + i, **fields) for i in range(count))
