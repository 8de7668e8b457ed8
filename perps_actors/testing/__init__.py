"""Stand-ins for tests, ours and hosts'.

A probe to be told, a clock to be moved, a network that a test speaks for and one that speaks for itself, a runtime on one thread
whose order comes from a seed, and one that also harms the actors it runs.
"""

from __future__ import annotations

from perps_actors.kernel.clock import ManualClock
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.testing.fakes import FakeNetwork, Probe
from perps_actors.testing.harm import Harm, HarmfulRuntime, InjectedCrash, Moment
from perps_actors.testing.venue import SimulatedNetwork, SimulatedVenue
from perps_actors.testing.weather import FaultKind, WireFault

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
