"""Privacy of single examples, by clients that add noise to each local step."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fedbench.channel.privacy.privacy import Private

if TYPE_CHECKING:
    import numpy as np
    import torch

WORDS, STATE = 624, 24  # words of a Mersenne twister, and the byte where torch's state holds them


class ExampleLevelDP(Private):
    """Differential privacy for each single example of each client (DP-SGD, arXiv:1607.00133).

    In a local step each example's gradient is clipped to norm C, the sum gets Gaussian noise of
    standard deviation zC, and is divided by the expected batch. Each example is in each batch with
    probability batch / samples, independently. Every client has an ε by its own rate and steps, and
    the largest is reported; sizes of clients count as public. Source: Abadi et al. 2016.
    Neighbouring data sets differ by one example (add or remove). The noise is floating-point: a
    simulation.
    """

    display: ClassVar[str] = "Example-level DP"

    unit: ClassVar[str] = "example"
    level: ClassVar[str] = "example-level"
    neighbours: ClassVar[str] = "one example of one client is there or not"
    alone: ClassVar[bool] = True

    def batches(self, round: int, client: int) -> np.random.Generator:
        """Return the source that decides who is in the batches of `client`; see `source`."""
        return self.source(round, client, 0)

    def perturbation(self, round: int, client: int) -> torch.Generator:
        """Return the source of the noise of `client` in `round`, with all entropy of torch's kind.

        Local steps take much noise, which torch draws four times as fast as numpy.
        """
        return seeded(self.source(round, client, 1))


def seeded(rng: np.random.Generator) -> torch.Generator:
    """Return torch's Mersenne twister with its whole state, 19,937 bits, drawn from `rng`.

    `manual_seed` would keep 32 bits, and two clients or rounds could meet with the same noise.
    """
    import numpy as np
    import torch

    generator = torch.Generator()
    state = generator.get_state().numpy().copy()
    words = rng.integers(2**32, size=WORDS, dtype=np.uint64)
    state[STATE : STATE + 8 * WORDS] = words.view(np.uint8)
    generator.set_state(torch.from_numpy(state))
    return generator
