"""Scenarios: one case study per file; each is a function that returns an Experiment."""

from fedbench.scenarios.digits import digits

__all__ = ["digits"]
