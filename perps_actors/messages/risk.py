"""Questions to the risk monitor."""

from __future__ import annotations

import attrs

from perps_actors.market.instrument import InstrumentId


@attrs.frozen
class GetVerdict:
    """Ask whether risk allows to open or enlarge a position; the answer is a `Verdict`."""

    instrument: InstrumentId


@attrs.frozen(kw_only=True)
class Verdict:
    """Whether risk allows to open or enlarge a position. Closing needs no verdict."""

    instrument: InstrumentId
    may_open: bool
    reason: str
    mark_age_s: float | None
    """Age of the last mark; None: there was none."""
