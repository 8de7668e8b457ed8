"""Our frame decoder and websocket-client's read the same bytes in the same way.

Both follow RFC 6455. Where they differ, ours is stricter, except for the code of a close frame;
the second half of this module lists every difference with its reason.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
import websocket
from hypothesis import given, settings
from hypothesis import strategies as st
from websocket._abnf import ABNF, frame_buffer

from perps_actors.errors import TransportError
from perps_actors.transport.frames import Close, Control, FrameDecoder, Ping, Pong

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

Read = tuple[list[bytes], list[Control], bool]
"""Messages, control frames, and whether the other side violated the protocol."""


def encoded(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes = b"",
    width: int = 0,
) -> bytes:
    """Return a frame; `width` is how many bytes at least spell its length."""
    size = len(payload)
    width = max(width, 0 if size < 126 else 2 if size < 2**16 else 8)
    length = {0: bytes([size]) if size < 126 else b"", 2: b"\x7e", 8: b"\x7f"}[width]
    length = bytes([length[0] | bool(mask) << 7]) + (size.to_bytes(width) if width else b"")
    return bytes([fin << 7 | reserved << 4 | opcode]) + length + mask + payload


class NoMoreBytes(Exception):
    """The stream has been read to its end."""


def theirs(stream: bytes) -> Read:
    """Read a stream with websocket-client."""
    rest = memoryview(stream)

    def receive(size: int) -> bytes:
        nonlocal rest
        if not rest:
            raise NoMoreBytes
        data, rest = bytes(rest[:size]), rest[size:]
        return data

    client = websocket.WebSocket(skip_utf8_validation=True)
    client.frame_buffer = frame_buffer(receive, skip_utf8_validation=True)
    client.pong = client.send_close = lambda *_: None
    messages: list[bytes] = []
    controls: list[Control] = []
    try:
        while True:
            opcode, frame = client.recv_data_frame(control_frame=True)
            if opcode == ABNF.OPCODE_CLOSE:
                code = int.from_bytes(frame.data[:2]) if frame.data else 1005
                controls.append(Close(code, frame.data[2:].decode("utf-8", "backslashreplace")))
                return messages, controls, False
            if opcode == ABNF.OPCODE_PING:
                controls.append(Ping(frame.data))
            elif opcode == ABNF.OPCODE_PONG:
                controls.append(Pong(frame.data))
            else:
                messages.append(frame.data)
    except NoMoreBytes:
        return messages, controls, False
    except websocket.WebSocketProtocolException:
        return messages, controls, True


def ours(stream: bytes, cuts: list[int], **limits: int) -> Read:
    """Read a stream with our decoder, in reads that end at the cuts."""
    decoder = FrameDecoder(limits.pop("max_message_bytes", 2**20), **limits)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    messages = [
        message for start, stop in pairwise(edges) for message in decoder.feed(stream[start:stop])
    ]
    controls = decoder.take_controls()
    try:
        decoder.check()
    except TransportError:
        return messages, controls, True
    return messages, controls, False


sizes = st.one_of(st.integers(0, 20), st.sampled_from([124, 125, 126, 127, 65_535, 65_536]))
payloads = st.builds(lambda size, byte: bytes([byte]) * size, sizes, st.integers(0, 255))
close_payloads = st.one_of(
    st.just(b""),
    st.builds(
        lambda code, reason: code.to_bytes(2) + reason,
        st.sampled_from([1000, 1001, 1002, 1008, 1011, 3000, 4999]),
        st.binary(max_size=123),
    ),
)
widths = st.sampled_from([0, 0, 0, 2, 8])
data_frames = st.builds(
    encoded,
    st.sampled_from([TEXT, BINARY, CONTINUATION]),
    payloads,
    fin=st.booleans(),
    width=widths,
)
control_frames = st.one_of(
    st.builds(encoded, st.sampled_from([PING, PONG]), st.binary(max_size=125)),
    st.builds(encoded, st.just(CLOSE), close_payloads),
)
violations = st.one_of(
    st.builds(encoded, st.integers(0, 15), reserved=st.integers(1, 7)),
    st.builds(encoded, st.sampled_from([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), payloads),
    st.just(encoded(PING, fin=False)),
    st.just(encoded(PING, bytes(126))),
    st.just(encoded(CLOSE, b"\x03")),
    st.just(encoded(CLOSE, b"\x03\xe8" + bytes(124))),
)


@st.composite
def conversations(draw: st.DrawFn) -> bytes:
    """Return frames that mostly follow one another as they may, with a violation now and then."""
    frames: list[bytes] = []
    for _ in range(draw(st.integers(0, 6))):
        parts = draw(st.lists(payloads, min_size=1, max_size=3))
        for number, part in enumerate(parts):
            frames += draw(st.lists(control_frames.filter(lambda f: f[0] != 0x88), max_size=2))
            opcode = CONTINUATION if number else draw(st.sampled_from([TEXT, BINARY]))
            fin = number == len(parts) - 1
            frames.append(encoded(opcode, part, fin=fin, width=draw(widths)))
    for _ in range(draw(st.integers(0, 2))):
        where = draw(st.integers(0, len(frames)))
        frames.insert(where, draw(st.one_of(data_frames, control_frames, violations)))
    return b"".join(frames)


@settings(max_examples=150)
@given(stream=conversations(), cuts=st.lists(st.integers(0, 200_000), max_size=8))
def test_whole_frames_are_read_as_websocket_client_reads_them(
    stream: bytes, cuts: list[int]
) -> None:
    assert ours(stream, cuts) == theirs(stream)


@settings(max_examples=60)
@given(stream=conversations(), data=st.data())
def test_a_stream_that_ends_inside_a_frame_is_read_as_websocket_client_reads_it(
    stream: bytes, data: st.DataObject
) -> None:
    end = data.draw(st.integers(0, len(stream)))
    cuts = data.draw(st.lists(st.integers(0, end), max_size=8))
    messages, controls, violated = ours(stream[:end], cuts)
    assert (messages, controls) == theirs(stream[:end])[:2]
    # We judge a frame by its header, websocket-client when its payload has come.
    assert violated in (theirs(stream[:end])[2], theirs(stream)[2])


@settings(max_examples=60)
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_of_random_bytes_we_read_what_websocket_client_reads_or_less(
    stream: bytes, cuts: list[int]
) -> None:
    messages, controls, violated = ours(stream, cuts)
    their_messages, their_controls, they_refuse = theirs(stream)
    controls = [control for control in controls if not isinstance(control, Close)]
    assert messages == their_messages[: len(messages)]
    assert controls == their_controls[: len(controls)]
    if they_refuse and not violated:
        # The one case that only they refuse: the code of a close frame.
        assert any(isinstance(control, Close) for control in ours(stream, cuts)[1])


# --- the differences


@pytest.mark.parametrize(
    ("frame", "reads"),
    [
        # "A client MUST close a connection if it detects a masked frame" (section 5.1).
        (encoded(TEXT, b"\0\0", mask=b"\1\2\3\4"), ([b"\1\2"], [], False)),
        # "All control frames [...] MUST NOT be fragmented" (section 5.5).
        (encoded(PONG, b"x", fin=False), ([], [Pong(b"x")], False)),
        (encoded(CLOSE, b"\x03\xe8", fin=False), ([], [Close(1000, "")], False)),
        # "All control frames MUST have a payload length of 125 bytes or less" (section 5.5).
        (encoded(PONG, bytes(126)), ([], [Pong(bytes(126))], False)),
    ],
    ids=["masked frame", "fragmented pong", "fragmented close", "long pong"],
)
def test_a_frame_that_the_rfc_forbids_is_refused_although_websocket_client_reads_it(
    frame: bytes, reads: Read
) -> None:
    assert theirs(frame) == reads
    assert ours(frame, []) == ([], [], True)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 2999, 5000])
def test_a_close_frame_with_a_reserved_code_is_reported_although_websocket_client_refuses_it(
    code: int,
) -> None:
    # The connection ends either way, and the code says more than "protocol violation".
    frame = encoded(CLOSE, code.to_bytes(2) + b"why")
    assert theirs(frame) == ([], [], True)
    assert ours(frame, []) == ([], [Close(code, "why")], False)


@pytest.mark.parametrize(
    "stream",
    [
        encoded(TEXT, bytes(1_001)),
        encoded(TEXT, bytes(600), fin=False) + encoded(CONTINUATION, bytes(401)),
        encoded(TEXT, fin=False) + encoded(CONTINUATION, fin=False) * 7 + encoded(CONTINUATION),
    ],
    ids=["frame", "fragments together", "too many fragments"],
)
def test_a_message_beyond_our_limits_is_refused_although_websocket_client_reads_it(
    stream: bytes,
) -> None:
    assert len(theirs(stream)[0]) == 1
    assert ours(stream, [], max_message_bytes=1_000, max_fragments=8) == ([], [], True)
