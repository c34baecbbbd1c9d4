"""Differential privacy: clipping, noise and accounting."""

from fedbench.channel.privacy.accounting import Ledger
from fedbench.channel.privacy.privacy import ClientLevelDP, NoPrivacy, Privacy

__all__ = ["ClientLevelDP", "Ledger", "NoPrivacy", "Privacy"]
