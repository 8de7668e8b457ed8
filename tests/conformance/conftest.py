from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder of recordings: PERPS_ACTORS_DATA, else ../shared/data."""
    root = Path(__file__).resolve().parents[2]
    folder = (root / os.environ.get("PERPS_ACTORS_DATA", "../shared/data")).resolve()
    if not (folder / "recordings").is_dir():
        pytest.skip(f"no recordings in {folder}; PERPS_ACTORS_DATA names their folder")
    return folder
