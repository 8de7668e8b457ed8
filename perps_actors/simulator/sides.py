"""Venues whose side the simulator can take: one entry a venue, each made of its own room's code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final, Protocol

import attrs

from perps_actors.errors import SimulatorError
from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.simulator.market import Terms
from perps_actors.simulator.venue_contract import (
    Channel,
    Depth,
    MarketView,
    RestAnswer,
    StreamSession,
    WeightAccount,
)
from perps_actors.simulator.venues.binance_futures.rest import BinanceRestSide
from perps_actors.simulator.venues.binance_futures.stream import BinanceStreams
from perps_actors.simulator.venues.bitmex.rest import BitmexRestSide
from perps_actors.simulator.venues.bitmex.stream import BitmexStreams
from perps_actors.simulator.venues.bybit.rest import BybitRestSide
from perps_actors.simulator.venues.bybit.stream import BybitStreams
from perps_actors.simulator.venues.deribit.rest import DeribitRestSide
from perps_actors.simulator.venues.deribit.stream import DeribitStreams
from perps_actors.simulator.venues.gateio_futures.rest import GateioRestSide
from perps_actors.simulator.venues.gateio_futures.stream import GateioStreams
from perps_actors.simulator.venues.htx_swap.rest import HtxRestSide
from perps_actors.simulator.venues.htx_swap.stream import HtxStreams
from perps_actors.simulator.venues.kraken_futures.rest import KrakenFuturesRestSide
from perps_actors.simulator.venues.kraken_futures.stream import KrakenFuturesStreams
from perps_actors.simulator.venues.okx.rest import OkxRestSide
from perps_actors.simulator.venues.okx.stream import OkxStreams
from perps_actors.venues.binance_futures.schema import COIN_M, USD_M, Dialect


class StreamSide(Protocol):
    """A venue's streams as it sends them."""

    @property
    def StreamSession(self) -> Callable[[str, str], StreamSession]:  # noqa: N802 - a class of the venue's module
        """Makes a session of a request's path and query; `VenueError` for a path on which there are no streams."""

    def snapshot_frame(self, book: Depth) -> tuple[str, bytes] | None:
        """Return the snapshot of a book that a subscription begins with as (stream, frame); None where REST has it."""

    def depth_frames(self, change: Depth) -> Sequence[tuple[str, bytes]]:
        """Return what tells a change of a book, as (stream, frame)."""

    def trade_frame(self, trade: Trade) -> tuple[str, bytes]:
        """Return a trade as (stream, frame)."""

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream a frame belongs to."""

    def channel_of(self, stream: str) -> Channel:
        """Return what a stream carries."""

    def symbol_of(self, stream: str) -> str:
        """Return the symbol a stream is about."""

    def route_of(self, stream: str) -> str:
        """Return the kind of connection that carries a stream."""

    def read_depth(self, frame: bytes) -> Depth:
        """Return the change of a book in a frame."""

    def read_touch(self, frame: bytes) -> Touch:
        """Return the best bid and ask in a frame."""

    def read_mark(self, frame: bytes) -> tuple[VenueMark, Funding]:
        """Return the venue's mark and funding in a frame."""


class ApartSide(StreamSide, Protocol):
    """Streams of a venue that tells touch and mark apart."""

    def touch_frame(self, touch: Touch, update: int) -> tuple[str, bytes]:
        """Return a best bid and ask as (stream, frame)."""

    def first_mark_frame(self, mark: VenueMark, funding: Funding) -> tuple[str, bytes] | None:
        """Return the mark that a subscription begins with as (stream, frame); None where no message of the stream needs one before."""

    def mark_frames(self, mark: VenueMark, funding: Funding) -> Sequence[tuple[str, bytes]]:
        """Return what tells the venue's mark with its funding, as (stream, frame)."""


TickerSide = BybitStreams | DeribitStreams | KrakenFuturesStreams
"""Streams of venues that tell touch, mark, funding and open interest in one ticker."""


