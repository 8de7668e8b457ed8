"""Clients that others wrote, pointed at served venues, and the listings that they must find."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Literal

import attrs

from perps_actors.simulator.process import VenueProcess
from perps_actors.venues.contract import Endpoints


@attrs.frozen(kw_only=True)
class Listed:
    """A contract in the words of ccxt."""

    id: str
    symbol: str
    tick: float
    lot: float
    contract_size: float = 1.0

    @property
    def settle(self) -> str:
        return self.symbol.partition(":")[2]

    @property
    def inverse(self) -> bool:
        return self.symbol.startswith(f"{self.settle}/")


@attrs.frozen(kw_only=True)
class Foreign:
    """ccxt's client of a venue, and its use there."""

    name: str
    listed: tuple[Listed, ...]
    options: dict[str, Any] = attrs.Factory(dict)
    has_ticker: bool = True
    """Whether its ticker has the best prices; else they are a request of their own."""
    mark: dict[str, str] | None = None
    """Parameters of its request for the mark; None if its ticker has it."""
    watches: Literal["ticker", "best prices", "mark"] = "ticker"
    """Watched data: a whole ticker, best prices, or a ticker with the mark only."""
    trades: dict[str, str] = attrs.Factory(dict)
    """Parameters of its subscription to trades."""

    def serve(self, venue: str) -> VenueProcess:
        """Serve the venue with the listed contracts."""
        return VenueProcess.start(
            "--venue", venue, "--symbols", ",".join(listed.id for listed in self.listed)
        )

    def at(self, venue: VenueProcess, module: ModuleType) -> Any:
        """Return the client of `ccxt` or `ccxt.pro` with the venue's address only.

        Currencies are left out, because they need an account.
        """
        named = getattr(module, self.name)
        # A package for one venue leaves the watching class in its module.
        make = getattr(named, self.name) if isinstance(named, ModuleType) else named
        client = make(
            {"options": self.options, "enableRateLimit": False, "has": {"fetchCurrencies": False}}
        )
        client.urls["api"] = on_loopback(client.urls["api"], venue.endpoints)
        return client


def on_loopback(urls: Any, endpoints: Endpoints) -> Any:
    """Return a tree of addresses with the same paths on a served venue."""
    if isinstance(urls, dict):
        return {name: on_loopback(below, endpoints) for name, below in urls.items()}
    scheme, _, rest = urls.partition("://")
    return (endpoints.stream if scheme.startswith("ws") else endpoints.rest) + re.sub(
        r"^[^/]+", "", rest
    )


def addresses(urls: Any) -> Iterator[str]:
    """Yield the addresses of a tree."""
    if isinstance(urls, dict):
        for below in urls.values():
            yield from addresses(below)
    else:
        yield urls


SWAPS = {"defaultType": "swap", "fetchMarkets": {"types": ["swap"]}}
AGGREGATED = {"name": "aggTrade"}
FOREIGN = {
    "binance_futures": Foreign(
        name="binanceusdm",
        listed=(
            Listed(id="BTCUSDT", symbol="BTC/USDT:USDT", tick=0.1, lot=0.001),
            Listed(id="ETHUSDT", symbol="ETH/USDT:USDT", tick=0.01, lot=0.001),
            Listed(id="SOLUSDT", symbol="SOL/USDT:USDT", tick=0.001, lot=1),
        ),
        has_ticker=False,
        watches="best prices",
        mark={},
        trades=AGGREGATED,
    ),
    "binance_delivery": Foreign(
        name="binancecoinm",
        listed=(
            Listed(id="BTCUSD_PERP", symbol="BTC/USD:BTC", tick=0.1, lot=1, contract_size=100),
            Listed(id="ETHUSD_PERP", symbol="ETH/USD:ETH", tick=0.01, lot=1, contract_size=100),
        ),
        has_ticker=False,
        watches="best prices",
        mark={},
        trades=AGGREGATED,
    ),
    "bybit": Foreign(
        name="bybit",
        options={"fetchMarkets": {"types": ["linear"]}},
        listed=(
            Listed(id="BTCUSDT", symbol="BTC/USDT:USDT", tick=0.1, lot=0.001),
            Listed(id="ETHUSDT", symbol="ETH/USDT:USDT", tick=0.01, lot=0.001),
            Listed(id="SOLUSDT", symbol="SOL/USDT:USDT", tick=0.001, lot=1),
        ),
    ),
    "okx": Foreign(
        name="okx",
        options=SWAPS,
        listed=(
            Listed(
                id="BTC-USDT-SWAP", symbol="BTC/USDT:USDT", tick=0.1, lot=0.01, contract_size=0.01
            ),
            Listed(
                id="ETH-USDT-SWAP", symbol="ETH/USDT:USDT", tick=0.01, lot=0.01, contract_size=0.01
            ),
            Listed(
                id="SOL-USDT-SWAP", symbol="SOL/USDT:USDT", tick=0.01, lot=0.01, contract_size=0.01
            ),
        ),
        mark={"instType": "SWAP"},
    ),
    "gateio_futures": Foreign(
        name="gate",
        options=SWAPS | {"swap": {"fetchMarkets": {"settlementCurrencies": ["usdt"]}}},
        watches="best prices",
        listed=(
            Listed(id="BTC_USDT", symbol="BTC/USDT:USDT", tick=0.1, lot=1, contract_size=0.0001),
            Listed(id="ETH_USDT", symbol="ETH/USDT:USDT", tick=0.01, lot=1, contract_size=0.0001),
            Listed(id="SOL_USDT", symbol="SOL/USDT:USDT", tick=0.01, lot=1, contract_size=0.0001),
        ),
    ),
    "bitmex": Foreign(
        name="bitmex",
        listed=(
            Listed(id="XBTUSDT", symbol="BTC/USDT:USDT", tick=0.5, lot=100, contract_size=0.000001),
        ),
        watches="mark",
    ),
    "kraken_futures": Foreign(
        name="krakenfutures",
        listed=(
            Listed(id="PF_XBTUSD", symbol="BTC/USD:USD", tick=1, lot=0.0001),
            Listed(id="PF_ETHUSD", symbol="ETH/USD:USD", tick=0.1, lot=0.001),
            Listed(id="PI_XBTUSD", symbol="BTC/USD:BTC", tick=0.5, lot=1),
        ),
    ),
    "deribit": Foreign(
        name="deribit",
        listed=(
            Listed(id="BTC-PERPETUAL", symbol="BTC/USD:BTC", tick=0.5, lot=10),
            Listed(id="ETH-PERPETUAL", symbol="ETH/USD:ETH", tick=0.05, lot=1),
            Listed(id="ETH_USDC-PERPETUAL", symbol="ETH/USDC:USDC", tick=0.01, lot=0.001),
        ),
    ),
    "coinbase_international": Foreign(
        name="coinbaseinternational",
        listed=(
            Listed(id="BTC_USDC-PERPETUAL", symbol="BTC/USDC:USDC", tick=0.1, lot=0.0001),
            Listed(id="ETH_USDC-PERPETUAL", symbol="ETH/USDC:USDC", tick=0.01, lot=0.001),
        ),
    ),
}


def known(module: ModuleType, *venues: str) -> list[str]:
    """Return the clients that an installed package has, of some venues or of all."""
    return [venue for venue in venues or FOREIGN if hasattr(module, FOREIGN[venue].name)]
