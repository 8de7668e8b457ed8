from __future__ import annotations

import asyncio
import contextlib
import queue
import select
import socket
import struct
import threading
import time

import aiohttp
import pytest
from aiohttp import web

from perps_actors.transport.network import Limits

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def opened(outside, script, **plan):
    """Open a connection to a peer that follows the script; return its listener and link."""
    hearing, link = outside.open_at(lambda peer: (peer.accept_handshake(), script(peer)), **plan)
    hearing.until_open()
    return hearing, link


def test_all_frames_of_one_read_come_as_one_batch_with_the_time_of_that_read(outside):
    def script(peer):
        peer.sock.sendall(b"\x81\x01a\x82\x01b\x01\x01c\x80\x01d")
        peer.hang()

    before = time.time_ns(), time.monotonic_ns()
    hearing, _ = opened(outside, script)
    hearing.until(lambda: hearing.frames_heard)
    ((frames, received_ns, monotonic_ns),) = hearing.batches
    assert frames == (b"a", b"b", b"cd")
    assert before[0] <= received_ns <= time.time_ns()
    assert before[1] <= monotonic_ns <= time.monotonic_ns()


def test_a_ping_is_answered_with_its_own_payload(outside):
    pongs = queue.SimpleQueue()
    opened(
        outside,
        lambda peer: (peer.send_frame(PING, b"t=1700"), pongs.put(peer.read_frame()), peer.hang()),
    )
    assert pongs.get(timeout=5) == (PONG, b"t=1700")


def test_frames_sent_from_many_threads_arrive_whole_and_in_order_per_thread(outside):
    arrived = queue.SimpleQueue()

    def script(peer):
        while True:
            arrived.put(peer.read_frame())

    _, link = opened(outside, script)
    threads = [
        threading.Thread(target=lambda t=t: [link.send(f"{t}:{i}:{'x' * i}") for i in range(200)])
        for t in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = [arrived.get(timeout=5) for _ in range(800)]
    assert {opcode for opcode, _ in texts} == {TEXT}
    for t in range(4):
        mine = [payload.decode() for _, payload in texts if payload.startswith(b"%d:" % t)]
        assert mine == [f"{t}:{i}:{'x' * i}" for i in range(200)]


def test_a_frame_sent_before_the_connection_is_open_is_sent_when_it_is(outside):
    arrived = queue.SimpleQueue()
    go = threading.Event()
    _, link = outside.open_at(
        lambda peer: (
            go.wait(5),
            peer.accept_handshake(),
            arrived.put(peer.read_frame()),
            peer.hang(),
        )
    )
    link.send("subscribe")
    go.set()
    assert arrived.get(timeout=5) == (TEXT, b"subscribe")


def test_sending_more_than_may_wait_ends_the_connection_and_never_blocks(outside):
    hearing, link = opened(outside, lambda peer: peer.hang())
    start = time.monotonic()
    for _ in range(200):
        link.send("x" * 100_000)
    assert time.monotonic() - start < 3
    assert hearing.ending() == ("cannot send: more than 1048576 bytes wait to be sent", True)


def fill(hearing, link):
    """Send until the sockets are full and frames wait. The peer's ticks show progress."""
    sent = 0
    while True:
        link.send("x" * 300_000)
        sent += 300_000
        seen = len(hearing.frames_heard)
        hearing.until(lambda seen=seen: len(hearing.frames_heard) > seen + 2)
        if not link._outbox.is_empty():
            return sent


def tick(peer, until):
    while not until.wait(0.005):
        peer.send_frame(TEXT, b"tick")


def test_a_peer_that_sends_but_takes_nothing_is_closed(outside):
    hearing, link = opened(outside, lambda peer: tick(peer, peer.over), silence_limit_s=0.4)
    fill(hearing, link)
    assert hearing.ending() == ("nothing of what was sent was taken for 0.4 s", True)


def test_frames_that_a_busy_peer_does_not_take_are_sent_when_it_does(outside):
    listen, taken = threading.Event(), queue.SimpleQueue()

    def script(peer):
        tick(peer, listen)
        for _ in range(100):
            taken.put(len(peer.exactly(300_000)))

    hearing, link = opened(outside, script, silence_limit_s=60.0)
    sent = fill(hearing, link)
    listen.set()
    assert sum(taken.get(timeout=5) for _ in range(sent // 300_000)) == sent


def test_text_that_cannot_be_encoded_ends_the_connection_with_a_reason(outside):
    hearing, link = opened(outside, lambda peer: peer.wait_for_end())
    link.send("\ud800")
    reason, error = hearing.ending()
    assert (reason.startswith("cannot send"), error) == (True, True)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x03\xe9going away", "closed by the other side: 1001 going away"),
        (b"\x03\xe8", "closed by the other side: 1000"),
        (b"", "closed by the other side: 1005"),
    ],
)
def test_a_close_frame_is_answered_with_its_code_and_is_no_error(outside, payload, reason):
    answers = queue.SimpleQueue()
    hearing, _ = opened(
        outside,
        lambda peer: (
            peer.send_frame(TEXT, b"last"),
            peer.send_frame(CLOSE, payload),
            answers.put(peer.read_frame()),
        ),
    )
    assert hearing.ending() == (reason, False)
    assert hearing.frames_heard == [b"last"]
    assert answers.get(timeout=5) == (CLOSE, payload[:2])


def test_an_end_without_a_close_frame_is_an_error_after_all_that_came_before_it(outside):
    hearing, _ = opened(outside, lambda peer: peer.send_frame(TEXT, b"last"))
    assert hearing.ending() == ("the connection ended without a close frame", True)
    assert hearing.frames_heard == [b"last"]


def test_a_reset_is_an_error(outside):
    hearing, _ = opened(
        outside,
        lambda peer: peer.sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        ),
    )
    reason, error = hearing.ending()
    assert ("reset" in reason, error) == (True, True)


