"""Skews: how the rows of one client are made unlike those of another."""

from fedbench.data.skews.feature_noise import FeatureNoise
from fedbench.data.skews.label_noise import LabelNoise
from fedbench.data.skews.label_permutation import LabelPermutation
from fedbench.data.skews.missing_features import MissingFeatures
from fedbench.data.skews.rotation import Rotation
from fedbench.data.skews.scaling import Scaling
from fedbench.data.skews.shift import Shift
from fedbench.data.skews.skew import Holder, Skew, skewed

__all__ = [
    "FeatureNoise",
    "Holder",
    "LabelNoise",
    "LabelPermutation",
    "MissingFeatures",
    "Rotation",
    "Scaling",
    "Shift",
    "Skew",
    "skewed",
]
