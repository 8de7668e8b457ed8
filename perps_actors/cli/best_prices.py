"""The best prices of the good books, asked for beside the live table: an answer that is late holds up neither it nor Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from perps_actors.cli.figures import BestPrices
from perps_actors.errors import PerpsActorsError
from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.messages.feeds import Tops

ASKED_EVERY_S = 1.0
HOLD_NS = 3 * NS_PER_S
"""An answer that is older counts for nothing."""


class BestPriceWatch:
    """Asks over and over on a thread of its own, while the context is open; the thread ends with the question it has open then.

    Args:
        ask: returns the `Tops`; may wait, may raise errors of this package.
        clock: judges how old an answer is.
        every_s: pause between an answer and the next question, in seconds.
    """

    def __init__(
        self, ask: Callable[[], Tops], clock: Clock, *, every_s: float = ASKED_EVERY_S
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._every_s = every_s
        self._answer: tuple[int, BestPrices] = (clock.monotonic_ns(), {})
        self._over = threading.Event()
        self.thread = threading.Thread(
            target=self._keep_asking, name="perps-best-prices", daemon=True
        )

    def latest(self) -> BestPrices:
        """Return the prices that were answered last; none when that is too long ago."""
        answered_ns, prices = self._answer
        return prices if self._clock.monotonic_ns() - answered_ns <= HOLD_NS else {}

    def _keep_asking(self) -> None:
        while not self._over.is_set():
            self._ask_once()
            self._over.wait(self._every_s)

    def _ask_once(self) -> None:
        try:
            tops = self._ask().tops
        except PerpsActorsError:
            # Nobody answers: what was answered before goes out of date by itself.
            return
        self._answer = (
            self._clock.monotonic_ns(),
            {instrument: (bid[0], ask[0]) for instrument, (bid, ask) in tops},
        )

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
