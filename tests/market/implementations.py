"""`numbers` and `book` in both implementations: Python alone, and with machine code."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import NamedTuple

import pytest

from perps_actors.market import book, numbers

_NATIVE = "perps_actors.market._native"


class Implementation(NamedTuple):
    """The two modules of one implementation."""

    numbers: ModuleType
    book: ModuleType


def _in_python() -> Implementation:
    names = numbers.__name__, book.__name__
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, _NATIVE, None)  # so that its import fails
        patch.delattr(_NATIVE, raising=False)
        for name in names:
            patch.delitem(sys.modules, name)
            patch.delattr(name)
        return Implementation(*(importlib.import_module(name) for name in names))


IS_COMPILED = book.FloatBook.__module__ == _NATIVE
PYTHON = _in_python()
IMPLEMENTATIONS = [
    pytest.param(PYTHON, id="python"),
    pytest.param(
        Implementation(numbers, book),
        id="native",
        marks=pytest.mark.skipif(not IS_COMPILED, reason="this installation found no C compiler"),
    ),
]
