"""Studies: what several runs say together."""

from fedbench.study.baselines import Baselines, alternative, baselines

__all__ = ["Baselines", "alternative", "baselines"]
