"""Peers on loopback that follow a test's script, and listeners that record their calls."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perps_actors.kernel.clock import SystemClock
from perps_actors.transport.network import Limits, LiveNetwork
from perps_actors.transport.wire import ConnectionPlan, HttpAnswer, HttpRequest

LIMIT_S = 8.0
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def server_frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    size = len(payload)
    length = (
        bytes([size])
        if size < 126
        else b"\x7e" + size.to_bytes(2, "big")
        if size < 65536
        else b"\x7f" + size.to_bytes(8, "big")
    )
    return bytes([(0x80 if fin else 0) | opcode]) + length + payload


class Peer:
    """One connection, seen from the server."""

    def __init__(self, sock: socket.socket, over: threading.Event) -> None:
        self.sock = sock
        self.over = over
        self.head = b""

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self.sock.recv(size - len(data))
            if not chunk:
                raise ConnectionResetError
            data += chunk
        return data

    def read_head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.exactly(1)
        self.head = head
        return head

    def accept_handshake(self, extra: bytes = b"", then: bytes = b"") -> None:
        """Answer with a header more, if wanted, and send on in the same packet."""
        key = next(
            line.split(b":", 1)[1].strip()
            for line in self.read_head().split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        head = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept
        )
        self.sock.sendall(head + b"\r\n" + extra + b"\r\n" + then)

    def send_frame(self, opcode: int, payload: bytes, *, fin: bool = True) -> None:
        self.sock.sendall(server_frame(opcode, payload, fin=fin))

    def read_frame(self) -> tuple[int, bytes]:
        first, size = self.exactly(2)
        assert size & 0x80, "a client masks its frames"
        size &= 0x7F
        if size > 125:
            size = int.from_bytes(self.exactly(2 if size == 126 else 8), "big")
        mask, payload = self.exactly(4), self.exactly(size)
        return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    def drip(self, data: bytes, pause_s: float = 0.01) -> None:
        for i in range(len(data)):
            self.sock.sendall(data[i : i + 1])
            if self.over.wait(pause_s):
                return

    def hang(self) -> None:
        """Read and say nothing until the client goes."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        while not self.over.is_set() and not poll.poll(100):
            pass

    def stop_dead(self) -> None:
        """Do nothing at all, not even notice that the client goes."""
        self.over.wait(LIMIT_S)

    def wait_for_end(self) -> None:
        """Read until the client is gone."""
        while self.sock.recv(65536):
            pass


