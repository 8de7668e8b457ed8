"""The conversation about risk."""

from __future__ import annotations

import attrs

from perps_actors.market.instrument import InstrumentId


@attrs.frozen
class GetVerdict:
    """Ask whether a position in this instrument may be opened or enlarged now; the answer is a `Verdict`."""

    instrument: InstrumentId


@attrs.frozen(kw_only=True)
class Verdict:
    """Whether risk allows a position to be opened or enlarged. Closing is never asked about."""

    instrument: InstrumentId
    may_open: bool
    reason: str
    mark_age_s: float | None
    """Age of the last mark; None: there was none."""
