"""Remove settings from the environment, because the commands read it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

OURS = "PERPS_ACTORS_"
"""Prefix of the variables that say where the recordings are; they are not settings."""


@pytest.fixture(scope="session", autouse=True)
def no_settings_in_the_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [
            name for name in os.environ if name.startswith("PERPS_") and not name.startswith(OURS)
        ]:
            patch.delenv(name)
        yield
