from __future__ import annotations

import email.utils
import gzip
import queue
import socket
import threading
import time

import pytest

from perps_actors.transport.network import Limits
from perps_actors.transport.wire import HttpRequest

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def answering(answer):
    """A script that gives each request on a connection the same answer."""

    def script(peer):
        while True:
            peer.read_head()
            peer.sock.sendall(answer)

    return script


def test_an_answer_comes_with_status_body_times_and_its_request(outside):
    server = outside.serve(answering(GOOD))
    before = time.time_ns(), time.monotonic_ns()
    asked = outside.ask(f"http://127.0.0.1:{server.port}/fapi/v1/depth?symbol=BTCUSDT&limit=1000")
    answer = asked.one()
    assert (answer.status, answer.body, answer.error, answer.retry_after_s) == (
        200,
        b"{}",
        None,
        None,
    )
    assert answer.request.purpose == "test"
    assert before[0] <= answer.received_ns <= time.time_ns()
    assert before[1] <= answer.monotonic_ns <= time.monotonic_ns()
    assert server.peers[0].head.startswith(
        b"GET /fapi/v1/depth?symbol=BTCUSDT&limit=1000 HTTP/1.1\r\n"
    )


@pytest.mark.parametrize("status", [400, 404, 418, 429, 500, 503])
def test_an_error_status_is_an_answer_with_its_body_and_retry_after(outside, status):
    body = f"HTTP/1.1 {status} No\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nwhy!".encode()
    answer = outside.ask_at(answering(body)).one()
    assert (answer.status, answer.body, answer.error, answer.retry_after_s) == (
        status,
        b"why!",
        None,
        7.0,
    )


def test_retry_after_may_be_a_date(outside):
    when = email.utils.formatdate(time.time() + 60, usegmt=True)
    answer = outside.ask_at(
        answering(f"HTTP/1.1 429 No\r\nRetry-After: {when}\r\nContent-Length: 0\r\n\r\n".encode())
    ).one()
    assert 55 < answer.retry_after_s <= 60


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_is_an_error(outside, status):
    target = outside.serve(answering(GOOD))
    location = f"http://127.0.0.1:{target.port}/"
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\n"
    head = f"{head}Content-Length: 5\r\n\r\nmoved".encode()
    answer = outside.ask_at(answering(head)).one()
    assert (answer.status, answer.body, answer.error) == (
        status,
        b"",
        f"status {status} is a redirect, which is not followed",
    )
    assert target.peers == []


def slow_head(peer):
    peer.read_head()
    peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000)


def slow_body(peer):
    peer.read_head()
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    peer.drip(b"x" * 1000)


def no_answer(peer):
    peer.read_head()
    peer.hang()


def only_padding(peer):
    """A compressed body that goes on for ever and never comes to a byte of content."""
    peer.read_head()
    peer.sock.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10]
    )
    while True:
        peer.sock.sendall(b"\x00\x00\x00\xff\xff" * 100)


def only_promises(peer):
    peer.read_head()
    while True:
        peer.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 10)


@pytest.mark.parametrize("script", [slow_head, slow_body, no_answer, only_padding, only_promises])
def test_an_exchange_that_does_not_end_is_cancelled_at_the_deadline_and_frees_its_worker(
    outside, script
):
    outside.limits = Limits(request_total_s=0.3, workers=1, max_answer_bytes=2**30)
    start = time.monotonic()
    answer = outside.ask_at(script).one()
    assert (answer.status, answer.body, answer.error) == (None, b"", "no answer within 0.3 s")
    assert 0.29 < time.monotonic() - start < 2
    assert outside.ask_at(answering(GOOD)).one().status == 200


def test_a_hung_exchange_does_not_hold_up_others(outside):
    outside.limits = Limits(request_total_s=5.0, workers=2)
    hung = outside.ask_at(no_answer)
    server = outside.serve(answering(GOOD))
    for _ in range(5):
        assert outside.ask(f"http://127.0.0.1:{server.port}/").one().status == 200
    assert hung.answers == []


def test_the_deadline_counts_the_time_a_request_waits_for_a_worker(outside):
    outside.limits = Limits(request_total_s=0.3, workers=1)
    server = outside.serve(no_answer)
    start = time.monotonic()
    asked = [outside.ask(f"http://127.0.0.1:{server.port}/{i}") for i in range(5)]
    assert {each.one().error for each in asked} == {"no answer within 0.3 s"}
    assert time.monotonic() - start < 1.5


def test_a_request_beyond_the_queue_is_refused_at_once(outside):
    outside.limits = Limits(workers=2, queue=3)
    url = f"http://127.0.0.1:{outside.serve(no_answer).port}/"
    waiting = [outside.ask(url) for _ in range(5)]
    refused = outside.ask(url)
    assert [answer.error for answer in refused.answers] == ["too many requests waiting"]
    outside.network.close(5)
    assert {each.one().error for each in waiting} == {"closed"}


