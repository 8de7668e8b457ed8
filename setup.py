"""What `setup.cfg` cannot say: with PERPS_ACTORS_COMPILE=1 in the environment, decoding is compiled to machine code by mypyc.

It takes mypy and a C compiler, so nothing is compiled unless it is asked for. The modules behave alike, decoding a tenth to a quarter more.
"""

import os
from typing import Any

from setuptools import setup

COMPILED = (
    "perps_actors/market/book.py",
    "perps_actors/market/numbers.py",
    "perps_actors/venues/fields.py",
    "perps_actors/venues/following.py",
    "perps_actors/venues/pushed_book.py",
    "perps_actors/venues/renewed_book.py",
    "perps_actors/venues/spelling.py",
    "perps_actors/venues/symbols.py",
    "perps_actors/venues/synced_book.py",
    "perps_actors/venues/touches.py",
    "perps_actors/venues/tracked.py",
    "perps_actors/venues/binance_futures/readings.py",
    "perps_actors/venues/binance_futures/stream.py",
    "perps_actors/venues/bitmex/keyed_book.py",
    "perps_actors/venues/bitmex/readings.py",
    "perps_actors/venues/bitmex/stream.py",
    "perps_actors/venues/bitmex/tables.py",
    "perps_actors/venues/bybit/followed.py",
    "perps_actors/venues/bybit/readings.py",
    "perps_actors/venues/bybit/stream.py",
    "perps_actors/venues/deribit/readings.py",
    "perps_actors/venues/deribit/stream.py",
    "perps_actors/venues/kraken_futures/readings.py",
    "perps_actors/venues/kraken_futures/stream.py",
    "perps_actors/venues/okx/followed.py",
    "perps_actors/venues/okx/readings.py",
    "perps_actors/venues/okx/stream.py",
)


def _extensions() -> list[Any]:
    if os.environ.get("PERPS_ACTORS_COMPILE") != "1":
        return []
    from mypyc.build import mypycify  # noqa: PLC0415 - mypy is there only where something is to be compiled

    return mypycify(list(COMPILED), opt_level="3", debug_level="0")


setup(ext_modules=_extensions())
