"""Exceptions cross process boundaries intact, with their text, attributes and notes."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from perps_actors import errors
from perps_actors.errors import (
    CompositionFailed,
    EventUnfit,
    PartAbsent,
    PerpsActorsError,
    ReconfigureFailed,
    SettingsError,
)
from perps_actors.kernel import children

ARGUMENTS = {
    CompositionFailed: ("network", OSError("no route")),
    EventUnfit: (3, "event 3 cannot be stored"),
    PartAbsent: ("broker", ["mark_store"]),
    ReconfigureFailed: ("mark_store", TimeoutError("late")),
    SettingsError: ("symbols", ("BTC",), "is unknown", "Settings"),
}
KINDS = sorted(
    {
        kind
        for module in (errors, children)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, PerpsActorsError)
    },
    key=lambda kind: kind.__name__,
)


def through_a_pickle(error):
    return pickle.loads(pickle.dumps(error))


def made(kind):
    error = kind(*ARGUMENTS.get(kind, ("what is wrong",)))
    error.add_note("a note")
    return error


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy]
)
def test_an_error_keeps_class_text_attributes_and_notes_when_pickled_or_copied(kind, again):
    error = made(kind)
    twin = again(error)
    assert (type(twin), str(twin), vars(twin)) == (kind, str(error), vars(error))
    assert twin.__notes__ == ["a note"]


def test_an_error_about_a_value_that_cannot_be_pickled_carries_its_text():
    refused = SettingsError("poll", lambda: None, "is not a table", "Settings")
    twin = pickle.loads(pickle.dumps(refused))
    assert (twin.field, twin.why, twin.place) == ("poll", "is not a table", "Settings")
    assert "lambda" in twin.value


def refuse_three(number):
    if number == 3:
        raise SettingsError(field="symbols", value=(), why="is empty", place="worker")
    return number


def test_a_process_pool_delivers_the_error_of_one_item_and_the_results_of_the_others():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(refuse_three, number) for number in range(5)]
        assert [f.result(timeout=50) for n, f in enumerate(futures) if n != 3] == [0, 1, 2, 4]
        with pytest.raises(SettingsError) as caught:
            futures[3].result(timeout=50)
    error = caught.value
    assert (error.field, error.value, error.place) == ("symbols", (), "worker")
