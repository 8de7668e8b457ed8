"""Simulated venues in virtual time: a `Network` with synthetic markets and planned faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from urllib.parse import urlsplit

import attrs
import msgspec

from perps_actors.errors import Fenced
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.market.mark import Mark
from perps_actors.market.numbers import mid
from perps_actors.simulator.market import SyntheticMarket
from perps_actors.simulator.rest_side import RestAnswer
from perps_actors.simulator.source import STEP_S
from perps_actors.simulator.venue_contract import MarketStep
from perps_actors.simulator.venues import side_of
from perps_actors.testing.simulated_link import SimulatedLink, WireFault, WireFaults
from perps_actors.transport.wire import (
    AnswerListener,
    ConnectionPlan,
    HttpAnswer,
    HttpRequest,
    StreamListener,
    failed,
)
from perps_actors.venues.contract import Endpoints
from perps_actors.venues.registry import venue as venue_named

NS_PER_MS = 1_000_000


class Truth:
    """Prices of a market at each of its steps, to compare marks with."""

    def __init__(self) -> None:
        self._tops: dict[tuple[str, int], tuple[str, str]] = {}
        self._trades: dict[tuple[str, int], set[str]] = {}

    def add(self, step: MarketStep) -> None:
        """Keep a step under its venue time in milliseconds, the precision of its messages."""
        touch = step.touch
        assert touch.bid is not None
        assert touch.ask is not None
        key = (touch.instrument.symbol, (touch.venue_time_ns or 0) // NS_PER_MS)
        self._tops[key] = (touch.bid, touch.ask)
        self._trades[key] = {trade.price for trade in step.trades}

    def has(self, mark: Mark) -> bool:
        """Return whether the market had a mark's price for its source at its venue time.

        A polled quote may have the time of its answer, or none: then the step before counts, or
        any step.
        """
        key = (mark.instrument.symbol, (mark.venue_time_ns or 0) // NS_PER_MS)
        if mark.source == "rest" and key not in self._tops:
            return any(
                mid(*self._tops[moment]) == mark.mark for moment in self._moments_before(*key)
            )
        if mark.source == "trades":
            return any(mid(price, price) == mark.mark for price in self._trades.get(key, ()))
        top = self._tops.get(key)
        return top is not None and mid(*top) == mark.mark

    def _moments_before(self, symbol: str, time_ms: int) -> list[tuple[str, int]]:
        moments = [moment for moment in self._tops if moment[0] == symbol]
        return [moment for moment in moments if moment[1] < time_ms][-1:] if time_ms else moments


class SimulatedVenue:
    """A `Network` to one venue with a synthetic market, in the virtual time of a simulated runtime.

    A connection opens after a random delay. Frames travel for a few milliseconds and arrive
    alone or several in one read. Requests are answered after a random delay. Equal seeds give
    equal markets, delays and faults. It answers requests to any address; to serve several
    venues, combine them in a `SimulatedNetwork`.

    Attributes:
        name: name of the venue.
        endpoints: addresses by which a `SimulatedNetwork` finds the venue.
        truth: prices that the market really had.
        links: open connections.
        requests: every request that was ever made.

    Args:
        runtime: the runtime whose clock the venue uses.
        symbols: listed instruments.
        seed: seed of market, delays and faults.
        faults: planned faults; their times count from now.
        step_s: seconds between two moves of the market.
        venue: name of the venue whose wire format is served.
        endpoints: addresses of the venue; None: its live addresses.
    """

    def __init__(
        self,
        runtime: SimulatedRuntime,
        symbols: Sequence[str],
        *,
        seed: int = 0,
        faults: Sequence[WireFault] = (),
        step_s: float = STEP_S,
        venue: str = "binance_futures",
        endpoints: Endpoints | None = None,
    ) -> None:
        self.name = venue
        self.endpoints = endpoints if endpoints is not None else venue_named(venue).endpoints
        self.truth = Truth()
        self.links: list[SimulatedLink] = []
        self.requests: list[HttpRequest] = []
        self._runtime = runtime
        self._side = side_of(venue)
        self._random = Random(seed)  # noqa: S311 - a market, not a secret
        self._market = SyntheticMarket(venue, symbols, self._side.terms, self._random)
        self._faults = WireFaults(faults, self._random)
        self._weights = self._side.rest.new_rate_limit()
        self._step_s = step_s
        self._began_ns = runtime.clock.monotonic_ns()
        self._pending: dict[int, tuple[HttpRequest, AnswerListener]] = {}
        self._closed = False
        for fault in self._faults.starts("cut", "close"):
            runtime.at(fault.at_s, partial(self._end_all, fault))
        self._step()

    @property
    def now_s(self) -> float:
        """Seconds since the start of the venue."""
        return (self._runtime.clock.monotonic_ns() - self._began_ns) / NS_PER_S

    # --- the network's side

    def open(self, plan: ConnectionPlan, listener: StreamListener) -> SimulatedLink:
        """Start to open a connection."""
        parts = urlsplit(plan.url)
        session = self._side.streams.session(parts.path, parts.query)
        pipe = SimulatedLink(
            plan,
            listener,
            session,
            begins_with=self._begins_with,
            runtime=self._runtime,
            faults=self._faults,
            random=self._random,
            began_ns=self._began_ns,
        )
        self.links = [link for link in self.links if not link.ended]
        self.links.append(pipe)
        if self._closed:
            pipe.close("closed")
        self._runtime.at(self._travel_s(), pipe.arrive)
        return pipe

    def request(self, request: HttpRequest, listener: AnswerListener) -> None:
        """Send a request; its listener gets one answer later, or an error at once after `close`."""
        self.requests.append(request)
        if self._closed:
            listener(failed(request, "closed", self._runtime.clock))
            return
        number = len(self.requests)
        self._pending[number] = (request, listener)
        self._runtime.at(self._travel_s(), partial(self._serve, number))

    def close(self, deadline_s: float) -> int:  # noqa: ARG002 - nothing to wait for
        """End every connection and request at once, and stop the market."""
        self._closed = True
        for link in self.links:
            link.end("closed", error=False)
        for number in tuple(self._pending):
            self._answer(number, None, "closed")
        return 0

    # --- the venue's side

    def _travel_s(self) -> float:
        return self._random.uniform(0.001, 0.04)

    def _step(self) -> None:
        if self._closed:
            return
        streams = self._side.streams
        for step in self._market.step(self._runtime.clock.time_ns()):
            self.truth.add(step)
            frames = list(streams.frames_of(step))
            for link in self.links:
                link.send_down(frames, partial(self._crossing, step))
        self.links = [link for link in self.links if not link.ended]
        for link in self.links:
            link.look()
        self._runtime.at(self._step_s, self._step)

    def _begins_with(self, stream: str) -> Iterator[tuple[str, bytes]]:
        return self._side.streams.beginning_of(stream, self._market)

    def _crossing(self, step: MarketStep) -> tuple[str, bytes]:
        """Return a delta that crosses the book: a bid far above every ask."""
        depth, price = step.depth, f"9{step.touch.ask}"
        crossed = msgspec.structs.replace(
            depth, bids=(*depth.bids, (price, "1")), added=depth.added | {price}
        )
        return self._side.streams.depth_frames(crossed)[-1]

    def _end_all(self, fault: WireFault) -> None:
        for link in self.links:
            if self._random.random() < fault.share:
                cut = fault.do == "cut"
                link.end("reset by peer" if cut else "closed by the other side: 1001", error=cut)

    def _serve(self, number: int) -> None:
        """Answer a request from the present market; the answer arrives after a delay."""
        if number not in self._pending:
            return
        request, _ = self._pending[number]
        strikes, now_s = self._faults.strikes, self.now_s
        late_s = self._random.uniform(0.5, 5.0) if strikes("rest_late", now_s) else self._travel_s()
        if strikes("rest_fail", now_s):
            self._runtime.at(late_s, partial(self._answer, number, None, "timed out"))
            return
        if strikes("rest_refuse", now_s):
            status = self._random.choice((429, 418, 503))
            served = self._side.rest.too_many(self._random.randint(1, 3), status)
        else:
            parts, now_ns = urlsplit(request.url), self._runtime.clock.time_ns()
            refused = self._weights.charge(parts.path, parts.query, now_ns)
            served = refused or self._side.rest.answer(
                parts.path, parts.query, self._market, now_ns
            )
        if strikes("rest_garble", now_s):
            served = attrs.evolve(
                served, body=served.body[: self._random.randrange(len(served.body))]
            )
        self._runtime.at(late_s, partial(self._answer, number, served, None))

    def _answer(self, number: int, served: RestAnswer | None, error: str | None) -> None:
        if number not in self._pending:
            return
        request, listener = self._pending.pop(number)
        retry_after_s = served.retry_after_s if served is not None else None
        answer = HttpAnswer(
            request=request,
            status=served.status if served is not None else None,
            body=served.body if served is not None else b"",
            error=error,
            received_ns=self._runtime.clock.time_ns(),
            monotonic_ns=self._runtime.clock.monotonic_ns(),
            retry_after_s=None if retry_after_s is None else float(retry_after_s),
        )
        # The actor that made the request may have been replaced meanwhile.
        with suppress(Fenced):
            listener(answer)


class SimulatedNetwork:
    """A `Network` to several simulated venues, chosen by the host of a URL.

    Attributes:
        venues: the venues, in the order in which they were given.

    Raises:
        ValueError: two venues share a host.
    """

    def __init__(self, *venues: SimulatedVenue) -> None:
        self.venues = venues
        self._venue_at: dict[str, SimulatedVenue] = {}
        for venue in venues:
            for url in (venue.endpoints.stream, venue.endpoints.rest):
                owner = self._venue_at.setdefault(urlsplit(url).netloc, venue)
                if owner is not venue:
                    msg = f"{venue.name}: {owner.name} already has the address {url}"
                    raise ValueError(msg)

    def open(self, plan: ConnectionPlan, listener: StreamListener) -> SimulatedLink:
        """Start to open a connection to the venue in its URL.

        Raises:
            LookupError: no venue has that host.
        """
        return self._venue(plan.url).open(plan, listener)

    def request(self, request: HttpRequest, listener: AnswerListener) -> None:
        """Send a request to the venue in its URL.

        Raises:
            LookupError: no venue has that host.
        """
        self._venue(request.url).request(request, listener)

    def close(self, deadline_s: float) -> int:
        """End every connection and request of all venues."""
        return sum(venue.close(deadline_s) for venue in self.venues)

    def _venue(self, url: str) -> SimulatedVenue:
        venue = self._venue_at.get(urlsplit(url).netloc)
        if venue is None:
            msg = f"{url}: no simulated venue has this host, expected {', '.join(self._venue_at)}"
            raise LookupError(msg)
        return venue