class RawServer:
    """Listens on loopback and runs the script on each connection, on a thread of its own."""

    def __init__(self, script: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.over = threading.Event()
        self.peers: list[Peer] = []
        self.errors: list[BaseException] = []
        self.threads = [threading.Thread(target=self._accept, name="test-server")]
        self.threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._socket.accept()
                thread = threading.Thread(target=self._serve, args=(sock,), name="test-peer")
                thread.start()
                self.threads.append(thread)

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(LIMIT_S)
            with self._tls.wrap_socket(sock, server_side=True) if self._tls else sock as wrapped:
                peer = Peer(wrapped, self.over)
                self.peers.append(peer)
                self._script(peer)
        except OSError:
            sock.close()
        except BaseException as error:  # noqa: BLE001 - told by `close`
            self.errors.append(error)

    def close(self) -> None:
        self.over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.threads[0].join(LIMIT_S)
        for peer in self.peers:
            # Not the method of the TLS socket: it would change the state that a thread reads with.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(peer.sock, socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()
        assert self.errors == []


class Room:
    """Says whether a listener takes more, and calls back those that were refused."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = True
        self._refused: set[Callable[[], None]] = set()
        self.asked = 0

    def given(self, resume: Callable[[], None]) -> bool:
        with self._lock:
            self.asked += 1
            if not self._open:
                self._refused.add(resume)
            return self._open

    def close(self) -> None:
        with self._lock:
            self._open = False

    def open(self) -> None:
        with self._lock:
            self._open = True
            refused, self._refused = self._refused, set()
        for resume in refused:
            resume()


class Hearing:
    """A stream listener that remembers, and can be told to be full or to fail."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self.room = Room()
        self.openings = 0
        self.frames_heard: list[bytes] = []
        self.batches: list[tuple[tuple[bytes, ...], int, int]] = []
        self.endings: list[tuple[str, str, bool]] = []
        self.threads: set[str] = set()
        self.fail_in: str | None = None

    def _note(self, callback: str) -> None:
        self.threads.add(threading.current_thread().name)
        self._news.notify_all()
        if callback == self.fail_in:
            raise KeyError(callback)

    def has_room(self, resume: Callable[[], None]) -> bool:
        return self.room.given(resume)

    def opened(self, _: str) -> None:
        with self._news:
            self.openings += 1
            self._note("opened")

    def frames(
        self, _: str, frames: tuple[bytes, ...], received_ns: int, monotonic_ns: int
    ) -> None:
        with self._news:
            self.frames_heard.extend(frames)
            self.batches.append((frames, received_ns, monotonic_ns))
            self._note("frames")

    def closed(self, connection: str, reason: str, error: bool) -> None:  # noqa: FBT001 - the protocol's
        with self._news:
            self.endings.append((connection, reason, error))
            self._note("closed")

    def until(self, condition: Callable[[], object]) -> None:
        with self._news:
            assert self._news.wait_for(condition, LIMIT_S), (
                self.openings,
                self.frames_heard[-3:],
                self.endings,
            )

    def until_open(self) -> None:
        self.until(lambda: self.openings)

    def ending(self) -> tuple[str, bool]:
        """Reason and error of the end, which it waits for."""
        self.until(lambda: self.endings)
        ((_, reason, error),) = self.endings
        return reason, error


class Asked:
    """An answer listener that remembers."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self.answers: list[HttpAnswer] = []

    def __call__(self, answer: HttpAnswer) -> None:
        with self._news:
            self.answers.append(answer)
            self._news.notify_all()

    def all(self, count: int) -> list[HttpAnswer]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.answers) >= count, LIMIT_S), self.answers
        return self.answers

    def one(self) -> HttpAnswer:
        (answer,) = self.all(1)
        return answer


class Outside:
    """Networks and servers of one test, and short words for what is done with them."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._network: LiveNetwork | None = None
        self.limits = Limits()

    @property
    def network(self) -> LiveNetwork:
        if self._network is None:
            network = self._network = LiveNetwork(SystemClock(), self.limits)
            self._stack.callback(lambda: self._assert_ended(network))
        return self._network

    @staticmethod
    def _assert_ended(network: LiveNetwork) -> None:
        assert network.close(LIMIT_S) == 0

    def serve(self, script: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> RawServer:
        server = RawServer(script, tls)
        self._stack.callback(server.close)
        return server

    def open(self, url: str, **plan: float):
        hearing = Hearing()
        link = self.network.open(ConnectionPlan(name="public-0", url=url, **plan), hearing)
        return hearing, link

    def open_at(self, script: Callable[[Peer], None], **plan: float):
        return self.open(f"ws://127.0.0.1:{self.serve(script).port}/stream", **plan)

    @staticmethod
    def request(url: str) -> HttpRequest:
        return HttpRequest(url=url, purpose="test")

    def ask(self, url: str) -> Asked:
        asked = Asked()
        self.network.request(self.request(url), asked)
        return asked

    def ask_at(self, script: Callable[[Peer], None], path: str = "/") -> Asked:
        return self.ask(f"http://127.0.0.1:{self.serve(script).port}{path}")


@pytest.fixture
def outside() -> Iterator[Outside]:
    with contextlib.ExitStack() as stack:
        yield Outside(stack)


@pytest.fixture
def hearings() -> Callable[[int], list[Hearing]]:
    return lambda count: [Hearing() for _ in range(count)]


@pytest.fixture
def asked() -> Callable[[], Asked]:
    return Asked


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of 127.0.0.1, signed by itself, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    file, key = folder / "server.pem", folder / "key.pem"
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    try:
        subprocess.run(
            [*command, "-subj", "/CN=127.0.0.1", "-addext", names, "-keyout", key, "-out", file],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed, so there is no certificate to serve with")
    file.write_text(file.read_text() + key.read_text())
    return file


@pytest.fixture
def tls_server(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
