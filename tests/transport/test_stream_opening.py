from __future__ import annotations

import socket
import threading
import time
from functools import partial

import pytest
import websocket

from perps_actors.kernel.clock import SystemClock
from perps_actors.kernel.dispatcher import IoDispatcher
from perps_actors.transport.dial import Dialer, Resolver
from perps_actors.transport.network import Limits
from perps_actors.transport.websocket import WebSocketConnection
from perps_actors.transport.wire import ConnectionPlan


def test_a_handshake_requests_the_path_of_the_plan_and_opens_the_connection(outside):
    def script(peer):
        peer.accept_handshake()
        peer.hang()

    server = outside.serve(script)
    hearing, _ = outside.open(
        f"ws://127.0.0.1:{server.port}/stream?streams=btcusdt@depth/ethusdt@trade"
    )
    hearing.until_open()
    (peer,) = server.peers
    assert peer.head.startswith(b"GET /stream?streams=btcusdt@depth/ethusdt@trade HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n".encode() in peer.head
    assert hearing.threads == {"perps-io"}


def test_frames_in_the_packet_of_the_handshake_are_not_lost(outside):
    hearing, _ = outside.open_at(
        lambda peer: (peer.accept_handshake(then=b"\x81\x02hi\x81\x05there"), peer.hang())
    )
    hearing.until(lambda: len(hearing.frames_heard) == 2)
    assert hearing.frames_heard == [b"hi", b"there"]


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 101 Switching Protocols\r\nX-Slow: " + b"x" * 400]
)
def test_a_handshake_that_never_ends_fails_at_the_deadline(outside, answer):
    outside.limits = Limits(handshake_s=0.3)
    start = time.monotonic()
    hearing, _ = outside.open_at(lambda peer: (peer.read_head(), peer.drip(answer), peer.hang()))
    assert hearing.ending() == ("not open within 0.3 s", True)
    assert time.monotonic() - start < 2
    assert hearing.openings == 0


def test_a_handshake_with_endless_headers_is_cut_at_the_limit(outside):
    def script(peer):
        peer.read_head()
        peer.sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
        while True:
            peer.sock.sendall(b"X-More: and more\r\n" * 100)

    hearing, _ = outside.open_at(script)
    assert hearing.ending() == ("the answer's head is longer than 16384 bytes", True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(outside, status):
    target = outside.serve(lambda peer: peer.accept_handshake())
    head = f"HTTP/1.1 {status} Moved\r\nLocation: ws://127.0.0.1:{target.port}/\r\n"
    location = f"{head}Content-Length: 0\r\n\r\n".encode()
    hearing, _ = outside.open_at(
        lambda peer: (peer.read_head(), peer.sock.sendall(location), peer.hang())
    )
    reason, error = hearing.ending()
    assert (f"{status} Moved" in reason, error) == (True, True)
    assert target.peers == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 999999999999\r\n\r\nno", "403 Forbidden"),
        (b"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", "200 OK"),
        (
            (
                b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                b"Sec-WebSocket-Accept: bm8=\r\n\r\n"
            ),
            "Invalid WebSocket Header",
        ),
        (b"HTTP/1.1 101 OK\r\n\r\n", "Invalid WebSocket Header"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "SSH-2.0-OpenSSH_9.2"),
        (b"\xff\xfe\r\n\r\n", "handshake failed"),
        (b"HTTP/1.1 101", "ended after 12 bytes"),
        (b"", "ended after 0 bytes"),
    ],
)
def test_an_answer_that_is_no_handshake_fails_at_once_and_is_shown(outside, answer, said):
    hearing, _ = outside.open_at(
        lambda peer: (
            peer.read_head(),
            peer.sock.sendall(answer),
            peer.sock.shutdown(socket.SHUT_WR),
            peer.hang(),
        )
    )
    reason, error = hearing.ending()
    assert said in reason
    assert error
    assert len(reason) < 300


def test_our_handshakes_and_those_of_the_host_share_no_cookies(outside, monkeypatch):
    monkeypatch.setattr(websocket._handshake, "CookieJar", type(websocket._handshake.CookieJar)())
    server = outside.serve(
        lambda peer: (peer.accept_handshake(b"Set-Cookie: id=1; Domain=127.0.0.1\r\n"), peer.hang())
    )
    url = f"ws://127.0.0.1:{server.port}/"

    def ours():
        outside.open(url)[0].until_open()

    def of_the_host():
        websocket.create_connection(url).shutdown()

    for connect in (ours, of_the_host, of_the_host, ours):
        connect()
    # The host's second one shows that its cookies would be sent.
    assert [b"cookie" in peer.head.lower() for peer in server.peers] == [False, False, True, False]


