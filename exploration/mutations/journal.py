"""Mistakes in how blocks of events are written and lost events are reported."""

from __future__ import annotations

from typing import Any

from exploration.mutations.mutation import Mutation
from perps_actors.journal.group import GroupCommit


def _forgetting_failed_blocks(commit: Any) -> Any:
    def forgetful(group: GroupCommit) -> None:
        commit(group)
        if group.failing is not None:
            del group._waiting[: group.block]  # noqa: SLF001

    return forgetful


def _forgetting_reports(take_unreported: Any) -> Any:
    def forgetful(group: GroupCommit) -> int:
        unreported: int = take_unreported(group)
        group._reporting -= unreported  # noqa: SLF001
        return unreported

    return forgetful


GROUP = "perps_actors.journal.group:GroupCommit"

JOURNAL = (
    Mutation(
        f"{GROUP}.commit",
        "a block that could not be written is forgotten",
        _forgetting_failed_blocks,
    ),
    Mutation(
        f"{GROUP}.take_unreported",
        "a lost hole event takes the drops that it reported with it",
        _forgetting_reports,
    ),
)
