"""Scenarios: one case study per file; calling one returns an Experiment."""

from fedbench.scenarios.digits import digits
from fedbench.scenarios.scenario import Scenario

# In the order in which they are offered.
SCENARIOS: tuple[Scenario, ...] = (digits,)

__all__ = ["SCENARIOS", "Scenario", "digits"]
