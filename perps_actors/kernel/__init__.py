"""The parts of an actor system that Pykka leaves out.

They know nothing of markets and can be used alone.

Bounded inboxes, batches, addresses that outlive their actor, clocks and timers, supervision, and a
runtime that replays a seed.
"""

from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Address, Answer, Published, Teller
from perps_actors.kernel.cell import Cell, Watcher
from perps_actors.kernel.children import (
    Child,
    ChildSpec,
    ChildState,
    Incident,
    Restart,
    RestartPolicy,
    StopReport,
)
from perps_actors.kernel.clock import Clock, ManualClock, SystemClock
from perps_actors.kernel.dispatcher import IoLoop
from perps_actors.kernel.gate import Gate
from perps_actors.kernel.inbox import InboxPolicy, Overflow
from perps_actors.kernel.lease import Voice
from perps_actors.kernel.lifecycle import DeadLetter, Drain, Stop
from perps_actors.kernel.messages import Batch
from perps_actors.kernel.runtime import Runtime, ThreadedRuntime
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.kernel.statistics import (
    CellStatistics,
    DropLedger,
    GetStatistics,
    InboxStatistics,
)
from perps_actors.kernel.supervision import AddChild, RemoveChild, StartChildren, StopChildren
from perps_actors.kernel.supervisor import Supervisor
from perps_actors.kernel.timers import Timer

__all__ = [
    "Actor",
    "AddChild",
    "Address",
    "Answer",
    "Batch",
    "Cell",
    "CellStatistics",
    "Child",
    "ChildSpec",
    "ChildState",
    "Clock",
    "DeadLetter",
    "Drain",
    "DropLedger",
    "Gate",
    "GetStatistics",
    "InboxPolicy",
    "InboxStatistics",
    "Incident",
    "IoLoop",
    "ManualClock",
    "Overflow",
    "Published",
    "RemoveChild",
    "Restart",
    "RestartPolicy",
    "Runtime",
    "SimulatedRuntime",
    "StartChildren",
    "Stop",
    "StopChildren",
    "StopReport",
    "Supervisor",
    "SystemClock",
    "Teller",
    "ThreadedRuntime",
    "Timer",
    "Voice",
    "Watcher",
]
