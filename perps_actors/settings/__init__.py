"""Settings of a system: frozen and validated; from code, the environment or a TOML file.

`Settings(...)` makes them in code; `settings_of(file=..., environ=..., table=...)` from several
places, each overriding the one before.
"""

from __future__ import annotations

from perps_actors.settings.environment import table_from_environment
from perps_actors.settings.fields import (
    CHANGEABLE,
    Change,
    can_change,
    changes_between,
    refuse_unchangeable,
)
from perps_actors.settings.layers import Layer, Layers, layers_of, settings_of
from perps_actors.settings.sections import (
    HOST_BROKER,
    JournalSettings,
    Market,
    MarkSettings,
    MonitorSettings,
    PollSettings,
    RiskSettings,
    Settings,
    StreamSettings,
    SupervisionSettings,
)
from perps_actors.settings.toml import SettingsFile, read_settings, settings_from

__all__ = [
    "HOST_BROKER",
    "JournalSettings",
    "Market",
    "MarkSettings",
    "MonitorSettings",
    "PollSettings",
    "RiskSettings",
    "Settings",
    "StreamSettings",
    "SupervisionSettings",
    "Layer",
    "Layers",
    "layers_of",
    "read_settings",
    "settings_from",
    "settings_of",
    "table_from_environment",
    "CHANGEABLE",
    "Change",
    "can_change",
    "changes_between",
    "refuse_unchangeable",
    "SettingsFile",
]
