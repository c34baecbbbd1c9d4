"""A worker process of a sweep: computes whole runs.

A request is {"kind", "experiment"}, the latter as TOML; there is one at a time. Answers to it are
any number of {"round", "value"} and then {"result"}, or {"refused"} where the experiment holds
something that only the process that asks has.
"""

from __future__ import annotations

from typing import Any

from fedbench.engine.processes import Send, serve
from fedbench.experiment import Experiment
from fedbench.study.job import Job


def main() -> None:
    """Answer requests until the parent closes the pipe or goes away."""
    serve(_answer, lambda: None)


def _answer(request: dict[str, Any], send: Send) -> None:
    try:
        # whoever asks is this process's parent, and has imported what the experiment names
        experiment = Experiment.from_toml(request["experiment"], allow_imports=True)
    except Exception as error:
        send({"refused": f"{type(error).__name__}: {error}"})
        return
    job = Job(request["kind"], experiment).alone()
    result = job.compute(lambda round, value: send({"round": round, "value": value}), lambda: True)
    send({"result": result})
