"""The arithmetic floor: as many floating-point operations, as large products of matrices.

No framework can be quicker with these threads unless it computes something else: every product of
the forward and the backward pass is counted, at the rate of a product that suits the processor.
"""

from __future__ import annotations

import math

import torch
from common import Clock, load, main

SIDE = 2048
THREADS = 2
LEAST, MOST = 8, 40  # products timed a round: fewer tell little of the rate, more nothing new
# multiplications of one sample in each layer, in order
LAYERS = {
    "mlp": (784 * 200, 200 * 200, 200 * 10),
    "cnn": (28 * 28 * 25 * 32, 14 * 14 * 25 * 32 * 64, 7 * 7 * 64 * 512, 512 * 10),
}


def operations(model: str, samples: int) -> int:
    """Return multiplications and additions of one epoch over `samples`, forward and backward.

    A layer costs three equal products: its outputs, the gradient of its weights and that of its
    inputs, which the first layer does not need.
    """
    layers = LAYERS[model]
    return 2 * samples * (3 * sum(layers) - layers[0])


def run(folder: str, rounds: int) -> None:
    """Time as many operations as one round of the workload in `folder` needs, `rounds` times."""
    torch.set_num_threads(THREADS)
    clock = Clock()
    work = load(folder)
    needed = operations(work.model, work.cohort * work.samples)
    products = needed / (2 * SIDE**3)
    timed = min(max(math.ceil(products), LEAST), MOST)
    a, b, out = (torch.rand(SIDE, SIDE) for _ in range(3))
    torch.mm(a, b, out=out)  # the first call prepares the library
    for _ in range(rounds):
        clock.begin()
        for _ in range(timed):
            torch.mm(a, b, out=out)
        clock.end()
    clock.rounds = [seconds * products / timed for seconds in clock.rounds]
    clock.report(None, operations=needed)


if __name__ == "__main__":
    main(run)
