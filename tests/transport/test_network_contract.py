"""The contract of `Network` and its listeners, kept by sockets, brokers, fakes and simulations."""

from __future__ import annotations

import threading

import pytest

from perps_actors.errors import Fenced
from perps_actors.kernel.clock import ManualClock, SystemClock
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.testing import FakeNetwork, SimulatedVenue, WireFault
from perps_actors.transport.broker import BrokerNetwork
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.binance_futures.rest import BinanceFuturesRest
from perps_actors.venues.binance_futures.stream import BinanceFuturesStream

LIMIT_S = 8.0
TEXT, CLOSE = 1, 8


class Log:
    """Hears connections and answers, and keeps all news in the order in which they came."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.news: list[tuple] = []
        self.answers: list = []
        self.full = False
        self.asked = 0
        self.refused: list = []
        self.fails_at: str | None = None

    def _note(self, *news) -> None:
        with self.changed:
            self.news.append(news)
            self.changed.notify_all()
        if news[0] == self.fails_at:
            raise Fenced

    def has_room(self, resume):
        with self.changed:
            self.asked += 1
            if self.full:
                self.refused.append(resume)
            self.changed.notify_all()
            return not self.full

    def make_room(self):
        with self.changed:
            self.full = False
        for resume in self.refused:
            resume()

    def opened(self, connection):
        self._note("opened", connection)

    def frames(self, connection, frames, received_ns, monotonic_ns):
        assert frames
        assert all(type(frame) is bytes for frame in frames)
        assert type(received_ns) is type(monotonic_ns) is int
        self._note("frames", connection)

    def closed(self, connection, reason, error):
        self._note("closed", connection, reason, error)

    def __call__(self, answer):
        with self.changed:
            self.answers.append(answer)
            self.changed.notify_all()

    def kinds(self):
        """Kinds of the news in order, with repeated frames as one."""
        kinds = [news[0] for news in self.news]
        return [
            kind for at, kind in enumerate(kinds) if kind != "frames" or kinds[at - 1] != "frames"
        ]

    def has(self, kind):
        return lambda: any(news[0] == kind for news in self.news)


class Live:
    """Real sockets and HTTP, to a server on loopback."""

    def __init__(self, outside) -> None:
        self.outside = outside
        self.network = outside.network
        self.port = outside.serve(self._serve).port

    @staticmethod
    def _serve(peer):
        head = peer.read_head()
        path = head.split(b" ")[1].decode().strip("/")
        peer.read_head = lambda: head
        if path == "hanging":
            peer.hang()
        elif path == "failing" or (path == "refused" and peer.sock.shutdown(2) is None):
            return
        elif b"upgrade: websocket" not in head.lower():
            peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            peer.wait_for_end()
        else:
            peer.accept_handshake()
            peer.send_frame(TEXT, b"{}")
            if path == "ending":
                peer.send_frame(CLOSE, b"\x03\xe8")
            while not peer.over.wait(0.01):
                peer.send_frame(TEXT, b"{}")

    def plan(self, fate):
        return ConnectionPlan(name="one", url=f"ws://127.0.0.1:{self.port}/{fate}")

    def request(self, fate):
        return HttpRequest(url=f"http://127.0.0.1:{self.port}/{fate}", purpose="test")

    def run(self, log, condition):
        with log.changed:
            assert log.changed.wait_for(condition, LIMIT_S), (log.news[-3:], log.answers)

    def end(self):
        """The fixture of the sockets ends it."""


class Broker:
    """A host's broker that is its own network's other side."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.network = BrokerNetwork(self, SystemClock())

    def get_quote(self, symbol):
        if symbol == "failing":
            raise OSError(symbol)
        if symbol == "hanging":
            self.over.wait(LIMIT_S)
        return {"bid": 1, "ask": 2}

    def stream_orderbook(self, symbols, level):
        assert level == 1
        if symbols == ["refused"]:
            raise OSError(symbols)
        return self._ticks(symbols)

    def _ticks(self, symbols):
        yield {}
        while symbols == ["good"] and not self.over.wait(0.01):
            yield {}

    def plan(self, fate):
        return ConnectionPlan(name="one", url="broker:stream_orderbook?level=1", symbols=(fate,))

    def request(self, fate):
        return HttpRequest(url="broker:get_quote", purpose="quote", symbol=fate)

    run = Live.run

    def end(self):
        self.over.set()
        assert self.network.close(LIMIT_S) == 0


class Fake:
    """A network that the test speaks for."""

    def __init__(self) -> None:
        self.network = FakeNetwork(ManualClock())

    def plan(self, fate):
        self.network.refuse = "no" if fate == "refused" else None
        return ConnectionPlan(name=fate, url="")

    def request(self, fate):
        return HttpRequest(url="", purpose=fate)

    def run(self, _, condition):
        for link in [link for link in self.network.links if link.open]:
            self.network.deliver(link.plan.name, b"{}")
            if link.plan.name == "ending":
                self.network.end(link, "ended", error=False)
        for request, _ in list(self.network.requests):
            if request.purpose == "good":
                self.network.answer("good", b"{}")
            if request.purpose == "failing":
                self.network.answer("failing", b"", status=None, error="failed")
        assert condition()

    def end(self):
        self.network.close(0.0)


FAULTS = {
    "ending": WireFault(1.0, "close"),
    "refused": WireFault(0.0, "refuse", 60.0),
    "failing": WireFault(0.0, "rest_fail", 60.0),
}


