"""The contract of adapters, tested at every venue of the registry."""

from __future__ import annotations

import gzip
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors.errors import SettingsError, VenueError
from perps_actors.market.mark import RUNGS
from perps_actors.transport.limits import checked_address
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput, Polled, SendFrame
from perps_actors.venues.registry import VENUES, venue

SYMBOLS = {
    "binance_futures": ("BTCUSDT", "ETHUSDT"),
    "binance_delivery": ("BTCUSD_PERP", "ETHUSD_PERP"),
    "bybit": ("BTCUSDT", "BTCUSD"),
    "okx": ("BTC-USDT-SWAP", "ETH-USDT-SWAP"),
    "deribit": ("BTC-PERPETUAL", "ETH-PERPETUAL"),
    "coinbase_international": ("BTC_USDC-PERPETUAL", "ETH_USDC-PERPETUAL"),
    "kraken_futures": ("PF_XBTUSD", "PF_ETHUSD"),
    "bitmex": ("XBTUSD", "ETHUSD"),
    "gateio_futures": ("BTC_USDT", "ETH_USDT"),
    "htx_swap": ("BTC-USDT", "BTC-USD"),
}
NO_ANSWERS = (b"", b"{}", b"[]", b"null", b"<html>", b"\xff\xfe", b"[" * 50_000, b'{"result":7}')
ENDLESS = (b"[" * 200_000, b'{"a":' * 100_000, b'"' + b"x" * 10**6, b"9" * 10**5)
DATA = Path(
    os.environ.get("PERPS_ACTORS_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.fixture(params=VENUES)
def known(request):
    return venue(request.param)


def all_requests(known):
    rest, symbols = known.rest(known.endpoints), SYMBOLS[known.name]
    requested = [
        *rest.quotes(symbols),
        *rest.instruments(),
        rest.depth(symbols[0]),
        *rest.funding_history(symbols[0], 0, 1),
    ]
    requested += rest.candles(symbols[0], next(iter(rest.intervals)), 0, 60 * 10**9)
    return requested + [
        request for what in get_args(Polled) for request in rest.poll(what, symbols)
    ]


def adapter_of(known, symbols=()):
    adapter = known.stream(known.endpoints)
    return adapter, adapter.plan(symbols) if symbols else ()


def test_a_plan_carries_every_symbol_on_encrypted_connections_of_different_names(known) -> None:
    symbols = SYMBOLS[known.name]
    _, plans = adapter_of(known, symbols)
    assert len({plan.name for plan in plans}) == len(plans) > 0
    assert {symbol for plan in plans for symbol in plan.symbols} == set(symbols)
    assert "book" in {source for plan in plans for source in plan.sources} <= set(RUNGS)
    for plan in plans:
        assert checked_address(plan.url, encrypted="wss", plain="ws").tls


def test_frames_to_send_are_json_text_for_their_connection(known) -> None:
    adapter, plans = adapter_of(known, SYMBOLS[known.name])
    for plan in plans:
        for outcome in adapter.opened(plan.name, 1):
            assert isinstance(outcome, SendFrame)
            assert outcome.connection == plan.name
            assert json.loads(outcome.text)


def test_a_plan_is_amended_to_itself_without_frames_and_to_fewer_symbols_if_possible(
    known,
) -> None:
    adapter, before = adapter_of(known, SYMBOLS[known.name])
    assert all(adapter.amend(plan, plan) == () for plan in before)
    after = {plan.name: plan for plan in adapter.plan(SYMBOLS[known.name][:1])}
    for plan in before:
        if plan.name in after:
            frames = adapter.amend(plan, after[plan.name])
            assert frames is None or all(json.loads(frame) for frame in frames)


@pytest.mark.parametrize("symbol", ["", "x" * 300, "a\nb"])
def test_a_symbol_that_no_venue_can_have_is_refused(known, symbol) -> None:
    with pytest.raises(SettingsError):
        known.stream(known.endpoints).plan([symbol])


def test_an_unknown_symbol_has_no_depth_and_the_end_of_an_unknown_connection_withdraws_nothing(
    known,
) -> None:
    adapter, _ = adapter_of(known)
    assert adapter.depth("NOPE", 10) == ([], [])
    assert list(adapter.closed("nothing", 1)) == []


def test_all_requests_use_https_and_their_addresses_give_the_same_purpose(known) -> None:
    rest = known.rest(known.endpoints)
    requests = all_requests(known)
    for request in requests:
        assert isinstance(request, HttpRequest)
        assert checked_address(request.url, encrypted="https", plain="http").tls
        assert rest.request_for(request.url).purpose in {other.purpose for other in requests}
    assert tuple(rest.quotes(())) == ()
    assert all(tuple(rest.poll(what, ())) == () for what in get_args(Polled))


@pytest.mark.parametrize("name", VENUES)
@given(
    data=st.data(),
    body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
)
@settings(max_examples=60, deadline=None)
def test_no_json_answer_raises_an_exception(name, data, body) -> None:
    known = venue(name)
    request = data.draw(st.sampled_from(all_requests(known)))
    known.rest(known.endpoints).read(request, 200, body, 1)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"<html>", b"\xff\xfe", b"[" * 50_000, b'{"result":7}'],
    ids=lambda b: repr(b[:8]),
)
def test_an_answer_of_another_kind_is_invalid_input_and_not_a_list(known, body) -> None:
    rest = known.rest(known.endpoints)
    adapter, _ = adapter_of(known, SYMBOLS[known.name])
    for request in all_requests(known):
        for status in (200, 404, 429, 500, None):
            outcomes = [
                *rest.read(request, status, body, 1),
                *adapter.answer(request, status, body, 1),
            ]
            assert all(isinstance(outcome, InvalidInput) for outcome in outcomes)
    with suppress(VenueError):
        assert rest.read_instruments(body) == ()
    with pytest.raises(VenueError, match="Expected a book"):
        rest.read_book(body)


