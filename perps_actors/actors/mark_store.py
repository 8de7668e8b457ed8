"""The mark store: the one writer of all windows of marks."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from perps_actors.feeds.actor_spec import FEEDS, ActorSpec
from perps_actors.feeds.boards import Board
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Teller
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.market.mark import Mark
from perps_actors.market.window import pushed, window_length
from perps_actors.messages.marks import (
    GetMarkStatistics,
    GetWindow,
    MarkStatistics,
    MarksUpdated,
    RecordMarks,
    SetWindows,
    WindowView,
)
from perps_actors.settings import Settings

_ZERO = Decimal(0)
_LIMIT = Decimal("1e20")


def is_price(mark: Mark) -> bool:
    """Return whether the mark is finite, above zero, and of an instrument with a symbol."""
    try:
        return _ZERO < mark.mark < _LIMIT and bool(mark.instrument.symbol)
    except InvalidOperation:
        return False


class MarkStore(Actor):
    """Keeps a window of marks an instrument and publishes them on the board.

    Takes: `RecordMarks`, `GetWindow`, `GetMarkStatistics`, `SetWindows`. Tells: `MarksUpdated` to
    its listeners, with the marks of each message in one. Inbox: takes all in a recording; live,
    waiting marks are merged, and beyond a limit only the newest of each instrument waits. A restart
    loses only the mark that killed it, because windows come from the board, which was written mark
    by mark. The count of rejected marks starts at zero.
    """

    inbox_policy: ClassVar[InboxPolicy] = InboxPolicy(bound=100_000)

    def __init__(
        self, *, window_length: int, board: Board | None = None, listeners: Sequence[Teller] = ()
    ) -> None:
        super().__init__()
        self._board = board if board is not None else Board()
        self._length = self._board.length if self._board.length is not None else window_length
        self._listeners = tuple(listeners)
        self._windows, self._counts = self._board.take_over()
        self._rejected = 0
        self._kept: list[Mark] = []

    def on_item(self, _: RecordMarks, item: Mark) -> None:
        """Put a mark into its window."""
        if not is_price(item):
            self._rejected += 1
            return
        windows, counts, instrument = self._windows, self._counts, item.instrument
        windows[instrument] = pushed(windows.get(instrument, ()), item, self._length)
        counts[instrument] = counts.get(instrument, 0) + 1
        self._kept.append(item)

    def on_batch_end(self, batch: RecordMarks) -> None:
        """Tell the listeners which marks are in their windows now."""
        if self._kept:
            updated, self._kept = MarksUpdated(tuple(self._kept), batch.provenance), []
            for listener in self._listeners:
                listener.tell(updated)

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case GetWindow(instrument):
                return WindowView(
                    instrument, self._windows.get(instrument, ()), instrument in self._windows
                )
            case GetMarkStatistics():
                return MarkStatistics(tuple(self._counts.items()), self._rejected)
            case SetWindows():
                self._set_windows(message)
            case _:
                return super().on_receive(message)
        return None

    def _set_windows(self, message: SetWindows) -> None:
        length, kept = message.length, message.instruments
        self._length = self._board.length = length
        for instrument, window in list(self._windows.items()):
            if kept is None or instrument in kept:
                self._windows[instrument] = window[-length:]
            else:
                del self._windows[instrument]
                self._counts.pop(instrument, None)


def _make(*, settings: Settings, board: Board, listeners: Sequence[Teller]) -> MarkStore:
    length = _changed(settings).length
    return MarkStore(window_length=length, board=board, listeners=listeners)


def _changed(settings: Settings) -> SetWindows:
    length = window_length(settings.marks.short, settings.marks.long)
    return SetWindows(length, frozenset(settings.instruments))


SPEC = ActorSpec(
    name="mark_store",
    make=_make,
    group=FEEDS,
    sections=("instruments", "marks"),
    changed=_changed,
)
