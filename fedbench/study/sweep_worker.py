"""A worker process of a sweep: whole runs, asked for and answered as lines of JSON.

A request is {"kind", "experiment"}, the latter as TOML; there is one at a time. Answers to it are
any number of {"round", "value"} and then {"result"}, or {"refused"} where the experiment holds
something that only the process that asks has.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
from typing import Any, BinaryIO

from fedbench.experiment import Experiment
from fedbench.study.job import Job


def main() -> None:
    """Answer requests until the parent closes the pipe or goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to answer
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what user code prints must not end up among the answers
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, inbox), daemon=True).start()
    while True:
        request = json.loads(inbox.get())
        try:
            # whoever asks is this process's parent, and has imported what the experiment names
            experiment = Experiment.from_toml(request["experiment"], allow_imports=True)
        except Exception as error:
            _send(answers, {"refused": f"{type(error).__name__}: {error}"})
            continue

        def advanced(round: int, value: float) -> None:
            _send(answers, {"round": round, "value": value})

        job = Job(request["kind"], _alone(experiment))
        _send(answers, {"result": job.compute(advanced, lambda: True)})


def _listen(requests: BinaryIO, inbox: queue.SimpleQueue[bytes]) -> None:
    for line in requests:
        inbox.put(line)
    os._exit(0)  # whatever is being computed, nobody waits for it any more


def _alone(experiment: Experiment) -> Experiment:
    """Return the same without workers of its own: the other cores have runs of their own."""
    has_workers = "workers" in type(experiment.engine).model_fields
    return experiment.replace(**{"engine.workers": 0}) if has_workers else experiment


def _send(stream: BinaryIO, message: dict[str, Any]) -> None:
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()
