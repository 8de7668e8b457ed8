"""Polling a host's broker: one quote per request."""

# ruff: noqa: ARG002 - a broker needs fewer arguments than a `RestAdapter` is given

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import parse_qs, urlsplit

from perps_actors.errors import SettingsError, VenueError
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.transport.broker_calls import quotes_of
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, InvalidInput, Outcome, Polled
from perps_actors.venues.host_broker.parse import NAME, touch_of
from perps_actors.venues.host_broker.schema import decode_message


class HostBrokerRest:
    """A `RestAdapter` for a host's broker, which has quotes only."""

    intervals: Collection[int] = ()

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request per symbol, so that a failing call costs its own symbol only."""
        return tuple(
            HttpRequest(url=quotes_of(symbol), purpose="quote", symbol=symbol) for symbol in symbols
        )

    def poll(self, what: Polled, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return no request."""
        return ()

    def depth(self, symbol: str) -> None:
        """Return None."""

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return no request.

        Raises:
            SettingsError: always, because a broker has no candles.
        """
        raise SettingsError(
            field="interval_s", value=interval_s, why="a broker has no candles", place=NAME
        )

    def funding_history(self, symbol: str, since_ns: int, until_ns: int) -> tuple[HttpRequest, ...]:
        """Return no request."""
        return ()

    def instruments(self) -> tuple[HttpRequest, ...]:
        """Return no request: a broker lists nothing."""
        return ()

    def request_for(self, url: str) -> HttpRequest:
        """Return the request of an address; purpose `unknown` if we never make it."""
        symbol = parse_qs(urlsplit(url).query).get("symbol", [""])[0]
        if url == quotes_of(symbol):
            return self.quotes((symbol,))[0]
        return HttpRequest(url=url, purpose="unknown")

    def read(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the prices in a quote."""
        symbol = request.symbol
        if request.purpose != "quote" or symbol is None:
            return ()
        if status != 200:
            return (InvalidInput(f"Expected a quote of {symbol}, was no answer", symbol),)
        try:
            message = decode_message(body)
            return (touch_of(InstrumentId(NAME, symbol), message, "rest", received_ns),)
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoder
            return (InvalidInput(f"{error}: in quote of {symbol} {body[:80]!r}", symbol),)

    def read_book(self, body: bytes) -> BookSnapshot:
        """Raise, because no book is requested from a broker.

        Raises:
            VenueError: always.
        """
        msg = f"Expected no book of a broker, was {body[:60]!r}"
        raise VenueError(msg)

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Raise, because a broker lists no instruments.

        Raises:
            VenueError: always.
        """
        msg = f"Expected no list of instruments of a broker, was {body[:60]!r}"
        raise VenueError(msg)
