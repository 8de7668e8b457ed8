from __future__ import annotations

import msgspec

from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.toolkit.rest import MAX_ROWS, read_rows


class Row(msgspec.Struct):
    symbol: str
    price: str = "1"


def read(*rows):
    return read_rows(
        "v",
        [msgspec.Raw(row) for row in rows],
        msgspec.json.Decoder(Row).decode,
        lambda instrument, row: [(instrument, row.price)],
    )


def test_a_bad_row_is_one_invalid_input_and_its_neighbours_are_read():
    first, bad, other, last = read(
        b'{"symbol":"A"}', b'{"symbol":5}', b'{"symbol":""}', b'{"symbol":"B","price":"2"}'
    )
    assert first == (("v", "A"), "1")
    assert last == (("v", "B"), "2")
    assert "5" in bad.what
    assert isinstance(other, InvalidInput)


def test_rows_beyond_the_limit_are_one_invalid_input():
    *events, invalid_input = read(*[b'{"symbol":"A"}'] * (MAX_ROWS + 1))
    assert len(events) == MAX_ROWS
    assert str(MAX_ROWS + 1) in invalid_input.what
