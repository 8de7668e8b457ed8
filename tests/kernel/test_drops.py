from __future__ import annotations

from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.kernel.statistics import DropLedger


def test_each_drop_is_told_once_with_the_name_of_its_inbox() -> None:
    simulation, ledger = SimulatedRuntime(), DropLedger()
    cells = [simulation.cell(name, policy=InboxPolicy(bound=1)) for name in ("small", "idle")]
    ledger.watch(cells)
    assert ledger.fresh() == {}
    for number in range(5):
        cells[0].address.tell(number)
    assert ledger.fresh() == {"small": 3}
    assert ledger.fresh() == {}
    cells[0].address.tell(5)
    assert ledger.fresh() == {"small": 1}
    assert ledger.total() == 4
