"""Flower: FedAvg by its message API, virtual clients on Ray, one core for each."""

from __future__ import annotations

import os
from functools import lru_cache
from types import SimpleNamespace

# read when the packages are imported
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import torch
from common import Clock, accuracy, build, client, load, main, shuffled
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from torch import nn
from torch.nn.functional import cross_entropy


@lru_cache(maxsize=1)
def prepared(folder: str) -> tuple[SimpleNamespace, nn.Module]:
    """Return the workload and a model, once in each process that trains."""
    torch.set_num_threads(1)
    work = load(folder)
    return work, build(work)


def train(message: Message, context: Context) -> Message:
    """Train the client that the message names and send its weights back."""
    config = message.content["config"]
    work, model = prepared(config["folder"])
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    optimiser = torch.optim.SGD(model.parameters(), lr=work.lr)
    for a, b in shuffled(*client(work, config["client"]), work.batch):
        optimiser.zero_grad()
        cross_entropy(model(a), b).backward()
        optimiser.step()
    content = {
        "arrays": ArrayRecord(model.state_dict()),
        "metrics": MetricRecord({"num-examples": work.samples}),
    }
    return Message(content=RecordDict(content), reply_to=message)


class Timed(FedAvg):
    """FedAvg that sends each round's cohort the clients to be, and takes the time."""

    def __init__(self, clock: Clock, folder: str) -> None:
        super().__init__(fraction_evaluate=0.0)
        self.clock = clock
        self.folder = folder
        self.cohorts = load(folder).cohorts

    def configure_train(self, server_round, arrays, config, grid):
        """Begin a round: one message to a node for each client of the cohort."""
        self.clock.begin()
        cohort = self.cohorts[server_round - 1].tolist()
        nodes = list(grid.get_node_ids())
        return [
            self._message(arrays, number, node) for number, node in zip(cohort, nodes, strict=False)
        ]

    def _message(self, arrays: ArrayRecord, number: int, node: int) -> Message:
        config = ConfigRecord({"folder": self.folder, "client": number})
        content = RecordDict({"arrays": arrays, "config": config})
        return Message(content=content, message_type="train", dst_node_id=node)

    def aggregate_train(self, server_round, replies):
        """End a round."""
        replies = list(replies)
        if failed := [reply.error.reason for reply in replies if reply.has_error()]:
            raise RuntimeError(failed[0])
        result = super().aggregate_train(server_round, replies)
        self.clock.end()
        return result


def run(folder: str, rounds: int) -> None:
    """Run `rounds` rounds on the workload in `folder`."""
    clock = Clock()
    work = load(folder)
    model = build(work)
    server, app = ServerApp(), ClientApp()
    app.train()(train)

    @server.main()
    def serve(grid: Grid, context: Context) -> None:
        strategy = Timed(clock, folder)
        result = strategy.start(grid, ArrayRecord(model.state_dict()), num_rounds=rounds)
        model.load_state_dict(result.arrays.to_torch_state_dict())

    run_simulation(
        server_app=server,
        client_app=app,
        num_supernodes=work.clients,
        backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
    )
    clock.report(accuracy(model, work), "flwr", "ray")


if __name__ == "__main__":
    import flower_ray  # by its name: Ray's processes look there for what is defined here

    main(flower_ray.run)
