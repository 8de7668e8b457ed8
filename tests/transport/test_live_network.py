from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from perps_actors.kernel.clock import SystemClock
from perps_actors.transport.network import Limits, LiveNetwork

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
TEXT, CLOSE = 1, 8


def stream_and_rest(peer):
    """Speak WebSocket with who asks for it, and answer everything else."""
    head = peer.read_head()
    if b"upgrade: websocket" in head.lower():
        peer.read_head = lambda: head
        peer.accept_handshake()
        peer.send_frame(TEXT, b"x" * 50_000)
        peer.send_frame(TEXT, b"y")
        peer.wait_for_end()
    else:
        peer.sock.sendall(GOOD)
        peer.wait_for_end()


def test_a_server_with_an_untrusted_certificate_is_refused(outside, tls_server):
    port = outside.serve(stream_and_rest, tls_server).port
    hearing, _ = outside.open(f"wss://127.0.0.1:{port}/")
    reason, error = hearing.ending()
    assert ("certificate verify failed" in reason, error) == (True, True)
    answer = outside.ask(f"https://127.0.0.1:{port}/").one()
    assert answer.status is None
    assert "certificate verify failed" in answer.error


def test_a_server_is_trusted_by_the_given_certificates(outside, tls_server, certificate):
    outside.limits = Limits(ca_file=certificate)
    port = outside.serve(stream_and_rest, tls_server).port
    hearing, _ = outside.open(f"wss://127.0.0.1:{port}/")
    hearing.until(lambda: len(hearing.frames_heard) == 2)
    assert hearing.frames_heard == [b"x" * 50_000, b"y"]
    assert outside.ask(f"https://127.0.0.1:{port}/").one().status == 200


def test_a_trusted_certificate_of_another_name_is_refused(outside, tls_server, certificate):
    outside.limits = Limits(ca_file=certificate)
    port = outside.serve(stream_and_rest, tls_server).port
    hearing, _ = outside.open(f"wss://127.0.0.2:{port}/")
    assert hearing.ending()[1]
    assert hearing.openings == 0
    assert outside.ask(f"https://127.0.0.2:{port}/").one().status is None


def test_an_unreadable_certificate_file_is_named_in_the_error(outside, tls_server, tmp_path):
    outside.limits = Limits(ca_file=tmp_path / "none.pem")
    port = outside.serve(stream_and_rest, tls_server).port
    hearing, _ = outside.open(f"wss://127.0.0.1:{port}/")
    assert "none.pem" in hearing.ending()[0]
    assert "none.pem" in outside.ask(f"https://127.0.0.1:{port}/").one().error


@pytest.mark.parametrize("peer_of_tls", ["silent", "dripping"])
def test_a_tls_handshake_that_does_not_end_fails_at_the_deadline(outside, peer_of_tls):
    outside.limits = Limits(handshake_s=0.3, request_total_s=0.3)
    # A record of a server's hello that promises 1,000 bytes.
    hello = (
        b"\x16\x03\x03\x03\xe8\x02\x00\x03\xe4\x03\x03" + b"x" * 900
        if peer_of_tls == "dripping"
        else b""
    )
    port = outside.serve(lambda peer: (peer.drip(hello), peer.hang())).port
    hearing, _ = outside.open(f"wss://127.0.0.1:{port}/")
    asked = outside.ask(f"https://127.0.0.1:{port}/")
    assert hearing.ending() == ("not open within 0.3 s", True)
    assert asked.one().error == "no answer within 0.3 s"


def test_many_frames_over_tls_come_whole_and_in_order_however_the_records_are_cut(
    outside, tls_server, certificate
):
    outside.limits = Limits(ca_file=certificate)
    frames = [b"%05d" % i + b"z" * (i * 37 % 3000) for i in range(3000)]

    def script(peer):
        peer.accept_handshake()
        for frame in frames:
            peer.send_frame(TEXT, frame)
        peer.send_frame(CLOSE, b"\x03\xe8")
        peer.wait_for_end()

    hearing, _ = outside.open(f"wss://127.0.0.1:{outside.serve(script, tls_server).port}/")
    assert hearing.ending() == ("closed by the other side: 1000", False)
    assert hearing.frames_heard == frames


def test_records_that_arrived_together_come_as_one_batch_and_none_is_left_in_the_tls_layer(
    outside, tls_server, certificate
):
    outside.limits = Limits(ca_file=certificate)
    full, arrived = threading.Event(), threading.Event()
    # Together more than one read takes, and the last record (of 16 KiB) is cut by its end.
    frames = [b"small"] * 50 + [b"x" * (4 * 16_384 - 4)]

    def script(peer):
        peer.accept_handshake()
        full.wait(5)
        for frame in frames:
            peer.send_frame(TEXT, frame)
        arrived.set()
        peer.wait_for_end()

    port = outside.serve(script, tls_server).port
    hearing, _ = outside.open(f"wss://127.0.0.1:{port}/")
    hearing.until_open()
    hearing.room.close()
    full.set()
    assert arrived.wait(5)
    hearing.room.open()
    hearing.until(lambda: len(hearing.frames_heard) == len(frames))
    assert hearing.frames_heard == frames
    assert [len(batch) for batch, _, _ in hearing.batches] == [50, 1]


@pytest.fixture
def proxy(outside):
    """A server that connects through to where CONNECT says, and a list of where that was."""
    seen = []

    def script(peer):
        seen.append(peer.read_head().split(b"\r\n")[0])
        host, port = seen[-1].split(b" ")[1].rsplit(b":", 1)
        with socket.create_connection((host.decode(), int(port))) as far:
            peer.sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends = {peer.sock: far, far: peer.sock}
            while not peer.over.is_set():
                for end in select.select(list(ends), [], [], 0.1)[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)

    return outside.serve(script), seen


