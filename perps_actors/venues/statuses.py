"""What the status of a REST answer says, alike at every venue."""

from __future__ import annotations

from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import Complaint


def status_trouble(request: HttpRequest, status: int | None) -> Complaint | None:
    """Return what is wrong with the status of an answer; None if it is 200."""
    if status == 200:
        return None
    if status is None:
        why = "no answer"
    elif status in (418, 429):
        why = f"status {status}: rate limit exceeded" + (", address banned" if status == 418 else "")
    else:
        why = f"status {status}" + (": venue out of order" if status >= 500 else "")
    return Complaint(f"Expected an answer for {request.purpose}, was {why}", request.symbol)
