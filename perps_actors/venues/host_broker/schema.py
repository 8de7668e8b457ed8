"""A host broker's messages and quotes, with every field name that brokers in use have.

| meaning | fields, of which the first that is not null counts |
|---|---|
| symbol | `product_id`, `symbol` |
| bid, ask | `best_bid`, `bid`; `best_ask`, `ask` |
| last price | `last`, `last_price`, `price` |
| time | `time`, `timestamp`, `ts` |

Numbers may be numbers or text. A time is ISO 8601 with its zone, or a count of seconds,
milliseconds, microseconds or nanoseconds since 1970. Null is missing, zero is not.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec


class Message(msgspec.Struct, gc=False):
    """A message or quote; other fields are skipped."""

    product_id: Any = None
    symbol: Any = None
    best_bid: Any = None
    bid: Any = None
    best_ask: Any = None
    ask: Any = None
    last: Any = None
    last_price: Any = None
    price: Any = None
    time: Any = None
    timestamp: Any = None
    ts: Any = None


# Fractions stay text, because a float between text and decimal would change the number.
decode_message: Final = msgspec.json.Decoder(Message, float_hook=str).decode
