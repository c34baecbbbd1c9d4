"""Audits: what somebody who sees updates or models could learn from them."""

from fedbench.audit.inversion import GradientInversion, gradient_inversion
from fedbench.audit.membership import MembershipInference, loss_threshold, membership_inference

__all__ = [
    "GradientInversion",
    "MembershipInference",
    "gradient_inversion",
    "loss_threshold",
    "membership_inference",
]
