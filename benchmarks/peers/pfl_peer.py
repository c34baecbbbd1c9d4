"""pfl: FederatedAveraging on its simulated backend, PyTorch, one process."""

from __future__ import annotations

import numpy as np
import torch
from common import Clock, accuracy, build, client, load, main
from pfl.aggregate.simulate import SimulatedBackend
from pfl.aggregate.weighting import WeightByDatapoints
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.pytorch import PyTorchTensorDataset
from pfl.hyperparam.base import NNTrainHyperParams
from pfl.metrics import Metrics, Weighted
from pfl.model.pytorch import PyTorchModel
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class Module(nn.Module):
    """The model with the two methods that pfl asks for."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss of a batch."""
        return cross_entropy(self.inner(x), y)

    def metrics(self, x: Tensor, y: Tensor) -> dict:
        """Return a count alone: pfl evaluates each client in round 1, no other peer does."""
        return {"rows": Weighted(len(y), len(y))}


class Rounds(TrainingProcessCallback):
    """Takes the time after each central iteration."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_begin(self, *, model) -> Metrics:
        """Begin the first round."""
        self.clock.begin()
        return Metrics()

    def after_central_iteration(self, aggregate_metrics, model, *, central_iteration):
        """End a round and begin the next."""
        self.clock.end()
        self.clock.begin()
        return False, Metrics()


def run(folder: str, rounds: int) -> None:
    """Run `rounds` rounds on the workload in `folder`."""
    torch.set_num_threads(1)
    np.random.seed(0)
    clock = Clock()
    work = load(folder)
    module = Module(build(work))
    model = PyTorchModel(
        module,
        local_optimizer_create=torch.optim.SGD,
        central_optimizer=torch.optim.SGD(module.parameters(), lr=1.0),
    )
    users = iter(work.cohorts.flatten().tolist())
    data = FederatedDataset(lambda user: _dataset(work, user), lambda: next(users))
    FederatedAveraging().run(
        NNAlgorithmParams(
            central_num_iterations=rounds,
            evaluation_frequency=rounds + 1,
            train_cohort_size=work.cohort,
            val_cohort_size=None,
        ),
        SimulatedBackend(data, data, postprocessors=[WeightByDatapoints()]),
        model,
        NNTrainHyperParams(
            local_num_epochs=1, local_learning_rate=work.lr, local_batch_size=work.batch
        ),
        callbacks=[Rounds(clock)],
        send_metrics_to_platform=False,
    )
    clock.report(accuracy(module.inner, work), "pfl")


def _dataset(work, user: int) -> PyTorchTensorDataset:
    # pfl goes through a client's rows in order: they are shuffled here
    x, y = client(work, user)
    order = torch.randperm(len(x))
    return PyTorchTensorDataset((x[order], y[order]))


if __name__ == "__main__":
    main(run)
