"""Studies: what several runs say together."""

from fedbench.study.baselines import Baselines, baselines

__all__ = ["Baselines", "baselines"]
