"""Studies: what several runs say together."""

from fedbench.study.baselines import Baselines, alternative, baselines
from fedbench.study.oracle import oracle

__all__ = ["Baselines", "alternative", "baselines", "oracle"]
