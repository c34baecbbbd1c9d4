"""Skews: how the rows of one client are made unlike those of another."""

from fedbench.data.skews.feature_noise import FeatureNoise
from fedbench.data.skews.skew import Holder, Skew, skewed

__all__ = ["FeatureNoise", "Holder", "Skew", "skewed"]
