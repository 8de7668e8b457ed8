"""BitMEX left ccxt for a package that takes the name of ccxt, so it needs its own process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.simulator import test_foreign_clients, test_foreign_streams

DEADLINE_S = 120
UNDER_THE_NAME_OF_CCXT = "import bitmex, pytest, sys; sys.exit(pytest.main(sys.argv[1:]))"


def test_bitmex_own_client_passes_the_tests_of_other_clients() -> None:
    files = [str(test.__file__) for test in (test_foreign_clients, test_foreign_streams)]
    command = [sys.executable, "-c", UNDER_THE_NAME_OF_CCXT, "-v", "-p", "no:cacheprovider", *files]
    played = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert played.returncode == 0, played.stdout[-4000:] + played.stderr[-4000:]
    assert set(re.findall(r"(\w+)\.py::\w+\[bitmex\] PASSED", played.stdout)) == {
        Path(file).stem for file in files
    }
