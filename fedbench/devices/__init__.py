"""Devices: who can be reached, how long they take and who does not answer."""

from fedbench.devices.availability import Always, Availability, Bernoulli, Diurnal, Trace
from fedbench.devices.devices import Answers, Devices, Load, LogNormal

__all__ = [
    "Always",
    "Answers",
    "Availability",
    "Bernoulli",
    "Devices",
    "Diurnal",
    "Load",
    "LogNormal",
    "Trace",
]