@pytest.mark.parametrize("script", [no_answer, slow_head, slow_body])
def test_closing_answers_requests_under_way_at_once(outside, script):
    reached = threading.Event()
    asked = outside.ask_at(lambda peer: (reached.set(), script(peer)))
    assert reached.wait(5)
    start = time.monotonic()
    assert outside.network.close(5) == 0
    assert [answer.error for answer in asked.answers] == ["closed"]
    assert time.monotonic() - start < 2


def test_after_closing_a_request_is_answered_at_once(outside):
    outside.network.close(1)
    assert [answer.error for answer in outside.ask("http://127.0.0.1:1/").answers] == ["closed"]


def test_every_request_of_a_crowd_gets_exactly_one_answer_also_while_closing(outside):
    outside.limits = Limits(workers=4, queue=1000)
    url = f"http://127.0.0.1:{outside.serve(answering(GOOD)).port}/"
    asked = [outside.ask(url) for _ in range(400)]
    asked[50].one()
    outside.network.close(5)
    counts = [len(each.answers) for each in asked]
    assert counts == [1] * 400
    assert {answer.error for each in asked for answer in each.answers} <= {None, "closed"}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n"
        + b"x" * 256
        + b"\r\n"
        + b"300\r\n"
        + b"x" * 768
        + b"\r\n",
    ],
    ids=["declared", "chunked"],
)
def test_a_body_that_is_too_long_is_refused_as_soon_as_it_is(outside, answer):
    outside.limits = Limits(max_answer_bytes=1000)
    got = outside.ask_at(
        lambda peer: (peer.read_head(), peer.sock.sendall(answer), peer.hang())
    ).one()
    assert (got.status, got.body, got.error) == (None, b"", "the answer is longer than 1000 bytes")


def test_a_compressed_body_within_the_limit_is_read(outside):
    body = gzip.compress(b'{"bids":[]}' * 1000)
    answer = outside.ask_at(
        answering(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body
        )
    ).one()
    assert answer.body == b'{"bids":[]}' * 1000


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"whole")[:-9],
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        bytes(range(256)),
    ],
    ids=[
        "nothing",
        "cut",
        "no gzip",
        "cut gzip",
        "not asked for",
        "no chunk",
        "headers",
        "header",
        "ssh",
        "noise",
    ],
)
def test_an_invalid_answer_is_an_error_that_does_not_show_the_query(outside, answer):
    def script(peer):
        peer.read_head()
        peer.sock.sendall(answer)
        peer.sock.shutdown(socket.SHUT_WR)
        peer.wait_for_end()

    got = outside.ask_at(script, "/order?signature=s3cret").one()
    assert (got.status, got.body) == (None, b"")
    assert got.error
    assert "s3cret" not in got.error


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/?s3cret",
        "http://example.com/",
        "ws://127.0.0.1/",
        "https://user:s3cret@127.0.0.1/",
        "x",
    ],
)
def test_an_address_that_is_neither_encrypted_nor_loopback_is_an_error(outside, url):
    answer = outside.ask(url).one()
    assert answer.status is None
    assert "loopback" in answer.error or "Expected" in answer.error
    assert "s3cret" not in answer.error


def test_a_port_where_nobody_listens_is_an_error(outside):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    answer = outside.ask(f"http://127.0.0.1:{port}/?signature=s3cret").one()
    assert "Connection refused" in answer.error
    assert "s3cret" not in answer.error


def test_cookies_are_not_kept(outside):
    outside.limits = Limits(workers=1)
    server = outside.serve(
        answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: id=1; Path=/\r\nContent-Length: 0\r\n\r\n")
    )
    heads = []
    for _ in range(2):
        outside.ask(f"http://127.0.0.1:{server.port}/").one()
        heads.append(server.peers[0].head.lower())
    assert [b"cookie" in head for head in heads] == [False, False]


def test_one_connection_serves_one_request_after_another(outside):
    outside.limits = Limits(workers=1)
    server = outside.serve(answering(GOOD))
    for _ in range(5):
        assert outside.ask(f"http://127.0.0.1:{server.port}/").one().status == 200
    assert len(server.peers) == 1


def test_credentials_in_a_netrc_are_not_sent(outside, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password s3cret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server = outside.serve(answering(GOOD))
    assert outside.ask(f"http://127.0.0.1:{server.port}/").one().status == 200
    assert b"authorization" not in server.peers[0].head.lower()


def test_a_listener_that_raises_is_reported_and_its_worker_lives_on(outside, monkeypatch):
    reported = queue.SimpleQueue()
    monkeypatch.setattr(
        threading, "excepthook", lambda args: reported.put((args.exc_type, args.thread.name))
    )
    outside.limits = Limits(workers=1)
    url = f"http://127.0.0.1:{outside.serve(answering(GOOD)).port}/"

    def broken(answer):
        raise KeyError(answer.status)

    outside.network.request(HttpRequest(url=url, purpose="test"), broken)
    assert outside.ask(url).one().status == 200
    assert reported.get(timeout=5) == (KeyError, "perps-http-0")
