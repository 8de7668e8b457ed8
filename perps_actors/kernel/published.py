"""A value that one actor publishes and anyone reads without asking."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Published(Generic[T]):
    """Holds the latest frozen value of one writer. Reading and writing are one instruction each."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value
