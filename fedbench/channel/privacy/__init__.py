"""Differential privacy: clipping, noise and accounting."""

from fedbench.channel.privacy.ledger import Ledger, Ledgers
from fedbench.channel.privacy.privacy import (
    ClientLevelDP,
    ExampleLevelDP,
    NoPrivacy,
    Privacy,
    Private,
)

__all__ = [
    "ClientLevelDP",
    "ExampleLevelDP",
    "Ledger",
    "Ledgers",
    "NoPrivacy",
    "Privacy",
    "Private",
]
