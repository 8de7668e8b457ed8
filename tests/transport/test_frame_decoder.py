from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import TransportError
from perps_actors.transport.frames import Close, FrameDecoder, Ping, Pong

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def encoded(opcode, payload, *, fin=True, reserved=0, mask=None, width=None):
    """A frame as the RFC's figure draws it, bit by bit; independent of the code under test."""
    size = len(payload)
    width = width if width is not None else 0 if size < 126 else 16 if size < 2**16 else 64
    bits = f"{int(fin)}{reserved:03b}{opcode:04b}{int(mask is not None)}"
    bits += (
        f"{size:07b}"
        if width == 0
        else f"{126:07b}{size:016b}"
        if width == 16
        else f"{127:07b}{size:064b}"
    )
    return int(bits, 2).to_bytes(len(bits) // 8, "big") + (mask or b"") + payload


def decode(data, cuts=(), **limits):
    decoder = FrameDecoder(limits.pop("max_message_bytes", 2**20), **limits)
    edges = [0, *sorted(cuts), len(data)]
    messages = [
        message for start, stop in pairwise(edges) for message in decoder.feed(data[start:stop])
    ]
    try:
        decoder.check()
    except TransportError as error:
        return messages, decoder.take_controls(), str(error)
    return messages, decoder.take_controls(), None


payloads = st.one_of(
    st.binary(max_size=20), st.integers(0, 70_000).map(lambda size: b"\x81" * size)
)
controls = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))


@st.composite
def conversations(draw):
    """Bytes of a whole conversation, with the messages and control frames in it."""
    data, messages, heard = b"", [], []
    for _ in range(draw(st.integers(0, 6))):
        message = draw(payloads)
        edges = sorted({0, len(message), *draw(st.lists(st.integers(0, len(message)), max_size=3))})
        parts = [message[a:b] for a, b in pairwise(edges)] or [b""]
        for i, part in enumerate(parts):
            for opcode, payload in draw(st.lists(controls, max_size=2)):
                data += encoded(opcode, payload)
                heard.append(Ping(payload) if opcode == PING else Pong(payload))
            data += encoded(
                draw(st.sampled_from([TEXT, BINARY])) if i == 0 else CONTINUATION,
                part,
                fin=i == len(parts) - 1,
            )
        messages.append(message)
    return data, messages, heard


@given(conversations(), st.data())
def test_messages_and_control_frames_come_whole_and_in_order_wherever_reads_are_cut(
    conversation, data
):
    stream, messages, heard = conversation
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    assert decode(stream, cuts) == (messages, heard, None)


def test_every_byte_may_be_a_read_of_its_own():
    stream = (
        encoded(TEXT, b"a" * 200)
        + encoded(PING, b"p")
        + encoded(TEXT, b"b" * 66_000, fin=False)
        + encoded(PONG, b"")
    )
    stream += encoded(CONTINUATION, b"c") + encoded(TEXT, b"") + encoded(CLOSE, b"\x03\xe8bye")
    expected = (
        [b"a" * 200, b"b" * 66_000 + b"c", b""],
        [Ping(b"p"), Pong(b""), Close(1000, "bye")],
        None,
    )
    assert decode(stream, range(1, len(stream))) == expected


VIOLATIONS = {
    "reserved bits": encoded(TEXT, b"x", reserved=4),
    "reserved opcode 0x3": encoded(3, b"x"),
    "reserved opcode 0xb": encoded(11, b"x"),
    "masked": encoded(TEXT, b"x", mask=b"abcd"),
    "fragmented control frame": encoded(PING, b"x", fin=False),
    "control frame of more than 125": encoded(PING, b"x" * 126),
    "new message inside another": encoded(TEXT, b"x", fin=False) + encoded(TEXT, b"y"),
    "continuation of no message": encoded(CONTINUATION, b"x"),
    "half a status code": encoded(CLOSE, b"\x03"),
    "more than 1000 bytes": encoded(TEXT, b"x" * 1001),
    "more than 8 fragments": encoded(TEXT, b"", fin=False)
    + encoded(CONTINUATION, b"", fin=False) * 8,
}


@pytest.mark.parametrize(("fault", "stream"), VIOLATIONS.items(), ids=VIOLATIONS)
@pytest.mark.parametrize("bytewise", [False, True])
def test_messages_before_a_violation_are_returned_and_bytes_after_it_ignored(
    fault, stream, bytewise
):
    stream = encoded(TEXT, b"before") + stream + encoded(TEXT, b"after")
    cuts = range(1, len(stream)) if bytewise else ()
    messages, _, said = decode(stream, cuts, max_message_bytes=1000, max_fragments=8)
    assert messages == [b"before"]
    assert said is not None
    assert fault in said


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_decode_alike_wherever_reads_end(stream, cuts):
    whole = decode(stream, max_message_bytes=100, max_fragments=4)
    assert (
        decode(
            stream, [min(cut, len(stream)) for cut in cuts], max_message_bytes=100, max_fragments=4
        )
        == whole
    )


@pytest.mark.parametrize("width", [16, 64])
def test_a_frame_beyond_the_limit_is_refused_by_its_header(width):
    header = encoded(TEXT, b"x" * 5001, width=width)[: 2 + width // 8]
    assert "more than 5000 bytes" in decode(header, max_message_bytes=5000)[2]


def test_a_length_beyond_all_memory_is_refused():
    assert "more than" in decode(b"\x82\x7f" + b"\xff" * 8)[2]


def test_fragments_beyond_the_limit_together_are_refused():
    parts = (
        encoded(TEXT, b"x" * 600, fin=False)
        + encoded(PING, b"p" * 125)
        + encoded(CONTINUATION, b"x" * 401)[:4]
    )
    messages, heard, said = decode(parts, max_message_bytes=1000)
    assert (messages, heard) == ([], [Ping(b"p" * 125)])
    assert "more than 1000 bytes" in said


def test_a_message_of_exactly_the_limit_passes_with_control_frames_between_its_fragments():
    stream = (
        encoded(TEXT, b"x" * 999, fin=False)
        + encoded(PING, b"p" * 125)
        + encoded(CONTINUATION, b"x")
    )
    assert decode(stream, max_message_bytes=1000) == ([b"x" * 1000], [Ping(b"p" * 125)], None)


def test_text_that_is_not_utf_8_passes_because_the_json_decoder_checks_it():
    assert decode(encoded(TEXT, b"\xff\xfe"))[0] == [b"\xff\xfe"]


def test_a_close_frame_without_a_status_has_code_1005_and_ends_the_connection():
    assert decode(encoded(CLOSE, b"") + encoded(TEXT, b"late")) == ([], [Close(1005, "")], None)


def test_a_large_message_in_many_small_reads_costs_no_more_than_linear_time():
    decoder = FrameDecoder(8 * 2**20)
    stream = encoded(TEXT, b"x" * (8 * 2**20))
    start = time.thread_time()
    messages = [
        message
        for at in range(0, len(stream), 1000)
        for message in decoder.feed(stream[at : at + 1000])
    ]
    assert [len(message) for message in messages] == [8 * 2**20]
    # Copying the remainder at each of 8,400 reads would move 35 GB.
    assert time.thread_time() - start < 1.0
