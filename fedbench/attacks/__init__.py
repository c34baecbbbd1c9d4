"""Attacks: what corrupt clients do, one per file."""

from fedbench.attacks.attack import Attack, NoAttack
from fedbench.attacks.gaussian_update import GaussianUpdate
from fedbench.attacks.label_flip import LabelFlip
from fedbench.attacks.sign_flip import SignFlip

__all__ = ["Attack", "GaussianUpdate", "LabelFlip", "NoAttack", "SignFlip"]