@pytest.mark.parametrize(
    "url", ["ws://192.0.2.1/", "ws://example.com/", "http://127.0.0.1/", "nonsense"]
)
def test_an_address_that_is_neither_encrypted_nor_loopback_ends_the_connection(outside, url):
    hearing, _ = outside.open(url)
    reason, error = hearing.ending()
    assert error
    assert "loopback" in reason or "Expected" in reason


def test_a_refused_connection_ends_with_that_reason(outside):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    hearing, _ = outside.open(f"ws://127.0.0.1:{port}/")
    assert hearing.ending() == ("the connection failed: [Errno 111] Connection refused", True)


@pytest.fixture
def full_port():
    """A port whose queue of connections is full, so that a connect to it hangs."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        yield server.getsockname()[1]
        for filler in fillers:
            filler.close()


def test_a_connect_that_hangs_fails_at_the_deadline(outside, full_port):
    outside.limits = Limits(handshake_s=0.3)
    hearing, _ = outside.open(f"ws://127.0.0.1:{full_port}/")
    reason, error = hearing.ending()
    assert ("0.3 s" in reason or "timed out" in reason, error) == (True, True)


def test_closing_ends_a_connect_that_hangs_at_once(outside, full_port):
    hearing, link = outside.open(f"ws://127.0.0.1:{full_port}/")
    start = time.monotonic()
    link.close("not wanted")
    assert hearing.ending() == ("not wanted", False)
    assert time.monotonic() - start < 2


def test_closing_ends_a_handshake_that_hangs_at_once(outside):
    asked = threading.Event()
    hearing, link = outside.open_at(lambda peer: (peer.read_head(), asked.set(), peer.hang()))
    assert asked.wait(5)
    start = time.monotonic()
    link.close("not wanted")
    assert hearing.ending() == ("not wanted", False)
    assert time.monotonic() - start < 2


@pytest.fixture
def connected():
    """Opens connections on a loop of the test."""
    threads = []

    def start(name, work):
        threads.append(threading.Thread(target=work, name=name, daemon=True))
        threads[-1].start()
        return threads[-1]

    loop = IoDispatcher(start, "test-io", SystemClock())
    yield partial(_connected, loop)
    loop.close()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def _connected(
    loop, hearing, look_up, *, url="wss://venue.example/", handshake_s=10.0, resolver=None
):
    limits = Limits(handshake_s=handshake_s)
    dialer = Dialer(limits, resolver or Resolver(look_up))
    plan = ConnectionPlan(name="public-0", url=url)
    connection = WebSocketConnection(
        plan,
        hearing,
        loop=loop,
        clock=SystemClock(),
        limits=limits,
        dialer=dialer,
        ended=lambda _: None,
    )
    connection.start()
    return connection


def found(host, port):
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def test_when_the_first_address_of_a_name_hangs_the_next_gets_its_share_of_the_time(
    outside, full_port, hearings, connected
):
    server = outside.serve(lambda peer: (peer.accept_handshake(), peer.hang()))
    (hearing,) = hearings(1)
    link = connected(
        hearing,
        lambda *_, **__: [*found("127.0.0.1", full_port), *found("127.0.0.1", server.port)],
        url="ws://localhost/",
        handshake_s=1.0,
    )
    hearing.until_open()
    link.close("enough")
    hearing.ending()


def test_a_localhost_that_leads_elsewhere_is_not_connected_to_without_tls(hearings, connected):
    (hearing,) = hearings(1)
    connected(hearing, lambda *_, **__: found("192.0.2.1", 80), url="ws://localhost/")
    assert hearing.ending() == ("no address of localhost is usable", True)


@pytest.fixture
def hanging_name(connected):
    """A connection to a name whose look-up hangs until the event is set, and the resolver."""
    release = threading.Event()

    def look_up(*_, **__):
        release.wait(8)
        raise socket.gaierror(socket.EAI_AGAIN, "the name server is gone")

    resolver = Resolver(look_up)

    def connect(hearing, handshake_s=10.0):
        return connected(hearing, look_up, handshake_s=handshake_s, resolver=resolver)

    yield connect, resolver, release
    release.set()
    for thread in resolver.threads():
        thread.join(5)


def test_a_hanging_look_up_delays_neither_deadline_nor_close_and_runs_once(hanging_name, hearings):
    connect, resolver, release = hanging_name
    late, closed, third = hearings(3)
    connect(late, 0.2)
    link = connect(closed)
    link.close("not wanted")
    assert late.ending() == ("not open within 0.2 s", True)
    assert closed.ending() == ("not wanted", False)
    connect(third)
    assert len(resolver.threads()) == 1
    release.set()
    assert third.ending() == (
        "no address of venue.example: [Errno -3] the name server is gone",
        True,
    )
