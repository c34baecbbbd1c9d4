"""The torch module behind `GRU`; apart, because a class of torch's must import torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Recurrent(nn.Module):
    """Embedding (for token ids), recurrent layers, outputs from the last state."""

    def __init__(
        self, vocabulary: int | None, inputs: int, hidden: int, layers: int, outputs: int
    ) -> None:
        super().__init__()
        self.embedding = (
            None if vocabulary is None else nn.Embedding(vocabulary, inputs, padding_idx=0)
        )
        widths = [inputs] + [hidden] * (layers - 1)
        self.cells = nn.ModuleList(Gates(width, hidden) for width in widths)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs[B, O] for x[B, T] token ids or x[B, T, F]."""
        if self.embedding is None:
            real, states = None, x
        else:
            real, states = x != 0, self.embedding(x)
        for cell in self.cells:
            states = cell(states, real)
        return self.output(states[:, -1])


class Gates(nn.Module):
    """One layer of gated recurrent units, in the notation and the gate order of `torch.nn.GRU`.

    r = σ(W_r x + b_r + U_r h + c_r), z = σ(W_z x + b_z + U_z h + c_z),
    n = tanh(W_n x + b_n + r ∘ (U_n h + c_n)), h' = (1 - z) ∘ n + z ∘ h.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input = nn.Linear(inputs, 3 * hidden)
        self.state = nn.Linear(hidden, 3 * hidden)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        """Return the states [B, T, H] for x[B, T, F]; where `real` [B, T] is False none is made."""
        h = x.new_zeros((x.shape[0], self.hidden))
        states: list[Tensor] = []
        for step, given in enumerate(self.input(x).unbind(1)):
            x_rz, x_n = given.split((2 * self.hidden, self.hidden), dim=1)
            h_rz, h_n = self.state(h).split((2 * self.hidden, self.hidden), dim=1)
            r, z = torch.sigmoid(x_rz + h_rz).chunk(2, dim=1)
            n = torch.tanh(x_n + r * h_n)
            new = n + z * (h - n)
            h = new if real is None else torch.where(real[:, step, None], new, h)
            states.append(h)
        return torch.stack(states, dim=1)
