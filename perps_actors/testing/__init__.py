"""Public fakes for tests of hosts, and the simulated runtime.

`Probe` collects messages, `ManualClock` is moved by a test, `FakeNetwork` is controlled by a test,
`SimulatedVenue` and `SimulatedNetwork` serve synthetic markets in virtual time. `SimulatedRuntime`
runs all actors on one thread in an order drawn from a seed; `HarmfulRuntime` also injects faults.
"""

from __future__ import annotations

from perps_actors.kernel.clock import ManualClock
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.testing.fakes import FakeNetwork, Probe
from perps_actors.testing.harm import Harm, HarmfulRuntime, InjectedCrash, Moment
from perps_actors.testing.simulated_link import FaultKind, WireFault
from perps_actors.testing.venue import SimulatedNetwork, SimulatedVenue

__all__ = [
    "WireFault",
    "FaultKind",
    "FakeNetwork",
    "Harm",
    "HarmfulRuntime",
    "InjectedCrash",
    "ManualClock",
    "Moment",
    "Probe",
    "SimulatedNetwork",
    "SimulatedRuntime",
    "SimulatedVenue",
]
