"""Quotes of a host's broker: calls on workers, one at a time per symbol."""

from __future__ import annotations

import threading
from typing import Final

import attrs

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import Clock
from perps_actors.transport.broker_calls import GET_QUOTE, HostBroker, described, quote_body
from perps_actors.transport.deadline import SocketPoller
from perps_actors.transport.limits import Limits
from perps_actors.transport.request_pool import RequestPool, tell
from perps_actors.transport.wire import AnswerListener, HttpAnswer, HttpRequest, failed

PURPOSE: Final = "quote"
MAX_WAITING: Final = 10_000
"""The most requests, one per symbol, that wait for a worker."""


@attrs.define(eq=False)
class _Call:
    """A request for one symbol, until it is answered and the host's code has returned."""

    inside: bool = False
    abandoned: bool = False


class _Calls:
    """The calls under way, by symbol.

    Three threads meet here: the thread that requests, the worker that calls, and the thread that
    keeps deadlines. The lock decides whether a call is entered or answered first: an answered call
    is not entered, and a call that is answered while inside is abandoned.
    """

    def __init__(self, clock: Clock, max_abandoned: int) -> None:
        self._clock = clock
        self._max_abandoned = max_abandoned
        self._lock = threading.Lock()
        self._calls: dict[str, _Call] = {}

    def suspended(self) -> bool:
        with self._lock:
            return self._abandoned() >= self._max_abandoned

    def take(self, symbol: str) -> _Call:
        """Return the new call of a symbol.

        Raises:
            TransportError: a call of the symbol has not returned, or too many are abandoned.
        """
        with self._lock:
            why = None
            if symbol in self._calls:
                why = f"a call of {GET_QUOTE} for {symbol} has not come back"
            elif self._abandoned() >= self._max_abandoned:
                why = f"{GET_QUOTE} is suspended: {self._abandoned()} calls have not come back"
            if why is not None:
                raise TransportError(why)
            call = self._calls[symbol] = _Call()
            return call

    def enter(self, symbol: str, poller: SocketPoller, deadline_ns: int) -> bool:
        """Note that the host's code is entered; return False if the request was answered."""
        with self._lock:
            if poller.stopped is not None or self._clock.monotonic_ns() >= deadline_ns:
                return False
            self._calls[symbol].inside = True
            return True

    def leave(self, symbol: str) -> None:
        """Note that the host's code has returned."""
        with self._lock:
            del self._calls[symbol]

    def answered(self, symbol: str, call: _Call) -> None:
        """Note the answer; a call that is still inside the host's code is abandoned."""
        with self._lock:
            call.abandoned = call.inside
            if not call.inside:
                self._calls.pop(symbol, None)

    def _abandoned(self) -> int:
        return sum(call.abandoned for call in self._calls.values())


class _Caller:
    """Makes the calls of one worker."""

    def __init__(self, broker: HostBroker, clock: Clock, calls: _Calls, max_bytes: int) -> None:
        self._broker = broker
        self._clock = clock
        self._calls = calls
        self._max_bytes = max_bytes

    def exchange(self, request: HttpRequest, poller: SocketPoller, deadline_ns: int) -> HttpAnswer:
        """Return the quote, or a failed answer with the error of the host's code."""
        symbol = request.symbol or ""
        if not self._calls.enter(symbol, poller, deadline_ns):
            return failed(request, "given up before it was made", self._clock)
        try:
            quote = self._broker.get_quote(symbol)
            received_ns, monotonic_ns = self._clock.time_ns(), self._clock.monotonic_ns()
            body = quote_body(quote, self._max_bytes)
        except TransportError as error:
            return failed(request, str(error), self._clock)
        except BaseException as error:  # noqa: BLE001 - SystemExit, too, fails this call alone
            return failed(request, described(error), self._clock)
        finally:
            self._calls.leave(symbol)
        return HttpAnswer(
            request=request,
            status=200,
            body=body,
            error=None,
            received_ns=received_ns,
            monotonic_ns=monotonic_ns,
        )

    def cancel(self) -> None:
        """Do nothing, because a thread inside the host's code cannot be stopped."""

    def close(self) -> None:
        """Do nothing, because nothing is kept."""


class QuoteCalls:
    """Makes requests of purpose `quote`, with as many workers as calls may be abandoned.

    So at most `max_abandoned` threads hang inside the host's code. When all do, `get_quote` is
    *suspended*: further requests are answered with an error until a call returns.

    Args:
        broker: the host's object.
        clock: stamps and deadlines.
        limits: the total deadline of a request, the size of an answer.
        max_abandoned: calls at the same time.
        thread_prefix: put before the threads' numbers.
    """

    def __init__(
        self,
        broker: HostBroker,
        clock: Clock,
        limits: Limits,
        max_abandoned: int,
        thread_prefix: str,
    ) -> None:
        self._clock = clock
        self._calls = _Calls(clock, max_abandoned)
        self._pool = RequestPool(
            clock=clock,
            limits=attrs.evolve(limits, workers=max_abandoned, queue=MAX_WAITING),
            exchanger=lambda: _Caller(broker, clock, self._calls, limits.max_answer_bytes),
            thread_prefix=thread_prefix,
        )

    def request(self, request: HttpRequest, listener: AnswerListener) -> None:
        """Call `get_quote` on a worker and return at once; the listener gets exactly one answer."""
        symbol = request.symbol
        if request.purpose != PURPOSE or symbol is None:
            tell(
                listener,
                failed(
                    request,
                    f"a broker is asked for the {PURPOSE} of a symbol, not for {request.purpose}",
                    self._clock,
                ),
            )
            return
        try:
            call = self._calls.take(symbol)
        except TransportError as error:
            tell(listener, failed(request, str(error), self._clock))
            return

        def answered(answer: HttpAnswer) -> None:
            self._calls.answered(symbol, call)
            listener(answer)

        self._pool.request(request, answered)

    def suspended(self) -> tuple[str, ...]:
        """Return the name of the method if it is suspended."""
        return (GET_QUOTE,) if self._calls.suspended() else ()

    def close(self) -> None:
        """Answer all pending requests with an error and let the workers end. Idempotent."""
        self._pool.close()

    def threads(self) -> list[threading.Thread]:
        """Return the threads that were started."""
        return list(self._pool.threads)
