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
    names = (_NATIVE, plain.__name__, sorted_book.__name__)
    before = {name: sys.modules.get(name) for name in names}
    sys.modules[_NATIVE] = None  # to import it fails
    for name in names[1:]:
        del sys.modules[name]
    try:
        return Implementation(*(importlib.import_module(name) for name in names[1:]))
    finally:
        del sys.modules[_NATIVE]
        sys.modules.update({name: module for name, module in before.items() if module is not None})
        for name in names[1:]:
            setattr(sys.modules["perps_actors.market"], name.rpartition(".")[2], sys.modules[name])


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
