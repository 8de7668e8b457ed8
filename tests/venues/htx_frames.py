"""HTX's frames: captures of 2026-09-23 (linear), examples of its documentation (coin-margined)."""

from __future__ import annotations

import gzip
import json

SNAPSHOT = {
    "ch": "market.BTC-USDT.depth.size_150.high_freq",
    "ts": 1790134831753,
    "tick": {
        "asks": [[86859.9, 817], [86864.5, 14], [86864.6, 135]],
        "bids": [[86859.8, 6172], [86858.5, 147], [86858.4, 306]],
        "ch": "market.BTC-USDT.depth.size_150.high_freq",
        "event": "snapshot",
        "id": 100129125618870,
        "mrid": 100129125618870,
        "ts": 1790134831749,
        "version": 1789895280797,
    },
}
STEP = {
    "ch": "market.BTC-USD.depth.step0",
    "ts": 1603707576468,
    "tick": {
        "mrid": 131596447,
        "id": 1603707576,
        "bids": [[13071.9, 38], [13068, 5]],
        "asks": [[13081.9, 197], [13099.7, 371]],
        "ts": 1603707576467,
        "version": 1603707576,
        "ch": "market.BTC-USD.depth.step0",
    },
}
DELISTED = {
    "ch": "market.AKRO-USD.depth.step0",
    "ts": 1606951241196,
    "tick": {
        "mrid": 50651100044,
        "id": 1606951241,
        "ts": 1606951241195,
        "version": 1606951241,
        "ch": "market.AKRO-USD.depth.step0",
    },
}
BBO = {
    "ch": "market.BTC-USDT.bbo",
    "ts": 1790134831587,
    "tick": {
        "mrid": 100129125618683,
        "id": 1790134831,
        "bid": [86859.8, 6172],
        "ask": [86859.9, 817],
        "ts": 1790134831586,
        "version": 100129125618683,
        "ch": "market.BTC-USDT.bbo",
    },
}
TRADES = {
    "ch": "market.BTC-USDT.trade.detail",
    "ts": 1603708208346,
    "tick": {
        "id": 131602265,
        "ts": 1603708208335,
        "data": [
            {
                "amount": 2,
                "ts": 1603708208335,
                "id": 1316022650000,
                "price": 13073.3,
                "direction": "buy",
                "quantity": 0.002,
                "trade_turnover": 26.334,
            },
            {
                "amount": 4,
                "ts": 1603708208336,
                "id": 1316022650001,
                "price": 13073.2,
                "direction": "sell",
                "quantity": 0.004,
                "trade_turnover": 52.668,
            },
        ],
    },
}
MARK = {
    "ch": "market.BTC-USDT.mark_price.1min",
    "tick": {
        "id": 1790135100,
        "open": "86834.8",
        "close": "86826.6",
        "high": "86838.2",
        "low": "86826.6",
        "amount": "0",
        "vol": "0",
        "count": "0",
        "trade_turnover": "0",
    },
    "ts": 1790135117624,
}
INDEX = {
    "ch": "market.BTC-USDT.index.1min",
    "ts": 1790135118624,
    "tick": {
        "id": 1790135100,
        "open": "86842.05",
        "close": "86842.15",
        "high": "86848.31",
        "low": "86840.505",
        "amount": "0",
        "vol": "0",
        "count": 0,
    },
}
FUNDING = {
    "op": "notify",
    "topic": "public.BTC-USDT.funding_rate",
    "ts": 1790135117894,
    "data": [
        {
            "symbol": "BTC",
            "contract_code": "BTC-USDT",
            "fee_asset": "USDT",
            "funding_time": "1790135110000",
            "funding_rate": "0.000064355479737646",
            "estimated_rate": None,
            "settlement_time": "1790150400000",
            "trade_partition": "USDT",
        },
    ],
}
LIQUIDATION = {
    "op": "notify",
    "topic": "public.ETH-USDT.liquidation_orders",
    "ts": 1789670297217,
    "data": [
        {
            "symbol": "ETH",
            "contract_code": "ETH-USDT",
            "direction": "buy",
            "offset": "close",
            "volume": 500,
            "price": 2446.26,
            "created_at": 1789670297212,
            "amount": 5,
            "trade_turnover": 12231.3,
            "contract_type": "swap",
            "pair": "ETH-USDT",
            "business_type": "swap",
            "trade_partition": "USDT",
        },
    ],
}
PUSHES = (SNAPSHOT, STEP, DELISTED, BBO, TRADES, MARK, INDEX, FUNDING, LIQUIDATION)


def packed(frame) -> bytes:
    """Return a frame, or its text, as the venue sends it."""
    text = frame if isinstance(frame, str) else json.dumps(frame, separators=(",", ":"))
    return gzip.compress(text.encode(), mtime=0)


def of_symbol(frame, symbol):
    """Return the frame with another symbol."""
    return json.loads(json.dumps(frame).replace("BTC-USDT", symbol))
