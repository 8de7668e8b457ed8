"""The dispatcher that waits for sockets: one thread for sockets, timers and cells."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perps_actors.errors import KernelError
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.dispatcher import READABLE, WRITABLE, IoLoop
from perps_actors.kernel.runtime import ThreadedRuntime

LIMIT_S = 10.0
GROUP = "io"


class Relay(Actor):
    """Passes each message on, together with the thread that handled it; an event holds it up."""

    def __init__(self, to: Callable[[Any], object]) -> None:
        super().__init__()
        self._to = to

    def on_receive(self, message: Any) -> None:
        if isinstance(message, threading.Event):
            message.wait(LIMIT_S)
        else:
            self._to((*message, threading.current_thread()))


@pytest.fixture
def pair(runtime: ThreadedRuntime) -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far
        # The loop ends before the sockets close, so that it never reads a closed one.
        runtime.close(LIMIT_S)


def on_loop(loop: IoLoop, call: Callable[[], Any]) -> Any:
    """Run a call on the loop and return its result."""
    results: queue.SimpleQueue[Any] = queue.SimpleQueue()
    assert loop.call_soon(lambda: results.put(call()))
    return results.get(timeout=LIMIT_S)


def watch(loop: IoLoop, sock: socket.socket, take: Callable[[bytes], object]) -> None:
    def read() -> None:
        data = sock.recv(1)
        if data:
            take(data)
        else:
            loop.unwatch(sock.fileno())

    on_loop(loop, lambda: loop.watch(sock.fileno(), READABLE, read))


def test_bytes_pass_from_the_socket_through_all_actors_of_the_group_on_one_thread(
    runtime: ThreadedRuntime, pair: Any
) -> None:
    near, far = pair
    loop = runtime.io_loop(GROUP)
    results: queue.SimpleQueue[Any] = queue.SimpleQueue()
    first, second = runtime.cell("first", group=GROUP), runtime.cell("second", group=GROUP)
    second.install(Relay(results.put))
    first.install(Relay(second.address.tell))
    watch(loop, near, lambda data: first.address.tell((data, threading.current_thread())))
    far.send(b"a")
    data, *threads = results.get(timeout=LIMIT_S)
    assert data == b"a"
    assert len(threads) == 3
    assert set(threads) == {on_loop(loop, threading.current_thread)}


def test_each_read_reaches_the_last_actor_before_the_next_socket_is_read(
    runtime: ThreadedRuntime,
) -> None:
    loop = runtime.io_loop(GROUP)
    order: list[tuple[str, bytes]] = []
    done = threading.Event()

    def handle(message: Any) -> None:
        order.append(("handled", message[0]))
        if len(order) == 4:
            done.set()

    cell = runtime.cell("last", group=GROUP)
    cell.install(Relay(handle))

    def take(data: bytes) -> None:
        order.append(("read", data))
        cell.address.tell((data,))

    pairs = [socket.socketpair() for _ in range(2)]
    hold, entered = threading.Event(), threading.Event()
    for near, _ in pairs:
        watch(loop, near, take)
    loop.call_soon(lambda: (entered.set(), hold.wait(LIMIT_S)))
    assert entered.wait(LIMIT_S)
    for number, (_, far) in enumerate(pairs):
        far.send(b"%d" % number)
    hold.set()
    assert done.wait(LIMIT_S)
    assert [step for step, _ in order] == ["read", "handled", "read", "handled"]
    for near, far in pairs:
        on_loop(loop, lambda near=near: loop.unwatch(near.fileno()))
        near.close()
        far.close()


def test_when_a_handler_hangs_another_thread_takes_over_cells_sockets_and_timers(
    runtime: ThreadedRuntime, pair: Any
) -> None:
    near, far = pair
    loop = runtime.io_loop(GROUP)
    results: queue.SimpleQueue[Any] = queue.SimpleQueue()
    hung, well = runtime.cell("hung", group=GROUP), runtime.cell("well", group=GROUP)
    hung.install(Relay(results.put))
    well.install(Relay(results.put))
    watch(loop, near, lambda data: well.address.tell((data,)))
    old = on_loop(loop, threading.current_thread)
    fired = threading.Event()
    loop.call_at(runtime.clock.monotonic_ns() + NS_PER_S // 50, fired.set)
    hold = threading.Event()
    hung.address.tell(hold)
    while not hung.busy:
        pass
    far.send(b"a")
    well.address.tell(("told",))
    assert hung.fence(TimeoutError())
    received = [results.get(timeout=LIMIT_S) for _ in range(2)]
    assert {message for message, _ in received} == {b"a", "told"}
    (new,) = {thread for _, thread in received}
    assert new is not old
    assert fired.wait(LIMIT_S)
    # The old thread comes back, finds that it was replaced, and reads nothing.
    hold.set()
    old.join(LIMIT_S)
    assert not old.is_alive()
    far.send(b"b")
    assert results.get(timeout=LIMIT_S) == (b"b", new)


def test_no_wake_up_is_lost_however_senders_and_the_sleeping_loop_meet(
    runtime: ThreadedRuntime,
) -> None:
    loop = runtime.io_loop(GROUP)
    called: queue.SimpleQueue[int] = queue.SimpleQueue()
    cell = runtime.cell("cell", group=GROUP)
    cell.install(Relay(lambda message: called.put(message[0])))
    # One at a time, so that the loop goes to sleep between any two.
    for number in range(3_000):
        if number % 2:
            loop.call_soon(lambda number=number: called.put(number))
        else:
            cell.address.tell((number,))
        assert called.get(timeout=LIMIT_S) == number


def test_a_timer_set_while_the_loop_sleeps_for_a_later_one_fires_in_time(
    runtime: ThreadedRuntime,
) -> None:
    loop, fired = runtime.io_loop(GROUP), queue.SimpleQueue[str]()
    now_ns = runtime.clock.monotonic_ns()
    later = loop.call_at(now_ns + 60 * NS_PER_S, lambda: fired.put("late"))
    never = loop.call_at(now_ns + NS_PER_S // 100, lambda: fired.put("cancelled"))
    never.cancel()
    loop.call_at(now_ns + NS_PER_S // 50, lambda: fired.put("early"))
    assert fired.get(timeout=LIMIT_S) == "early"
    later.cancel()


def test_an_actors_timer_fires_on_the_thread_of_its_group(runtime: ThreadedRuntime) -> None:
    loop, fired = runtime.io_loop(GROUP), queue.SimpleQueue[Any]()

    class Ticking(Relay):
        def on_start(self) -> None:
            self.after(0.001, ("tick",))

    runtime.cell("ticking", group=GROUP).install(Ticking(fired.put))
    assert fired.get(timeout=LIMIT_S) == ("tick", on_loop(loop, threading.current_thread))
    assert [t.name for t in threading.enumerate() if t.name.endswith("-timers")] == []


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_an_error_in_a_callback_is_reported_and_the_loop_goes_on(
    runtime: ThreadedRuntime, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    reported: queue.SimpleQueue[Any] = queue.SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.put(args.exc_type))
    loop = runtime.io_loop(GROUP)

    def fail() -> None:
        raise error

    loop.call_soon(fail)
    assert reported.get(timeout=LIMIT_S) is error
    assert on_loop(loop, lambda: "alive") == "alive"


def test_a_busy_cell_keeps_no_socket_waiting(runtime: ThreadedRuntime, pair: Any) -> None:
    near, far = pair
    loop, read = runtime.io_loop(GROUP), threading.Event()

    class Endless(Actor):
        def on_receive(self, message: Any) -> None:
            if not read.is_set():
                self.address.tell(message)

    cell = runtime.cell("endless", group=GROUP)
    cell.install(Endless())
    watch(loop, near, lambda _: read.set())
    cell.address.tell("again")
    far.send(b"a")
    assert read.wait(LIMIT_S)


def test_a_descriptor_is_watched_for_other_events_and_no_longer(
    runtime: ThreadedRuntime, pair: Any
) -> None:
    near, far = pair
    loop, ready = runtime.io_loop(GROUP), queue.SimpleQueue[str]()

    def writable() -> None:
        ready.put("writable")
        loop.unwatch(near.fileno())

    on_loop(loop, lambda: loop.watch(near.fileno(), READABLE, lambda: ready.put("readable")))
    on_loop(loop, lambda: loop.watch(near.fileno(), WRITABLE, writable))
    assert ready.get(timeout=LIMIT_S) == "writable"
    far.send(b"a")
    on_loop(loop, lambda: loop.unwatch(near.fileno()))
    assert ready.empty()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_loop_opens_nothing_before_it_is_used_and_leaves_nothing_open(
    runtimes: Callable[[], ThreadedRuntime],
) -> None:
    before = descriptors()
    unused, used = runtimes(), runtimes()
    unused.io_loop(GROUP)
    assert descriptors() == before
    loop = used.io_loop(GROUP)
    assert on_loop(loop, lambda: 1) == 1
    assert descriptors() > before
    for runtime in (unused, used):
        assert runtime.close(LIMIT_S) == ()
    assert descriptors() == before
    assert not loop.call_soon(lambda: None)


def test_a_thread_that_hangs_until_after_the_end_closes_the_loops_descriptors(
    runtimes: Callable[[], ThreadedRuntime],
) -> None:
    before = descriptors()
    runtime, hold = runtimes(), threading.Event()
    runtime.io_loop(GROUP)
    cell = runtime.cell("hung", group=GROUP)
    cell.install(Relay(print))
    cell.address.tell(hold)
    while not cell.busy:
        pass
    assert len(runtime.close(0.01)) == 1
    hold.set()
    assert runtime.close(LIMIT_S) == ()
    assert descriptors() == before


def test_a_loop_is_made_before_the_first_cell_of_its_group(runtime: ThreadedRuntime) -> None:
    runtime.cell("early", group=GROUP)
    with pytest.raises(KernelError, match="before the first cell"):
        runtime.io_loop(GROUP)


def test_actors_of_other_groups_are_woken_after_the_ready_actors_of_the_loop(
    runtime: ThreadedRuntime,
) -> None:
    loop, order = runtime.io_loop(GROUP), queue.SimpleQueue[str]()
    elsewhere = runtime.cell("elsewhere", group="elsewhere")
    elsewhere.install(Relay(lambda _: order.put("elsewhere")))
    second = runtime.cell("second", group=GROUP)
    second.install(Relay(lambda _: pause.wait(0.05) or order.put("second")))
    pause = threading.Event()

    def first(message: Any) -> None:
        elsewhere.address.tell(message)
        second.address.tell(message)

    cell = runtime.cell("first", group=GROUP)
    cell.install(Relay(first))
    cell.address.tell(("message",))
    assert [order.get(timeout=LIMIT_S) for _ in range(2)] == ["second", "elsewhere"]
    # A callback that runs no cell of the loop wakes them as well.
    loop.call_soon(lambda: elsewhere.address.tell(("message",)))
    assert order.get(timeout=LIMIT_S) == "elsewhere"
