"""A worker process of rounds: trains the clients of a job, or evaluates rows."""

from __future__ import annotations

import importlib
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from fedbench import tree
from fedbench.config.usercode import explained, remember, shown
from fedbench.engine.processes import Send, serve
from fedbench.engine.shared import Layout, Shelf

CONTEXTS = 4  # runs that a worker keeps the context of: several may take turns


class _Unpickler(pickle.Unpickler):
    """Arrays of data are mapped from their files."""

    def persistent_load(self, pid: str) -> np.ndarray:
        # copied on write: nobody changes another's data, and torch asks for writable memory
        return np.load(pid, mmap_mode="c", allow_pickle=False)


def main() -> None:
    """Do jobs until the parent closes the pipe or goes away."""
    contexts: dict[int, Any] = {}
    shelves: dict[Path, Shelf] = {}

    def answer(request: tuple[Any, ...], send: Send) -> None:
        kind, *details = request
        if kind == "context":
            key, blob = details
            contexts[key] = blob
            while len(contexts) > CONTEXTS:
                del contexts[next(iter(contexts))]
            return
        serial, index, key, job, common, slot = details
        try:
            if isinstance(contexts[key], bytes):
                contexts[key] = _Unpickler(io.BytesIO(contexts[key])).load()
            found = _do(contexts[key], job, common, slot, shelves)
        except BaseException as error:
            found = _failure(error)
        send((serial, index, found))

    serve(answer, _prepare)


def _prepare() -> None:
    import torch

    importlib.import_module("fedbench.engine")  # before the first job waits for it

    torch.set_num_threads(1)
    (torch.zeros(2, 8, 8) @ torch.zeros(2, 8, 8)).sum()


def _do(
    context_and_engine: Any,
    job: tuple[Any, ...],
    common: tuple[Path, Layout],
    slot: tuple[Path, Path],
    shelves: dict[Path, Shelf],
) -> Any:
    import torch

    from fedbench.engine.client_round import job_round
    from fedbench.engine.messages import stacked_states, states_of, unpacked_broadcast

    context, engine = context_and_engine

    def shelf(path: Path) -> Shelf:
        return shelves.setdefault(path, Shelf(path))

    kind, *details = job
    path, layout = common
    packed = shelf(path).get(layout)
    given, result = slot
    if kind == "evaluate":
        outputs = context.outputs(tree.unpack(packed, "params"), *details)
        return "evaluate", shelf(result).put({"outputs": outputs}), {}
    chunks, states_layout, info = details
    ids = np.concatenate(chunks)
    states = states_of(ids, shelf(given).get(states_layout))
    broadcast = unpacked_broadcast(info, packed, len(context.pipeline.stages))
    arrival = job_round(engine, context, broadcast, chunks, states)
    message, telemetry = arrival.message, arrival.telemetry
    kept = [arrival.states[client] for client in ids.tolist() if client in arrival.states]
    values = {
        "weights": message.weights,
        "bytes": torch.tensor(message.bytes),
        "losses": telemetry.losses,
        "steps": telemetry.steps,
        "norms": telemetry.norms,
    }
    if telemetry.clipped is not None:
        values["clipped"] = telemetry.clipped
    parts = tree.pack(payload=message.payload, values=values, states=stacked_states(kept))
    return "train", shelf(result).put(parts), dict(telemetry.seconds)


def _failure(error: BaseException) -> tuple[str, Any, str]:
    """Return an exception in a form that surely travels."""
    detail = shown(error)
    remember(error)
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # of any kind: user code decides how its exceptions are pickled
        error = RuntimeError(explained(error))
    return "failed", error, detail