def test_the_proxies_of_the_environment_are_not_used(
    outside, proxy, monkeypatch, tls_server, certificate
):
    server, seen = proxy
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
    outside.limits = Limits(ca_file=certificate)
    plain, encrypted = (
        outside.serve(stream_and_rest).port,
        outside.serve(stream_and_rest, tls_server).port,
    )
    for scheme, port in (("", plain), ("s", encrypted)):
        hearing, _ = outside.open(f"ws{scheme}://127.0.0.1:{port}/")
        hearing.until_open()
        assert outside.ask(f"http{scheme}://127.0.0.1:{port}/").one().status == 200
    assert seen == []


def test_a_given_proxy_leads_out_and_loopback_is_reached_without_it(
    outside, proxy, tls_server, certificate
):
    server, seen = proxy
    outside.limits = Limits(ca_file=certificate, proxy=f"http://127.0.0.1:{server.port}")
    plain, encrypted = (
        outside.serve(stream_and_rest).port,
        outside.serve(stream_and_rest, tls_server).port,
    )
    for scheme, port in (("", plain), ("s", encrypted)):
        hearing, _ = outside.open(f"ws{scheme}://127.0.0.1:{port}/")
        hearing.until(lambda hearing=hearing: len(hearing.frames_heard) == 2)
        assert outside.ask(f"http{scheme}://127.0.0.1:{port}/").one().status == 200
    assert [line.rsplit(b" ", 1)[0] for line in seen] == [
        f"CONNECT 127.0.0.1:{encrypted}".encode()
    ] * 2


def test_a_proxy_that_refuses_is_named_as_the_reason(outside):
    server = outside.serve(
        lambda peer: (
            peer.read_head(),
            peer.sock.sendall(b"HTTP/1.1 407 Who are you\r\n\r\n"),
            peer.hang(),
        )
    )
    outside.limits = Limits(proxy=f"http://127.0.0.1:{server.port}")
    hearing, _ = outside.open("wss://venue.example/")
    assert hearing.ending() == ("the proxy answered 'HTTP/1.1 407 Who are you' to CONNECT", True)
    assert "407" in outside.ask("https://venue.example/").one().error


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def own_threads():
    return [t.name for t in threading.enumerate() if t.name.startswith(("perps-", "paper-"))]


def test_fifty_networks_leave_no_thread_and_no_descriptor_behind(outside, tls_server, certificate):
    plain, encrypted = outside.serve(stream_and_rest), outside.serve(stream_and_rest, tls_server)
    urls = [f"://127.0.0.1:{plain.port}/", f"s://127.0.0.1:{encrypted.port}/"]

    def live():
        outside.limits = Limits(ca_file=certificate, request_total_s=5)
        network = LiveNetwork(SystemClock(), outside.limits)
        outside._network = network
        for url in urls:
            hearing, link = outside.open(f"ws{url}")
            asked = outside.ask(f"http{url}")
            hearing.until_open()
            assert asked.one().status == 200
            link.close("enough")
            hearing.ending()
        outside.open("ws://127.0.0.1:1/")[0].ending()
        outside.open(f"ws{urls[0]}")
        assert network.close(5) == 0

    live()
    settle(plain, encrypted)
    before = descriptors()
    for _ in range(50):
        live()
    settle(plain, encrypted)
    assert descriptors() <= before
    assert own_threads() == []


def settle(*servers):
    """Wait until the servers have noticed that their clients are gone."""
    for server in servers:
        for thread in server.threads[1:]:
            thread.join(5)


def test_closing_tells_every_listener_and_is_idempotent(outside):
    server = outside.serve(stream_and_rest)
    heard = [outside.open(f"ws://127.0.0.1:{server.port}/")[0] for _ in range(5)]
    for hearing in heard:
        hearing.until_open()
    assert outside.network.close(5) == 0
    assert outside.network.close(5) == 0
    assert [hearing.ending() for hearing in heard] == [("closed", False)] * 5


def test_a_connection_opened_after_closing_ends_without_connecting(outside):
    server = outside.serve(stream_and_rest)
    outside.network.close(1)
    hearing, _ = outside.open(f"ws://127.0.0.1:{server.port}/")
    assert hearing.ending() == ("closed", False)
    assert server.peers == []


def test_a_thread_that_hangs_in_its_listener_is_counted_and_not_waited_for(outside):
    server = outside.serve(stream_and_rest)
    release, hung = threading.Event(), threading.Event()
    hearing, _ = outside.open(f"ws://127.0.0.1:{server.port}/")
    hearing.until_open()
    asked = []

    def hang(answer):
        hung.set()
        release.wait(8)
        asked.append(answer)

    outside.network.request(outside.request(f"http://127.0.0.1:{server.port}/"), hang)
    assert hung.wait(5)
    assert outside.network.close(0.5) == 1
    release.set()


def test_threads_carry_the_name_of_the_system(outside):
    server = outside.serve(stream_and_rest)
    outside._network = network = LiveNetwork(SystemClock(), name="paper")
    hearing, _ = outside.open(f"ws://127.0.0.1:{server.port}/")
    hearing.until_open()
    outside.ask(f"http://127.0.0.1:{server.port}/").one()
    assert sorted(own_threads()) == [
        "paper-http-0",
        "paper-http-watch",
        "paper-io",
    ]
    assert all(t.daemon for t in threading.enumerate() if t.name.startswith("paper-"))
    assert network.close(5) == 0


def test_importing_the_package_and_its_wire_loads_neither_requests_nor_websocket_client():
    code = (
        "import sys, perps_actors.transport.wire; "
        "print([name for name in ('requests', 'websocket') if name in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        ).stdout
        == "[]\n"
    )
