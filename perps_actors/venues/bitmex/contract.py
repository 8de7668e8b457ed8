"""One contract's row of BitMEX's `instrument` table, and what each message of it says of the market.

Source: bitmex.com/app/wsAPI, read 2026-10: an update carries the changed fields only, and whatever comes before the partial is
dropped. `indicativeSettlePrice` is the index price; `fundingRate` is paid at `fundingTimestamp`, `indicativeFundingRate` after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
from msgspec import Raw, json

from perps_actors.market.events import Funding, OpenInterest, Touch, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.bitmex.schema import Action, InstrumentRow
from perps_actors.venues.contract import Outcome
from perps_actors.venues.toolkit.fields import (
    Moment,
    amount,
    completed,
    nanoseconds,
    price_if_any,
    rate_if_any,
    text_of,
    uncrossed,
)

_MOMENT: Final = json.Decoder(Moment | None)


@attrs.frozen
class _Said:
    """What one row says, apart from all before; None where it says nothing."""

    mark: VenueMark | None
    touch: Touch | None
    funding: Funding | None
    open_interest: OpenInterest | None


class Contract:
    """What the table says of one contract."""

    def __init__(self, instrument: InstrumentId) -> None:
        self._instrument = instrument
        self._begun = False
        self._mark: VenueMark | None = None
        self._touch: Touch | None = None
        self._funding: Funding | None = None

    def take(self, action: Action, row: InstrumentRow, received_ns: int) -> Sequence[Outcome]:
        """Return mark, touch, funding and open interest, each only if the row carries one of its fields.

        Raises:
            MarketError: a field that is no number of its kind; nothing of the row is taken.
            VenueError: a time out of range; nothing of the row is taken.
            ValidationError: a funding time that is none; nothing of the row is taken.
        """
        if action == "partial":
            self._mark = self._touch = self._funding = None
        elif action == "delete" or not self._begun:
            self._begun = False
            return ()
        said, left_alone = _said(self._instrument, row, received_ns), _left_alone(row)
        self._begun = True
        outcomes: list[Outcome] = []
        if said.mark is not None:
            self._mark = completed(said.mark, self._mark, left_alone & {"mark", "index"})
            outcomes.append(self._mark)
        if said.touch is not None:
            self._touch = completed(said.touch, self._touch, left_alone & {"bid", "ask", "last"})
            outcomes.append(uncrossed(self._touch))
        if said.funding is not None:
            self._funding = completed(
                said.funding, self._funding, left_alone & {"rate", "predicted", "next_time_ns"}
            )
            outcomes.append(self._funding)
        if said.open_interest is not None:
            outcomes.append(said.open_interest)
        return outcomes

    def closed(self) -> None:
        """Drop what comes until the next partial: the connection ended."""
        self._begun = False


def _left_alone(row: InstrumentRow) -> frozenset[str]:
    """Names of the events' fields that the row does not carry; null is carried."""
    fields: dict[str, Raw] = {
        "mark": row.mark_price,
        "index": row.indicative_settle_price,
        "rate": row.funding_rate,
        "predicted": row.indicative_funding_rate,
        "next_time_ns": row.funding_timestamp,
        "bid": row.bid_price,
        "ask": row.ask_price,
        "last": row.last_price,
    }
    return frozenset(name for name, raw in fields.items() if not bytes(raw))


def _said(instrument: InstrumentId, row: InstrumentRow, received_ns: int) -> _Said:
    time_ns = nanoseconds(row.timestamp) if row.timestamp is not None else None
    mark, index = (
        price_if_any(text_of(row.mark_price)),
        price_if_any(text_of(row.indicative_settle_price)),
    )
    bid, ask, last = (
        price_if_any(text_of(raw)) for raw in (row.bid_price, row.ask_price, row.last_price)
    )
    rate, predicted = (
        rate_if_any(text_of(row.funding_rate)),
        rate_if_any(text_of(row.indicative_funding_rate)),
    )
    paid = _MOMENT.decode(row.funding_timestamp) if bytes(row.funding_timestamp) else None
    next_ns = nanoseconds(paid) if paid is not None else None
    held = text_of(row.open_interest)
    return _Said(
        VenueMark(instrument, mark, index, time_ns, received_ns) if mark or index else None,
        Touch(instrument, bid, None, ask, None, last, time_ns, received_ns)
        if bid or ask or last
        else None,
        Funding(instrument, rate, predicted, next_ns, None, time_ns, received_ns)
        if rate or predicted or next_ns
        else None,
        OpenInterest(instrument, amount(held), time_ns, received_ns) if held is not None else None,
    )
