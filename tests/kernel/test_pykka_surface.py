"""What Pykka's users know keeps working, and the private names this package relies on exist."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pykka
import pykka._envelope
import pykka.messages
import pytest

from perps_actors.errors import ActorUnavailable, AskRefused, AskTimeout
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Answer
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.lease import Lease


class Echo(Actor):
    """Answers what it was asked; remembers all it was told."""

    greeting = "hello"

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []
        self.ended = threading.Event()
        self.thread_names: list[str] = []

    def on_receive(self, message: Any) -> Any:
        self.thread_names.append(threading.current_thread().name)
        if isinstance(message, BaseException):
            raise message
        if isinstance(message, threading.Event):
            assert message.wait(5)
        self.seen.append(message)
        return message

    def doubled(self, number: int) -> int:
        return 2 * number

    def seen_so_far(self) -> tuple[Any, ...]:
        return tuple(self.seen)

    def on_stop(self) -> None:
        self.ended.set()

    def on_failure(self, *_: object) -> None:
        self.ended.set()


def test_an_actor_that_is_started_alone_is_told_and_asked_in_order() -> None:
    ref = Echo.start()
    for number in range(100):
        ref.tell(number)
    assert ref.ask("last", timeout=5) == "last"
    assert ref.proxy().seen_so_far().get(timeout=5) == (*range(100), "last")
    ref.stop(timeout=5)


def test_a_proxy_calls_methods_and_reads_and_sets_attributes() -> None:
    ref = Echo.start()
    proxy = ref.proxy()
    assert proxy.doubled(21).get(timeout=5) == 42
    proxy.greeting = "good day"
    assert proxy.greeting.get(timeout=5) == "good day"
    proxy.doubled.defer(4)
    ref.stop(timeout=5)


def test_a_mapped_and_joined_future_gives_its_value() -> None:
    ref = Echo.start()
    first, second = ref.ask(1, block=False), ref.ask(2, block=False)
    assert first.join(second).map(sum).get(timeout=5) == 3
    ref.stop(timeout=5)


def test_stopping_handles_earlier_messages_and_returns_after_on_stop() -> None:
    ref = Echo.start()
    actor = ref._actor_weakref()
    assert actor is not None
    for number in range(1000):
        ref.tell(number)
    assert ref.stop(timeout=5) is True
    assert actor.seen == list(range(1000))
    assert actor.ended.is_set()
    assert not ref.is_alive()


def test_a_stop_returns_only_when_on_stop_is_through() -> None:
    released = threading.Event()

    class Slow(Echo):
        def on_stop(self) -> None:
            assert released.wait(5)

    ref = Slow.start()
    stopping = ref.stop(block=False)
    with pytest.raises(pykka.Timeout):
        ref.ask("after the stop", timeout=0.05)
    assert ref.is_alive()
    released.set()
    assert stopping.get(timeout=5) is True
    assert not ref.is_alive()


def test_a_second_stop_waits_for_the_first_and_a_late_one_says_so() -> None:
    gate = threading.Event()
    ref = Echo.start()
    ref.tell(gate)
    first, second = ref.stop(block=False), ref.stop(block=False)
    gate.set()
    assert (first.get(timeout=5), second.get(timeout=5)) == (True, True)
    assert ref.stop(timeout=5) is False


def test_a_running_actor_is_in_the_registry_and_a_stopped_one_is_not() -> None:
    ref = Echo.start()
    assert pykka.ActorRegistry.get_by_class(Echo) == [ref]
    assert pykka.ActorRegistry.stop_all(timeout=5) == [True]
    assert pykka.ActorRegistry.get_all() == []


def test_an_ended_actor_refuses_messages_and_questions() -> None:
    ref = Echo.start()
    ref.stop(timeout=5)
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("anyone there?", timeout=5)
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("anyone there?")


def test_a_question_behind_a_stop_is_answered_with_an_error() -> None:
    gate = threading.Event()
    ref = Echo.start()
    ref.tell(gate)
    stopping = ref.stop(block=False)
    question = ref.ask("too late", block=False)
    gate.set()
    assert stopping.get(timeout=5) is True
    with pytest.raises(ActorUnavailable):
        question.get(timeout=5)


def test_the_thread_carries_the_name_of_the_actor_and_ends_with_it() -> None:
    ref = Echo.start()
    ref.ask("hello", timeout=5)
    (thread,) = [t for t in threading.enumerate() if t.name == "Echo"]
    ref.stop(timeout=5)
    thread.join(5)
    assert not thread.is_alive()


def test_an_actor_stops_itself_although_its_inbox_is_full() -> None:
    class Small(Echo):
        inbox_policy = InboxPolicy(bound=2)

        def on_receive(self, message: Any) -> Any:
            answer = super().on_receive(message)
            if isinstance(message, threading.Event):
                self.stop()
            return answer

    gate = threading.Event()
    ref = Small.start()
    actor = ref._actor_weakref()
    assert actor is not None
    ref.tell(gate)
    for number in range(50):
        ref.tell(number)
    gate.set()
    assert actor.ended.wait(5)
    assert ref.actor_stopped.wait(5)
    assert len(actor.seen) <= 1 + 2 * 2
    assert actor.cell.inbox.statistics().dropped >= 46


def test_text_is_one_message_however_long() -> None:
    class Small(Echo):
        inbox_policy = InboxPolicy(bound=4)

    ref = Small.start()
    ref.tell("a text that is longer than the inbox is wide")
    assert ref.ask(b"and so are bytes", timeout=5) == b"and so are bytes"
    assert (
        ref.proxy().seen_so_far().get(timeout=5)[0]
        == "a text that is longer than the inbox is wide"
    )
    with pytest.raises(ValueError, match="text"):
        ref.ask(ValueError("text"), timeout=5)


def test_the_error_of_a_question_reaches_the_asker_and_ends_the_actor() -> None:
    ref = Echo.start()
    with pytest.raises(ZeroDivisionError):
        ref.ask(ZeroDivisionError(), timeout=5)
    assert not ref.is_alive()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_an_exit_in_a_handler_ends_that_actor_and_neither_the_asker_nor_its_neighbour(
    error: BaseException,
) -> None:
    other, ref = Echo.start(), Echo.start()
    with pytest.raises(ActorUnavailable) as caught:
        ref.ask(error, timeout=5)
    assert caught.value.__cause__ is error
    assert not ref.is_alive()
    assert other.ask("still here?", timeout=5) == "still here?"
    other.stop(timeout=5)


def test_an_error_in_a_told_message_runs_on_failure_and_is_logged_where_pykka_logs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ref = Echo.start()
    actor = ref._actor_weakref()
    assert actor is not None
    with caplog.at_level(logging.ERROR, logger="pykka"):
        ref.tell(ZeroDivisionError("told"))
        assert ref.actor_stopped.wait(5)
        assert actor.ended.wait(5)
        with pytest.raises(pykka.ActorDeadError):
            ref.ask("barrier", timeout=5)
        _join("Echo")
    assert "Unhandled exception in Echo" in caplog.text
    assert "ZeroDivisionError: told" in caplog.text


def test_an_actor_whose_on_start_raises_ends_and_cleans_up() -> None:
    cleaned = threading.Event()

    class Stillborn(Echo):
        def on_start(self) -> None:
            msg = "no such port"
            raise OSError(msg)

        def on_failure(self, *_: object) -> None:
            cleaned.set()

    ref = Stillborn.start()
    assert ref.actor_stopped.wait(5)
    assert cleaned.is_set()
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("hello", timeout=5)


def test_an_actor_may_not_wait_for_another_nor_for_its_own_end() -> None:
    other = Echo.start()

    class Curious(Echo):
        def on_receive(self, message: Any) -> Any:
            return other.ask(message) if message == "other" else self.actor_ref.stop(block=True)

    for message in ("other", "self"):
        ref = Curious.start()
        with pytest.raises(AskRefused):
            ref.ask(message, timeout=5)
    other.stop(timeout=5)


def test_an_actor_may_not_wait_for_a_future_it_was_given() -> None:
    future = Answer()

    class Waiting(Echo):
        def on_receive(self, message: Any) -> Any:
            return message.get(timeout=60)

    with pytest.raises(AskRefused):
        Waiting.start().ask(future, timeout=5)


def test_no_answer_in_time_is_pykkas_timeout_and_ours() -> None:
    gate = threading.Event()
    ref = Echo.start()
    ref.tell(gate)
    with pytest.raises(AskTimeout) as caught:
        ref.ask("slow", timeout=0.01)
    assert isinstance(caught.value, pykka.Timeout)
    gate.set()
    ref.stop(timeout=5)


def test_a_timeout_that_is_the_answer_is_passed_on_as_it_is() -> None:
    error = pykka.Timeout("the venue did not answer")
    with pytest.raises(pykka.Timeout) as caught:
        Echo.start().ask(error, timeout=5)
    assert caught.value is error


def test_an_actor_that_was_built_but_not_started_says_so() -> None:
    actor = Echo()
    with pytest.raises(ActorUnavailable, match="not started"):
        _ = actor.address
    with pytest.raises(ActorUnavailable, match="never started"):
        actor.actor_ref.tell("hello")
    assert actor.on_receive("called directly") == "called directly"


def test_pykkas_private_names_are_where_this_package_expects_them() -> None:
    assert isinstance(pykka.ThreadingActor._create_actor_inbox(), object)
    assert isinstance(pykka.ThreadingActor._create_future(), pykka.ThreadingFuture)
    assert callable(pykka.ThreadingActor._start_actor_loop)
    assert callable(pykka.ThreadingActor._handle_receive)
    assert pykka._envelope.Envelope.__slots__ == ["message", "reply_to"]
    assert pykka.messages._ActorStop() == ()
    assert isinstance(Echo._create_actor_inbox(), Lease)
    assert isinstance(Echo._create_future(), Answer)


def test_the_first_write_to_an_answer_wins() -> None:
    answer = Answer()
    answer.set(1)
    answer.set(2)
    answer.set_exception((ValueError, ValueError("late"), None))
    assert answer.get(timeout=0) == 1


def _join(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(5)
