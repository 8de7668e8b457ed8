"""A mutation: a mistake that a developer might make, put in place of working code at run time."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

PACKAGE = "perps_actors"

Replace = Callable[[Any], Any]
"""Takes the original function, method or property and returns its replacement."""


@attrs.frozen
class Mutation:
    """A function or method of the package, and the mistake that replaces it."""

    target: str
    """`module:function` or `module:Class.method`."""
    breaks: str
    """How the system misbehaves with the mistake in it; names the mutation."""
    replace: Replace

    def original(self) -> Any:
        """Return the target.

        Raises:
            ImportError: the target's module does not exist.
            AttributeError: the module has no such function or method.
        """
        owner, name = _found(self.target)
        return inspect.getattr_static(owner, name)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Run the block with the mistake in the code of this process.

        A function is replaced in every module of the package that has imported it by name.
        Objects that exist already may hold the original, so make them inside the block.
        """
        owner, name = _found(self.target)
        original = inspect.getattr_static(owner, name)
        replacement = self.replace(original)
        holders = _modules_with(name, original) if inspect.ismodule(owner) else [owner]
        inherited = [holder for holder in holders if name not in vars(holder)]
        for holder in holders:
            setattr(holder, name, replacement)
        try:
            yield
        finally:
            for holder in holders:
                if holder in inherited:
                    delattr(holder, name)
                else:
                    setattr(holder, name, original)


def _found(target: str) -> tuple[Any, str]:
    """Return the module or class that holds the target, and the target's name there."""
    module, _, path = target.partition(":")
    owner: Any = importlib.import_module(module)
    *classes, name = path.split(".")
    for each in classes:
        owner = getattr(owner, each)
    return owner, name


def _modules_with(name: str, original: object) -> list[Any]:
    return [
        module
        for key, module in list(sys.modules.items())
        if key.partition(".")[0] == PACKAGE and vars(module).get(name) is original
    ]


def nothing(_: Any) -> Any:
    """Replace a function by one that does nothing."""
    return lambda *_, **__: None