def read(known, frames) -> list[object]:
    adapter, _ = adapter_of(known, SYMBOLS[known.name])
    return [outcome for frame in frames for outcome in adapter.frame("c", frame, 1)]


@pytest.mark.parametrize("name", VENUES)
@given(
    frames=st.lists(
        st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), max_size=5
    )
)
@settings(max_examples=60, deadline=None)
def test_no_frame_raises_an_exception(name, frames) -> None:
    assert all(
        isinstance(outcome, InvalidInput | SendFrame) for outcome in read(venue(name), frames)
    )


@pytest.mark.parametrize(
    "frame",
    [b"[" * 200_000, b'{"a":' * 100_000, b'"' + b"x" * 10**6, b"9" * 10**5],
    ids=["nested", "deep", "long", "number"],
)
def test_endless_frames_are_invalid_input_of_one_line(known, frame) -> None:
    for outcome in read(known, [frame]):
        assert isinstance(outcome, InvalidInput)
        assert len(outcome.what) <= 200


@pytest.mark.parametrize("name", VENUES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_recorded_frames_that_are_cut_doubled_or_reordered_raise_nothing(name, data) -> None:
    path = DATA / "recordings" / name / "raw.jsonl.gz"
    if not path.is_file():
        return
    known = venue(name)
    frames = _recorded(path)
    first = data.draw(st.integers(0, max(0, len(frames) - 40)))
    chosen = data.draw(st.permutations(frames[first : first + 40])) + frames[:2]
    at = data.draw(st.integers(0, len(chosen) - 1))
    cut = data.draw(st.integers(0, len(chosen[at])))
    chosen[at] = chosen[at][:cut] + data.draw(st.binary(max_size=3)) + chosen[at][cut + 1 :]
    adapter = known.stream(known.endpoints)
    for frame in chosen:
        adapter.frame("c", frame, 1)


_FRAMES: dict[object, list[bytes]] = {}


def _recorded(path) -> list[bytes]:
    if path not in _FRAMES:
        with gzip.open(path, "rt") as file:
            lines = [json.loads(line) for line in file]
        _FRAMES[path] = [line["data"].encode() for line in lines if line["dir"] == "ws"]
    return _FRAMES[path]
