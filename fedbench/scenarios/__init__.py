"""Scenarios: one case study per file; calling one returns an Experiment."""

from fedbench.scenarios.digits import digits
from fedbench.scenarios.finance import finance
from fedbench.scenarios.machine_health import machine_health
from fedbench.scenarios.medical import medical
from fedbench.scenarios.scenario import Scenario
from fedbench.scenarios.smart_city import smart_city

# In the order in which they are offered.
SCENARIOS: tuple[Scenario, ...] = (
    digits,
    medical,
    finance,
    smart_city,
    machine_health,
)

__all__ = [
    "SCENARIOS",
    "Scenario",
    "digits",
    "finance",
    "machine_health",
    "medical",
    "smart_city",
]
