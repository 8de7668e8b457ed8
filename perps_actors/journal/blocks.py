"""Blocks: some events in a row, packed, with what occurs in them and a hash that chains them to all before. Pure.

A block's hash is BLAKE2b-256 (RFC 7693) over the hash of the block before, the block's other columns and its body. So a block
that was altered, moved or left out shows, and everything before a block that fits is as it was written.
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
"""Stands for the hash of the block before the first."""

_UNFIT = (TypeError, ValueError, OverflowError, RecursionError)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Event, ...]).decode


_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Columns(NamedTuple):
    """What occurs in some events, field by field."""

    kinds: set[str]
    instruments: set[tuple[str, str | None]]
    sources: set[Source | None]
    provenances: set[Provenance]
    received: list[_Int64]
    venue_times: list[int | None]


class Block(NamedTuple):
    """One block, column by column as a store keeps it."""

    first: int
    """Sequence number of its first event."""
    last: int
    """Sequence number of its last event."""
    earliest_ns: int
    """Lowest `received_ns` among its events."""
    latest_ns: int
    """Highest `received_ns` among its events."""
    kinds: str
    """Kinds that occur, a JSON array."""
    instruments: str
    """Symbols that occur, a JSON object from venue to an array; null stands for no single instrument."""
    hash: bytes
    """32 bytes, see this module."""
    body: bytes
    """The events: MessagePack arrays, compressed by zlib."""


def pack(first: int, previous: bytes, events: Sequence[Event]) -> Block:
    """Return the block of these events, at least one.

    Args:
        first: sequence number of the first of them.
        previous: hash of the block before; `GENESIS` for the first.
        events: what to keep; lists inside come back as tuples, decimals as strings.

    Raises:
        EventUnfit: an event holds what cannot be kept.
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
    for venue, symbol in sorted(columns.instruments, key=lambda pair: (pair[0], pair[1] or "")):
        symbols.setdefault(venue, []).append(symbol)
    unsigned = Block(
        first=first,
        last=first + len(events) - 1,
        earliest_ns=min(columns.received),
        latest_ns=max(columns.received),
        kinds=json_text(sorted(columns.kinds)),
        instruments=json_text(symbols),
        hash=b"",
        body=zlib.compress(_encode(events), 1),
    )
    return unsigned._replace(hash=chained_hash(previous, unsigned))


def _checked(events: Sequence[Event]) -> _Columns:
    # Nothing checks an event when it is made, and one of wrong types would make its whole block unreadable.
    columns = (
        {event.kind for event in events},
        {(event.venue, event.symbol) for event in events},
        {event.source for event in events},
        {event.provenance for event in events},
        [event.received_ns for event in events],
        [event.venue_time_ns for event in events],
    )
    return msgspec.convert(columns, _Columns)


def _check_fit(index: int, event: Event) -> None:
    try:
        _packed(1, GENESIS, (event,))
    except _UNFIT as error:
        raise EventUnfit(
            index, f"event {index} of kind {event.kind!r} cannot be kept: {error}"
        ) from error


def json_text(value: object) -> str:
    """Return compact JSON. A string is spelled in it exactly as it is alone, so a store can look for one without decoding."""
    return msgspec.json.encode(value).decode()


def chained_hash(previous: bytes, block: Block) -> bytes:
    """Return the hash that `block` must have after a block whose hash is `previous`."""
    digest = blake2b(previous, digest_size=32)
    digest.update(_encode(block[:6]))
    digest.update(block.body)
    return digest.digest()


def unpack(block: Block, previous: bytes | None) -> tuple[Event, ...]:
    """Return the events of a block that fits to the one before.

    Args:
        block: as the store gave it.
        previous: hash of the block that ends one sequence number before, `GENESIS` before the first; None when there is none.

    Raises:
        JournalError: it does not fit, or its body is not what its columns say; names the block.
    """
    name = f"block {block.first}..{block.last}"
    if previous is None:
        msg = f"{name}: nothing ends at {block.first - 1}"
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
    # MessagePack knows no tuples; what leaves the journal must be as immutable as what went in.
    for _, value in event.data:
        if type(value) is list:
            return msgspec.structs.replace(event, data=_tuples(event.data))
    return event


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
