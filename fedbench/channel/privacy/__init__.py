"""Differential privacy: clipping, noise and accounting."""

from fedbench.channel.privacy.client_level import ClientLevelDP
from fedbench.channel.privacy.clipping import (
    AdaptiveClipping,
    Clipping,
    FlatClipping,
    PerLayerClipping,
)
from fedbench.channel.privacy.example_level import ExampleLevelDP
from fedbench.channel.privacy.ledger import Ledger, Ledgers
from fedbench.channel.privacy.local import LocalDP, LocalGaussian, LocalLaplace
from fedbench.channel.privacy.privacy import NoPrivacy, Privacy, Private

__all__ = [
    "AdaptiveClipping",
    "ClientLevelDP",
    "Clipping",
    "ExampleLevelDP",
    "FlatClipping",
    "Ledger",
    "Ledgers",
    "LocalDP",
    "LocalGaussian",
    "LocalLaplace",
    "NoPrivacy",
    "PerLayerClipping",
    "Privacy",
    "Private",
]
