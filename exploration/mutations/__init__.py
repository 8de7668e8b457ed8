"""Mistakes that a developer might make: exploration has to find each of them."""

from __future__ import annotations

from exploration.mutations.actors import ACTORS, NEIGHBOURS
from exploration.mutations.journal import JOURNAL
from exploration.mutations.kernel import KERNEL
from exploration.mutations.market import MARKET
from exploration.mutations.mutation import Mutation as Mutation

MUTATIONS: tuple[Mutation, ...] = (*KERNEL, *ACTORS, *NEIGHBOURS, *JOURNAL, *MARKET)


def mutation_named(breaks: str) -> Mutation:
    """Return the mutation with this description.

    Raises:
        LookupError: no mutation has this description.
    """
    for mutation in MUTATIONS:
        if mutation.breaks == breaks:
            return mutation
    msg = f"no mutation breaks {breaks!r}"
    raise LookupError(msg)
