"""Keep validated mid prices of perpetual futures in a process, readable from any thread.

A *mark* is our mid price; the exchange's own mark price is the *venue mark*.

```python
from perps_actors import PerpsSystem, Settings

with PerpsSystem(Settings(symbols=("BTCUSDT", "ETHUSDT"))) as perps:
    mark = perps.mark("BTCUSDT")
```

The names of this module are public. `perps_actors.testing` is for tests of host programs,
`perps_actors.kernel` for actors without a market.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from perps_actors.errors import (
    ActorUnavailable,
    AskTimeout,
    CompositionFailed,
    ForkedSystem,
    PartAbsent,
    PerpsActorsError,
    ReconfigureFailed,
    SettingsError,
    StartFailed,
)
from perps_actors.host.logging import log_event
from perps_actors.host.readings import Marks, SystemReport, SystemStatistics
from perps_actors.host.subscriptions import Subscription, SubscriptionStatistics
from perps_actors.host.system import PerpsSystem
from perps_actors.kernel.inbox import InboxPolicy, Overflow
from perps_actors.market.events import VenueMark
from perps_actors.market.feed_state import Health, Judgement
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.records import Event, JournalStatus
from perps_actors.messages.risk import Verdict
from perps_actors.settings import (
    Change,
    JournalSettings,
    Market,
    MarkSettings,
    MonitorSettings,
    PollSettings,
    RiskSettings,
    Settings,
    StreamSettings,
    SupervisionSettings,
    settings_of,
)
from perps_actors.venues.contract import Endpoints

if TYPE_CHECKING:
    from perps_actors.host.async_system import AsyncPerps, HostStream
    from perps_actors.host.session import RunOptions, Session
    from perps_actors.transport.broker import HostBroker

__all__ = [
    "ActorUnavailable",
    "AskTimeout",
    "AsyncPerps",
    "Change",
    "CompositionFailed",
    "Endpoints",
    "Event",
    "ForkedSystem",
    "Health",
    "HostBroker",
    "HostStream",
    "InboxPolicy",
    "InstrumentId",
    "JournalSettings",
    "JournalStatus",
    "Judgement",
    "Mark",
    "Market",
    "MarkSettings",
    "Marks",
    "MonitorSettings",
    "Overflow",
    "PartAbsent",
    "PerpsActorsError",
    "PerpsSystem",
    "PollSettings",
    "ReconfigureFailed",
    "RiskSettings",
    "RunOptions",
    "Session",
    "Settings",
    "SettingsError",
    "StartFailed",
    "StreamSettings",
    "Subscription",
    "SubscriptionStatistics",
    "SupervisionSettings",
    "SystemReport",
    "SystemStatistics",
    "VenueMark",
    "Verdict",
    "log_event",
    "settings_of",
]

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())

_LATE = {
    "RunOptions": "perps_actors.host.session",
    "Session": "perps_actors.host.session",
    "AsyncPerps": "perps_actors.host.async_system",
    "HostStream": "perps_actors.host.async_system",
    "HostBroker": "perps_actors.transport.broker",
}
"""What not everyone needs and is slow to import."""


def __getattr__(name: str) -> Any:
    """Import what was left for later."""
    if name in _LATE:
        from importlib import import_module  # noqa: PLC0415 - as late as the rest

        return getattr(import_module(_LATE[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
