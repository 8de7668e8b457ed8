"""Mistakes in cells, inboxes, addresses and the supervisor."""

from __future__ import annotations

from exploration.mutations.mutation import Mutation

KERNEL: tuple[Mutation, ...] = ()
