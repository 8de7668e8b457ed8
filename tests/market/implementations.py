"""What stands in Python and in machine code: `plain` and `sorted_book`, each by itself."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import NamedTuple

import pytest

from perps_actors.market import plain, sorted_book

_NATIVE = "perps_actors.market._native"


class Implementation(NamedTuple):
    """Numbers and books that are made in one way."""

    plain: ModuleType
    sorted_book: ModuleType


def _in_python() -> Implementation:
    names = plain.__name__, sorted_book.__name__
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, _NATIVE, None)  # to import it fails
        patch.delattr(_NATIVE, raising=False)
        for name in names:
            patch.delitem(sys.modules, name)
            patch.delattr(name)
        return Implementation(*(importlib.import_module(name) for name in names))


IS_COMPILED = sorted_book.FloatBook.__module__ == _NATIVE
PYTHON = _in_python()
IMPLEMENTATIONS = [
    pytest.param(PYTHON, id="python"),
    pytest.param(
        Implementation(plain, sorted_book),
        id="native",
        marks=pytest.mark.skipif(not IS_COMPILED, reason="this installation found no C compiler"),
    ),
]