class RestSide(Protocol):
    """A venue's REST answers as it gives them."""

    @property
    def WeightAccount(self) -> Callable[[], WeightAccount]:  # noqa: N802 - a class of the venue's module
        """Makes the account of one address."""

    def answer(self, path: str, query: str, market: MarketView, now_ns: int) -> RestAnswer:
        """Return the answer to a request, made of what is known of a market."""

    def request_key(self, path: str, query: str) -> tuple[str, ...]:
        """Return what makes two requests the same one."""

    def snapshot_symbol(self, path: str, query: str) -> str | None:
        """Return the symbol whose book a request asks for."""

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Return the book in an answer."""

    def too_many(self, retry_after_s: int, status: int = 429) -> RestAnswer:
        """Return the refusal of a request."""


class VenueSide:
    """One venue's side: its name, its contracts' terms, its streams, its REST answers."""

    def __init__(
        self, name: str, terms: Terms, streams: ApartSide | TickerSide, rest: RestSide
    ) -> None:
        self.name = name
        self.terms = terms
        self.streams = streams
        self.rest = rest


def _binance(dialect: Dialect, terms: Terms) -> VenueSide:
    return VenueSide(dialect.venue, terms, BinanceStreams(dialect), BinanceRestSide(dialect))


def _deribit(venue: str, terms: Terms) -> VenueSide:
    return VenueSide(venue, terms, DeribitStreams(venue), DeribitRestSide())


_QUOTES: Final = "USDT|USDC|BUSD|FDUSD|USD|BTC"
_USD_M = Terms(
    symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    like=rf"(?P<base>[A-Z0-9]{{2,20}}?)(?P<quote>{_QUOTES})?(_\d{{6}})?",
)
_COIN_M = Terms(
    symbols=("BTCUSD_PERP", "ETHUSD_PERP"),
    like=r"(?P<base>[A-Z0-9]{2,20}?)(?P<quote>USD)?_(PERP|\d{6})",
    linear=False,
    contract_size=Decimal(100),
)
_BYBIT = Terms(
    symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    like=r"(?P<base>[A-Z0-9]{1,20})(?P<quote>USDT)",
    counts_by_one=True,
)
_KRAKEN_FUTURES = Terms(
    symbols=("PF_XBTUSD", "PF_ETHUSD", "PI_XBTUSD"),
    like=r"(PF|FF|(?P<inverse>PI|FI))_(?P<base>[A-Z0-9]{2,20}?)(?P<quote>USD|EUR|GBP|XBT)(_\d{6})?",
    names={"XBT": "BTC", "XDG": "DOGE"},
)
_BITMEX = Terms(
    symbols=("XBTUSDT", "SOLUSDT", "ADAUSDT"),
    like=r"(?P<base>[A-Z0-9]{2,20})(?P<quote>USDT)",
    names={"XBT": "BTC"},
    contract_size=Decimal("0.000001"),
)
_DERIBIT = Terms(
    symbols=("BTC-PERPETUAL", "ETH-PERPETUAL", "ETH_USDC-PERPETUAL"),
    like=r"(?P<base>[A-Z0-9]{2,20})(?:_(?P<quote>USDC|USDT)|(?P<inverse>))-PERPETUAL",
    usual_quote="USD",
)
_COINBASE_INTERNATIONAL = attrs.evolve(
    _DERIBIT, symbols=("BTC_USDC-PERPETUAL", "ETH_USDC-PERPETUAL")
)
_OKX = Terms(
    symbols=("BTC-USDT-SWAP", "ETH-USDT-SWAP", "SOL-USDT-SWAP"),
    like=r"(?P<base>[A-Z0-9]{1,20})-(?P<quote>USDT|USDC)-SWAP",
    contract_size=Decimal("0.01"),
)
_GATEIO_FUTURES = Terms(
    symbols=("BTC_USDT", "ETH_USDT", "SOL_USDT"),
    like=r"(?P<base>[A-Z0-9]{1,20})_(?P<quote>USDT)",
    contract_size=Decimal("0.0001"),
)
_HTX_SWAP = Terms(
    symbols=("BTC-USDT", "ETH-USDT", "BTC-USD"),
    like=r"(?P<base>[A-Z0-9]{1,20})-(?P<quote>USDT|(?P<inverse>USD))",
    contract_size=Decimal("0.001"),
    inverse_contract_size=Decimal(100),
    counts_by_one=True,
)
_SIDES: Final = {
    side.name: side
    for side in (
        _binance(USD_M, _USD_M),
        _binance(COIN_M, _COIN_M),
        VenueSide("bybit", _BYBIT, BybitStreams(), BybitRestSide()),
        VenueSide("okx", _OKX, OkxStreams(), OkxRestSide()),
        VenueSide("bitmex", _BITMEX, BitmexStreams(), BitmexRestSide()),
        VenueSide("gateio_futures", _GATEIO_FUTURES, GateioStreams(), GateioRestSide()),
        VenueSide("htx_swap", _HTX_SWAP, HtxStreams(), HtxRestSide()),
        VenueSide(
            "kraken_futures", _KRAKEN_FUTURES, KrakenFuturesStreams(), KrakenFuturesRestSide()
        ),
        _deribit("deribit", _DERIBIT),
        _deribit("coinbase_international", _COINBASE_INTERNATIONAL),
    )
}

SERVED: Final = tuple(_SIDES)
"""Names of the venues that can be served."""


def side_of(venue: str) -> VenueSide:
    """Return a venue's side.

    Raises:
        SimulatorError: no such venue can be served.
    """
    side = _SIDES.get(venue)
    if side is None:
        msg = f"venue = {venue!r}: expected one of {', '.join(sorted(_SIDES))}"
        raise SimulatorError(msg)
    return side
