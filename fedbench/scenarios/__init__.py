"""Scenarios: one case study per file; calling one returns an Experiment."""

from fedbench.scenarios.digits import digits
from fedbench.scenarios.fraud import fraud
from fedbench.scenarios.recommendation import recommendation
from fedbench.scenarios.scenario import Scenario
from fedbench.scenarios.sentiment import sentiment
from fedbench.scenarios.traffic import traffic

# In the order in which they are offered.
SCENARIOS: tuple[Scenario, ...] = (digits, traffic, fraud, recommendation, sentiment)

__all__ = ["SCENARIOS", "Scenario", "digits", "fraud", "recommendation", "sentiment", "traffic"]
