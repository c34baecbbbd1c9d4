"""Scenarios: one case study per file; calling one returns an Experiment."""

from fedbench.scenarios.digits import digits
from fedbench.scenarios.finance import finance
from fedbench.scenarios.fraud import fraud
from fedbench.scenarios.machine_health import machine_health
from fedbench.scenarios.medical import medical
from fedbench.scenarios.recommendation import recommendation
from fedbench.scenarios.scenario import Scenario
from fedbench.scenarios.sentiment import sentiment
from fedbench.scenarios.smart_city import smart_city
from fedbench.scenarios.traffic import traffic

# In the order in which they are offered.
SCENARIOS: tuple[Scenario, ...] = (
    digits,
    medical,
    finance,
    smart_city,
    machine_health,
    traffic,
    fraud,
    recommendation,
    sentiment,
)

__all__ = [
    "SCENARIOS",
    "Scenario",
    "digits",
    "finance",
    "fraud",
    "machine_health",
    "medical",
    "recommendation",
    "sentiment",
    "smart_city",
    "traffic",
]
