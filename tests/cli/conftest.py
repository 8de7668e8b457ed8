"""The commands read the environment: whoever runs the tests may have settings in theirs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

OURS = "PERPS_ACTORS_"
"""Where the recordings are; no setting."""


@pytest.fixture(scope="session", autouse=True)
def no_settings_in_the_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [
            name for name in os.environ if name.startswith("PERPS_") and not name.startswith(OURS)
        ]:
            patch.delenv(name)
        yield
