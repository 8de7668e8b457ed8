"""Mistakes in cells, inboxes, addresses and the supervisor."""

from __future__ import annotations

from operator import length_hint
from typing import Any

from exploration.mutations.mutation import Mutation, Replace, nothing

CELL = "perps_actors.kernel.cell:Cell"
INBOX = "perps_actors.kernel.inbox:Inbox"
SUPERVISOR = "perps_actors.kernel.supervisor:Supervisor"
CHILD = "perps_actors.kernel.children:Child"


def _twice(put_back: Any) -> Any:
    def twice(inbox: Any, rest: Any) -> None:
        put_back(inbox, rest)
        put_back(inbox, rest)

    return twice


def _whole_batch_again(set_aside: Any) -> Any:
    def again(cell: Any, entry: Any, error: BaseException) -> Any:
        if cell._batch is not None:  # noqa: SLF001
            cell._rest = iter(cell._batch.items)  # noqa: SLF001
        return set_aside(cell, entry, error)

    return again


def _recorded_batch_again(set_aside: Any) -> Any:
    """Put the items back that the recorder had handled when the end of their batch failed."""

    def again(cell: Any, entry: Any, error: BaseException) -> Any:
        at_its_end = cell._batch is not None and not length_hint(cell._rest)  # noqa: SLF001
        if at_its_end and cell.name == "event_recorder":
            cell._rest = iter(cell._batch.items[:-1])  # noqa: SLF001
        return set_aside(cell, entry, error)

    return again


def _not_voiding_the_lease(vacate: Any) -> Any:
    def careless(cell: Any, actor: Any) -> None:
        vacate(cell, actor)
        actor.actor_inbox.void = False

    return careless


def _forgetting(counter: str) -> Replace:
    """Run a method of an inbox without its effect on a counter."""

    def replace(method: Any) -> Any:
        def forgetful(inbox: Any, *arguments: Any) -> Any:
            before = getattr(inbox, counter)
            try:
                return method(inbox, *arguments)
            finally:
                setattr(inbox, counter, before)

        return forgetful

    return replace


def _behind_data(put_carefully: Any) -> Any:
    def behind(inbox: Any, entry: Any) -> Any:
        waiting = len(inbox._control)  # noqa: SLF001
        taken = put_carefully(inbox, entry)
        if len(inbox._control) > waiting:  # noqa: SLF001
            inbox._data.append(inbox._control.pop())  # noqa: SLF001
        return taken

    return behind


def _at_the_end(put_back: Any) -> Any:
    def last(inbox: Any, rest: Any) -> None:
        put_back(inbox, rest)
        if not inbox.closed:
            inbox._data.append(inbox._data.popleft())  # noqa: SLF001

    return last


def _forgetting_revivals(after: Any) -> Any:
    def forgetful(supervisor: Any, delay_s: float, message: Any) -> Any:
        revives = type(message).__name__ == "Revive"
        return None if revives else after(supervisor, delay_s, message)

    return forgetful


def _never_draining(order_to_stop: Any) -> Any:
    def hasty(supervisor: Any, child: Any, order: Any) -> None:
        kind = type(order)
        if kind.__name__ == "Drain":
            order = vars(__import__(kind.__module__, fromlist=["Stop"]))["Stop"]()
        order_to_stop(supervisor, child, order)

    return hasty


KERNEL = (
    Mutation(
        f"{INBOX}.put_back",
        "the rest of a batch is lost with the item that killed its actor",
        nothing,
    ),
    Mutation(f"{INBOX}.put_back", "the rest of a batch is put back twice", _twice),
    Mutation(
        f"{CELL}._set_aside",
        "the whole batch comes back, with the item that killed its actor",
        _whole_batch_again,
    ),
    Mutation(
        f"{CELL}._set_aside",
        "a batch is journalled again when the commit at its end fails",
        _recorded_batch_again,
    ),
    Mutation(
        f"{CELL}._handled",
        "an answer is not given",
        lambda handled: (
            lambda cell, actor, entry, answer: handled(
                cell, actor, getattr(entry, "message", entry), answer
            )
        ),
    ),
    Mutation(
        f"{CELL}._bury",
        "an asker never learns that the actor died of the question",
        lambda bury: lambda cell, actor, entry, error, _: bury(cell, actor, entry, error, None),
    ),
    Mutation(f"{CELL}._left_over", "questions left in a closed inbox are not settled", nothing),
    Mutation(f"{CELL}._vacate", "the lease of a dead actor is not void", _not_voiding_the_lease),
    Mutation(
        "perps_actors.kernel.lease:refuse_fenced",
        "an actor that was replaced may still tell",
        nothing,
    ),
    Mutation(
        f"{INBOX}._put_carefully",
        "control messages wait behind data",
        _behind_data,
    ),
    Mutation(f"{INBOX}._put_carefully", "drops are not counted", _forgetting("_refused")),
    Mutation(f"{INBOX}.put_back", "the rest of a batch does not count", _forgetting("taken")),
    Mutation(f"{INBOX}.put_back", "the rest of a batch goes to the end", _at_the_end),
    Mutation(f"{INBOX}._empty", "messages left over are not counted", _forgetting("_left")),
    Mutation(
        f"{SUPERVISOR}.after",
        "an actor that pauses before its restart is never started again",
        _forgetting_revivals,
    ),
    Mutation(f"{CHILD}.exhausted", "no actor is ever given up", lambda _: lambda *_: False),
    Mutation(
        "perps_actors.kernel.children:Children.__reversed__",
        "actors are stopped in the order of their start",
        lambda _: iter,
    ),
    Mutation(f"{CHILD}.hangs", "an actor that hangs is left hanging", lambda _: lambda *_: False),
    Mutation(f"{SUPERVISOR}._order_to_stop", "a drain goes ahead of data", _never_draining),
)
