"""Differential privacy: clipping, noise and accounting."""

from fedbench.privacy.client_level import ClientLevelDP
from fedbench.privacy.clip import Clip
from fedbench.privacy.clipping import (
    AdaptiveClipping,
    Clipping,
    FlatClipping,
    PerLayerClipping,
)
from fedbench.privacy.example_level import ExampleLevelDP
from fedbench.privacy.ledger import Ledger, Ledgers
from fedbench.privacy.local import LocalDP, LocalGaussian, LocalLaplace
from fedbench.privacy.privacy import NoPrivacy, Privacy, Private

__all__ = [
    "AdaptiveClipping",
    "ClientLevelDP",
    "Clip",
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
