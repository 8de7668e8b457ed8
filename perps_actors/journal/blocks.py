"""Blocks: consecutive events packed together, with an index of their contents and a hash. Pure.

A block's hash is BLAKE2b-256 (RFC 7693) over the hash of the previous block, the block's other
columns and its body. The chain shows a block that was altered, moved or removed, and a block that
fits proves that everything before it is unchanged.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from hashlib import blake2b
from typing import Annotated, Any, NamedTuple

import msgspec

from perps_actors.errors import EventUnfit, JournalError
from perps_actors.market.mark import Provenance, Source
from perps_actors.messages.records import Event

GENESIS = bytes(32)
"""The previous hash of the first block."""

_UNFIT = (TypeError, ValueError, OverflowError, RecursionError)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Event, ...]).decode


_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Columns(NamedTuple):
    """The values that occur in a block's events.

    The fields that repeat from event to event are collected together, because one set of a few
    tuples is filled and checked faster than a set per field.
    """

    repeated: set[tuple[str, str, str | None, Source | None, Provenance, str]]
    """Kind, venue, symbol, source, provenance and system."""
    received: list[_Int64]
    venue_times: list[int | None]


class Block(NamedTuple):
    """One block, with the columns that a store keeps."""

    first: int
    """Sequence number of its first event."""
    last: int
    """Sequence number of its last event."""
    earliest_ns: int
    """Lowest `received_ns` among its events."""
    latest_ns: int
    """Highest `received_ns` among its events."""
    kinds: str
    """The kinds of its events, as a JSON array."""
    instruments: str
    """The symbols of its events: a JSON object from venue to an array.

    A null in the array stands for events that concern no single instrument.
    """
    hash: bytes
    """32 bytes; the module's docstring says how they are computed."""
    body: bytes
    """The events: MessagePack arrays, compressed by zlib."""


def pack(first: int, previous: bytes, events: Sequence[Event]) -> Block:
    """Return the block of one or more events.

    Args:
        first: sequence number of the first event.
        previous: hash of the previous block; `GENESIS` for the first.
        events: the events; lists in them are read back as tuples, decimals as strings.

    Raises:
        EventUnfit: an event holds a value that cannot be stored.
    """
    try:
        return _packed(first, previous, events)
    except _UNFIT:
        for index, event in enumerate(events):
            _check_fit(index, event)
        raise


def _packed(first: int, previous: bytes, events: Sequence[Event]) -> Block:
    columns = _checked(events)
    symbols: dict[str, list[str | None]] = {}
    instruments = {(venue, symbol) for _, venue, symbol, *_ in columns.repeated}
    for venue, symbol in sorted(instruments, key=lambda pair: (pair[0], pair[1] or "")):
        symbols.setdefault(venue, []).append(symbol)
    unsigned = Block(
        first=first,
        last=first + len(events) - 1,
        earliest_ns=min(columns.received),
        latest_ns=max(columns.received),
        kinds=json_text(sorted({kind for kind, *_ in columns.repeated})),
        instruments=json_text(symbols),
        hash=b"",
        body=zlib.compress(_encode(events), 1),
    )
    return unsigned._replace(hash=chained_hash(previous, unsigned))


def _checked(events: Sequence[Event]) -> _Columns:
    # Events are not validated when they are made, and one event with a wrong type would make its
    # whole block unreadable.
    columns = (
        {(e.kind, e.venue, e.symbol, e.source, e.provenance, e.system) for e in events},
        [event.received_ns for event in events],
        [event.venue_time_ns for event in events],
    )
    return msgspec.convert(columns, _Columns)


def _check_fit(index: int, event: Event) -> None:
    try:
        _packed(1, GENESIS, (event,))
    except _UNFIT as error:
        raise EventUnfit(
            index, f"event {index} of kind {event.kind!r} cannot be stored: {error}"
        ) from error


def json_text(value: object) -> str:
    """Return compact JSON.

    A string has the same spelling inside an array as alone, so a store can search for it in the
    text without decoding.
    """
    return msgspec.json.encode(value).decode()


def chained_hash(previous: bytes, block: Block) -> bytes:
    """Return the hash that `block` must have if the previous block's hash is `previous`."""
    digest = blake2b(previous, digest_size=32)
    digest.update(_encode(block[:6]))
    digest.update(block.body)
    return digest.digest()


def unpack(block: Block, previous: bytes | None) -> tuple[Event, ...]:
    """Return the events of a block, if it fits the previous block.

    Args:
        block: the block as the store returned it.
        previous: hash of the block that ends one sequence number before; `GENESIS` before the
            first block; None if no such block exists.

    Raises:
        JournalError: the block does not fit, or its body contradicts its columns; names the block.
    """
    name = f"block {block.first}..{block.last}"
    if previous is None:
        msg = f"{name}: no block ends at {block.first - 1}"
        raise JournalError(msg)
    try:
        fits = chained_hash(previous, block) == block.hash
        events = _decode(zlib.decompress(block.body)) if fits else ()
    except (zlib.error, *_UNFIT) as error:
        msg = f"{name}: the body cannot be decoded: {error}"
        raise JournalError(msg) from error
    if not fits:
        msg = f"{name}: the hash does not fit"
        raise JournalError(msg)
    if len(events) != block.last - block.first + 1:
        msg = f"{name}: holds {len(events)} events"
        raise JournalError(msg)
    return tuple(map(_frozen, events))


def _frozen(event: Event) -> Event:
    # MessagePack has no tuples. An event that is read must be as immutable as the one written.
    for _, value in event.data:
        if type(value) is list:
            return msgspec.structs.replace(event, data=_tuples(event.data))
    return event


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
