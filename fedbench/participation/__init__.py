"""Participation: who is asked in a round, who can be reached, and who answers when."""

from fedbench.participation.availability import Always, Availability, Bernoulli, Diurnal, Trace
from fedbench.participation.devices import Answers, Devices, Load, LogNormal
from fedbench.participation.sampling import Everyone, FixedCohort, Poisson, Sampling, Shuffled

__all__ = [
    "Always",
    "Answers",
    "Availability",
    "Bernoulli",
    "Devices",
    "Diurnal",
    "Everyone",
    "FixedCohort",
    "Load",
    "LogNormal",
    "Poisson",
    "Sampling",
    "Shuffled",
    "Trace",
]
