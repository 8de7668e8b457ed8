from __future__ import annotations

import pytest

from perps_actors.errors import TransportError
from perps_actors.transport.keep_alive import KeepAlive
from perps_actors.transport.limits import Limits, ServerAddress, checked_address
from perps_actors.transport.rate_limits import retry_after_s
from perps_actors.transport.wire import ConnectionPlan

S = 1_000_000_000


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://fstream.example.com/ws", ServerAddress("fstream.example.com", 443, tls=True)),
        ("wss://fstream.example.com:9443", ServerAddress("fstream.example.com", 9443, tls=True)),
        ("ws://127.0.0.1:8000/x?a=b", ServerAddress("127.0.0.1", 8000, tls=False)),
        ("ws://127.9.9.9", ServerAddress("127.9.9.9", 80, tls=False)),
        ("ws://[::1]:8000/", ServerAddress("::1", 8000, tls=False)),
        ("ws://localhost:1/", ServerAddress("localhost", 1, tls=False)),
    ],
)
def test_encrypted_and_loopback_addresses_are_accepted(url, expected):
    assert checked_address(url, encrypted="wss", plain="ws") == expected


@pytest.mark.parametrize(
    "url",
    [
        "ws://example.com/",
        "ws://10.0.0.1/",
        "ws://127.0.0.1.example.com/",
        "ws://localhost.example.com/",
        "ws://0.0.0.0/",
        "http://127.0.0.1/",
        "file:///etc/passwd",
        "wss://",
        "wss:///path",
        "wss://user:secret@example.com/",
        "wss://example.com:99999/",
        "wss://example.com:x/",
        "wss://example.com/a b",
        "wss://example.com/a\r\nX: y",
        "wss://exämple.com/",
        "wss://[::1/",
        "",
    ],
)
def test_other_addresses_are_refused_without_showing_their_secrets(url):
    with pytest.raises(TransportError) as refused:
        checked_address(url, encrypted="wss", plain="ws")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("Tue, 14 Nov 2023 22:13:50 -0000", 30.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("9" * 5000, None),
        ("\uff11\uff12", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(header, expected):
    assert retry_after_s(header, 1_700_000_000 * S) == expected


def keep_alive(text: tuple[str, float] | None = None) -> KeepAlive:
    return KeepAlive(
        ConnectionPlan(name="one", url="", silence_limit_s=10.0, keep_alive=text), now_ns=0
    )


def test_a_silent_connection_is_pinged_after_half_the_limit_and_dead_after_all_of_it():
    alive = keep_alive()
    assert alive.due(5 * S - 1, reading=True) == ()
    assert alive.due(5 * S, reading=True) == ("ping",)
    assert alive.due(10 * S - 1, reading=True) == ()
    assert alive.due(10 * S, reading=True) == ("dead",)


def test_any_bytes_restart_the_limit_of_silence():
    alive = keep_alive()
    assert alive.due(7 * S, reading=True) == ("ping",)
    alive.heard_ns = 9 * S
    assert alive.next_due_ns(reading=True) == 14 * S
    assert alive.due(14 * S, reading=True) == ("ping",)


def test_a_connection_that_is_not_read_is_not_silent():
    alive = keep_alive()
    assert alive.next_due_ns(reading=False) is None
    assert alive.due(60 * S, reading=False) == ()


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://127.0.0.1:1",
        "https://proxy:1",
        "http://user:secret@proxy:1",
        "http://proxy",
        "proxy:1",
    ],
)
def test_a_proxy_is_a_plain_http_one_without_credentials(proxy):
    with pytest.raises(TransportError, match="http://host:port") as refused:
        Limits(proxy=proxy)
    assert "secret" not in str(refused.value)


def test_a_keep_alive_text_is_due_once_per_interval_and_does_not_pile_up():
    alive = keep_alive(("hello", 20.0))
    assert alive.next_due_ns(reading=False) == 20 * S
    assert alive.due(20 * S - 1, reading=False) == ()
    assert alive.due(20 * S, reading=False) == ("text",)
    assert alive.due(20 * S, reading=False) == ()
    assert alive.due(95 * S, reading=False) == ("text",)
    assert alive.due(96 * S, reading=False) == ()


def test_without_a_keep_alive_text_none_is_ever_due():
    assert "text" not in keep_alive().due(10**18, reading=True)
