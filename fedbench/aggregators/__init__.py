"""Aggregators: one rule per file."""

from fedbench.aggregators.aggregator import Aggregator
from fedbench.aggregators.geometric_median import GeometricMedian
from fedbench.aggregators.krum import Krum, MultiKrum
from fedbench.aggregators.mean import Mean
from fedbench.aggregators.median import CoordinateMedian
from fedbench.aggregators.trimmed_mean import TrimmedMean

__all__ = [
    "Aggregator",
    "CoordinateMedian",
    "GeometricMedian",
    "Krum",
    "Mean",
    "MultiKrum",
    "TrimmedMean",
]