def test_a_violation_is_reported_to_both_sides_after_the_frames_before_it(outside):
    answers = queue.SimpleQueue()
    hearing, _ = opened(
        outside,
        lambda peer: (peer.sock.sendall(b"\x81\x02ok\xc1\x01x"), answers.put(peer.read_frame())),
    )
    assert hearing.ending() == ("protocol violation: a frame with reserved bits set", True)
    assert hearing.frames_heard == [b"ok"]
    assert answers.get(timeout=5) == (CLOSE, b"\x03\xea")


def test_a_message_that_is_too_long_is_refused_by_its_header_alone(outside):
    outside.limits = Limits(max_message_bytes=1000)
    hearing, _ = opened(
        outside,
        lambda peer: (peer.sock.sendall(b"\x81\x7f" + (1001).to_bytes(8, "big")), peer.hang()),
    )
    assert hearing.ending() == ("protocol violation: a message of more than 1000 bytes", True)


def test_fragments_that_are_too_long_together_are_refused(outside):
    def script(peer):
        peer.send_frame(TEXT, b"x" * 400, fin=False)
        for _ in range(5):
            peer.send_frame(CONTINUATION, b"x" * 400, fin=False)
        peer.hang()

    outside.limits = Limits(max_message_bytes=1000)
    hearing, _ = opened(outside, script)
    assert hearing.ending() == ("protocol violation: a message of more than 1000 bytes", True)


def test_a_silent_peer_is_pinged_after_half_the_limit_and_closed_after_all_of_it(outside):
    heard = queue.SimpleQueue()
    start = time.monotonic()
    hearing, _ = opened(
        outside, lambda peer: (heard.put(peer.read_frame()), peer.stop_dead()), silence_limit_s=0.4
    )
    assert heard.get(timeout=5) == (PING, b"")
    assert time.monotonic() - start > 0.19
    assert hearing.ending() == ("silent for 0.4 s, a ping included", True)
    assert 0.39 < time.monotonic() - start < 3


def test_a_peer_that_only_answers_pings_is_not_silent(outside):
    pings = queue.SimpleQueue()

    def script(peer):
        for _ in range(5):
            opcode, payload = peer.read_frame()
            pings.put(opcode)
            peer.send_frame(PONG, payload)
        peer.send_frame(CLOSE, b"\x03\xe8")
        peer.wait_for_end()

    hearing, _ = opened(outside, script, silence_limit_s=0.2)
    assert hearing.ending() == ("closed by the other side: 1000", False)
    assert [pings.get() for _ in range(5)] == [PING] * 5


def test_the_keep_alive_text_of_a_plan_is_sent_again_and_again(outside):
    said = queue.SimpleQueue()
    opened(
        outside,
        lambda peer: ([said.put(peer.read_frame()) for _ in range(3)], peer.hang()),
        keep_alive=('{"op":"ping"}', 0.02),
    )
    assert [said.get(timeout=5) for _ in range(3)] == [(TEXT, b'{"op":"ping"}')] * 3


def test_closing_an_idle_connection_sends_a_close_frame_at_once(outside):
    answers = queue.SimpleQueue()
    hearing, link = opened(
        outside, lambda peer: (answers.put(peer.read_frame()), peer.wait_for_end())
    )
    start = time.monotonic()
    link.close("enough")
    link.close("again")
    assert hearing.ending() == ("enough", False)
    assert time.monotonic() - start < 2
    assert answers.get(timeout=5) == (CLOSE, b"\x03\xe8")
    link.close("after the end")
    link.send("after the end")


def test_closing_does_not_wait_for_a_peer_that_has_stopped(outside):
    hearing, link = opened(outside, lambda peer: peer.stop_dead())
    start = time.monotonic()
    link.close("enough")
    assert hearing.ending() == ("enough", False)
    assert time.monotonic() - start < 2


