"""The torch module behind `MatrixFactorisation`; apart, as a class of torch's must import torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SPREAD = 0.1  # of the first factors: scores start near the biases, and symmetry is broken


class Pairs(nn.Module):
    """Factors and biases of users and items, and the bias of all."""

    def __init__(self, users: int, items: int, factors: int) -> None:
        super().__init__()
        self.user = nn.Embedding(users, factors)
        self.item = nn.Embedding(items, factors)
        self.user_bias = nn.Embedding(users, 1)
        self.item_bias = nn.Embedding(items, 1)
        self.bias = nn.Parameter(torch.zeros(1))
        for layer in (self.user, self.item):
            nn.init.normal_(layer.weight, std=SPREAD)
        for layer in (self.user_bias, self.item_bias):
            nn.init.zeros_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores[B, 1] for x[B, 2]."""
        user, item = x.unbind(1)
        match = (self.user(user) * self.item(item)).sum(1, keepdim=True)
        return match + self.user_bias(user) + self.item_bias(item) + self.bias
