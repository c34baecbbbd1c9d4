"""Aggregators: one rule per file."""

from fedbench.aggregators.aggregator import Aggregator
from fedbench.aggregators.mean import Mean

__all__ = ["Aggregator", "Mean"]
