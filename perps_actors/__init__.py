"""perps_actors keeps the marks of perpetual futures true and at hand inside a running process.

```python
from perps_actors import PerpsSystem, Settings

with PerpsSystem(Settings(symbols=("BTCUSDT", "ETHUSDT"))) as perps:
    mark = perps.mark("BTCUSDT")
```
"""

from __future__ import annotations

from perps_actors.errors import PerpsActorsError, SettingsError
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.settings import Settings
from perps_actors.system import PerpsSystem, SystemReport

__all__ = ["InstrumentId", "Mark", "PerpsActorsError", "PerpsSystem", "Settings", "SettingsError", "SystemReport"]
