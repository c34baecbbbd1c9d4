"""Studies: what several runs say together."""

from fedbench.study.baselines import Baselines, alternative, baselines
from fedbench.study.oracle import oracle
from fedbench.study.plan import PrivacyPlan, plan

__all__ = ["Baselines", "PrivacyPlan", "alternative", "baselines", "oracle", "plan"]