def test_closing_ends_a_connection_that_waits_for_its_listener(outside):
    full = threading.Event()
    hearing, link = opened(
        outside, lambda peer: (full.wait(5), peer.send_frame(TEXT, b"x"), peer.hang())
    )
    hearing.room.close()
    full.set()
    link.close("enough")
    assert hearing.ending() == ("enough", False)


@pytest.mark.parametrize("callback", ["opened", "frames"])
def test_a_listener_that_raises_ends_its_connection_with_that_as_the_reason(outside, callback):
    go = threading.Event()
    hearing, _ = outside.open_at(
        lambda peer: (
            go.wait(5),
            peer.accept_handshake(),
            peer.send_frame(TEXT, b"x"),
            peer.wait_for_end(),
        )
    )
    hearing.fail_in = callback
    go.set()
    assert hearing.ending() == (f"the listener failed: KeyError({callback!r})", True)


def test_a_listener_that_raises_when_told_of_the_end_is_reported_and_told_once(
    outside, monkeypatch
):
    reported = queue.SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.put(args.exc_type))
    go = threading.Event()
    hearing, _ = outside.open_at(lambda peer: (go.wait(5), peer.accept_handshake()))
    hearing.fail_in = "closed"
    go.set()
    assert hearing.ending() == ("the connection ended without a close frame", True)
    assert reported.get(timeout=5) is KeyError


def test_without_room_tcp_stalls_the_sender_beyond_the_silence_limit_and_nothing_is_lost(
    outside,
):
    stalled = threading.Event()
    sent = []

    def script(peer):
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        for i in range(20_000):
            # A socket that cannot be written for so long: TCP has told it to wait.
            while not select.select([], [peer.sock], [], 0.5)[1]:
                stalled.set()
            peer.send_frame(TEXT, b"%06d" % i + b"x" * 1000)
            sent.append(i)
        peer.send_frame(CLOSE, b"\x03\xe8")
        peer.wait_for_end()

    hearing, _ = outside.open_at(
        lambda peer: (peer.accept_handshake(), script(peer)),
        silence_limit_s=0.3,
    )
    hearing.room.close()
    assert stalled.wait(8)
    held_back = len(sent)
    heard_while_full = len(hearing.frames_heard)
    hearing.room.open()
    assert hearing.ending() == ("closed by the other side: 1000", False)
    assert heard_while_full <= held_back < 20_000
    assert [int(frame[:6]) for frame in hearing.frames_heard] == list(range(20_000))


def test_a_peer_that_is_sending_can_finish_and_sees_the_close_frame(outside):
    full, sending, goodbye = threading.Event(), threading.Event(), queue.SimpleQueue()

    def script(peer):
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        full.wait(5)
        peer.send_frame(TEXT, b"first")
        sending.set()
        peer.send_frame(BINARY, b"x" * 3_000_000)
        goodbye.put(peer.read_frame())

    hearing, link = opened(outside, script)
    hearing.room.close()
    full.set()
    assert sending.wait(5)
    link.close("enough")
    assert hearing.ending() == ("enough", False)
    assert goodbye.get(timeout=5) == (CLOSE, b"\x03\xe8")


@contextlib.contextmanager
def aiohttp_echo():
    """A well-behaved server that sends back every text, in a thread; gives its port."""
    started, loop = queue.SimpleQueue(), asyncio.new_event_loop()

    async def echo(request):
        ws = web.WebSocketResponse(compress=True)
        await ws.prepare(request)
        async for message in ws:
            if message.type == aiohttp.WSMsgType.TEXT and message.data == "end":
                await ws.close(code=4001, message=b"as you wish")
            elif message.type == aiohttp.WSMsgType.TEXT:
                await ws.send_str(message.data)
        return ws

    async def serve():
        app = web.Application()
        app.router.add_get("/ws", echo)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        stop = asyncio.Event()
        started.put((runner.addresses[0][1], stop))
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="test-aiohttp")
    thread.start()
    port, stop = started.get(timeout=5)
    yield port
    loop.call_soon_threadsafe(stop.set)
    thread.join(5)
    loop.close()


def test_a_well_behaved_server_echoes_messages_of_all_sizes(outside):
    texts = ["", "a", "b" * 125, "c" * 126, "é" * 40_000, "d" * 70_000]
    with aiohttp_echo() as port:
        hearing, link = outside.open(f"ws://127.0.0.1:{port}/ws")
        for text in texts:
            link.send(text)
        hearing.until(lambda: len(hearing.frames_heard) == len(texts))
        link.send("end")
        assert hearing.ending() == ("closed by the other side: 4001 as you wish", False)
    assert [frame.decode() for frame in hearing.frames_heard] == texts