class Simulated:
    """A venue in virtual time."""

    def __init__(self) -> None:
        self.runtime = SimulatedRuntime()
        self.fate = "good"
        self._network = None

    @property
    def network(self):
        if self._network is None:
            faults = [FAULTS[self.fate]] if self.fate in FAULTS else []
            self._network = SimulatedVenue(self.runtime, ["BTCUSDT"], faults=faults)
        return self._network

    def plan(self, fate):
        self.fate = fate
        return BinanceFuturesStream().plan(["BTCUSDT"])[0]

    def request(self, fate):
        self.fate = fate
        return BinanceFuturesRest().quotes(["BTCUSDT"])[0]

    def run(self, _, condition):
        for _ in range(200):
            if condition():
                return
            self.runtime.advance(0.05)
        assert condition()

    def end(self):
        self.network.close(0.0)


def rig_of(name, request):
    rig = (
        Live(request.getfixturevalue("outside"))
        if name == "live"
        else {"broker": Broker, "fake": Fake, "simulated": Simulated}[name]()
    )
    request.addfinalizer(rig.end)
    return rig


@pytest.fixture(params=["live", "broker", "fake", "simulated"])
def rig(request):
    return rig_of(request.param, request)


@pytest.fixture(params=["live", "broker", "simulated"])
def rig_that_speaks_for_itself(request):
    return rig_of(request.param, request)


@pytest.fixture
def log():
    return Log()


def test_a_connection_that_the_other_side_ends_tells_opened_then_frames_then_closed(rig, log):
    plan = rig.plan("ending")
    rig.network.open(plan, log)
    rig.run(log, log.has("closed"))
    rig.network.close(LIMIT_S)
    assert log.kinds() == ["opened", "frames", "closed"]
    assert {news[1] for news in log.news} == {plan.name}
    assert log.news[-1][3] is False


def test_a_connection_that_its_owner_closes_tells_the_owners_reason_once_and_last(rig, log):
    link = rig.network.open(rig.plan("good"), log)
    rig.run(log, log.has("frames"))
    link.close("enough")
    link.close("more than enough")
    rig.run(log, log.has("closed"))
    rig.network.close(LIMIT_S)
    assert log.kinds() == ["opened", "frames", "closed"]
    assert log.news[-1][2:] == ("enough", False)


def test_a_connection_that_fails_to_open_tells_closed_once_and_never_opened(rig, log):
    plan = rig.plan("refused")
    rig.network.open(plan, log)
    rig.run(log, log.has("closed"))
    rig.network.close(LIMIT_S)
    assert log.kinds() == ["closed"]
    assert log.news[0][3] is True


def test_while_the_listener_has_no_room_no_frames_come_and_the_connection_stays_open(
    rig_that_speaks_for_itself, log
):
    rig = rig_that_speaks_for_itself
    log.full = True
    rig.network.open(rig.plan("good"), log)
    rig.run(log, lambda: log.asked)
    assert not log.has("frames")()
    log.make_room()
    rig.run(log, log.has("frames"))


def test_a_listener_that_is_fenced_ends_its_connection_and_no_other(
    rig_that_speaks_for_itself, log
):
    rig, other = rig_that_speaks_for_itself, Log()
    log.fails_at = "frames"
    plan = rig.plan("good")
    rig.network.open(plan, log)
    rig.network.open(plan, other)
    rig.run(log, log.has("closed"))
    assert log.kinds() == ["opened", "frames", "closed"]
    assert log.news[-1][3] is True
    heard = len(other.news)
    rig.run(other, lambda: len(other.news) > heard + 2)
    assert other.kinds() == ["opened", "frames"]


def test_a_request_gets_one_answer_that_names_it(rig, log):
    request = rig.request("good")
    rig.network.request(request, log)
    rig.run(log, lambda: log.answers)
    rig.network.close(LIMIT_S)
    (answer,) = log.answers
    assert answer.request is request
    assert (answer.status, answer.error) == (200, None)
    assert answer.body[:1] in (b"{", b"[")


def test_a_request_that_fails_gets_one_answer_that_says_so(rig, log):
    request = rig.request("failing")
    rig.network.request(request, log)
    rig.run(log, lambda: log.answers)
    rig.network.close(LIMIT_S)
    (answer,) = log.answers
    assert (answer.status, answer.body) == (None, b"")
    assert answer.error


def test_closing_the_network_ends_every_connection_and_answers_every_request_and_may_be_repeated(
    rig, log
):
    plan = rig.plan("good")
    for _ in range(2):
        rig.network.open(plan, log)
    rig.run(log, log.has("frames"))
    rig.network.request(rig.request("hanging"), log)
    for _ in range(2):
        rig.network.close(0.1)
    rig.run(log, lambda: log.kinds().count("closed") == 2 and log.answers)
    assert [news[2:] for news in log.news if news[0] == "closed"] == [("closed", False)] * 2
    assert [answer.error for answer in log.answers] == ["closed"]


def test_after_close_nothing_is_opened_and_every_request_is_answered_with_an_error(rig, log):
    plan, request = rig.plan("good"), rig.request("good")
    rig.network.close(LIMIT_S)
    rig.network.open(plan, log)
    rig.network.request(request, log)
    rig.run(log, lambda: log.has("closed")() and log.answers)
    assert log.kinds() == ["closed"]
    assert [(answer.status, answer.error) for answer in log.answers] == [(None, "closed")]
