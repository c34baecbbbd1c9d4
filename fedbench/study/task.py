"""A job as a task for an executor: what is sent, and what is done where it arrives."""

from __future__ import annotations

import pickle
from importlib.metadata import version
from uuid import uuid4

import fedbench
from fedbench.config.kinds import LOCAL
from fedbench.data.own import reading
from fedbench.engine.packing import by_value
from fedbench.study.job import Job, Result

HERE = uuid4().hex  # this process
Versions = dict[str, str]


def versions() -> Versions:
    """Return the versions that bits depend on."""
    return {"fedbench": fedbench.__version__} | {name: version(name) for name in ("numpy", "torch")}


def packed(job: Job) -> bytes:
    """Return a job with the user classes and DataFrames that it needs.

    No two are alike: executors such as Dask's take equal tasks for one, but noise may come from the
    operating system. Raises whatever pickling user code can raise.
    """
    frames = [reading.recall(path) for path in _frames(job)]
    return by_value((uuid4().hex, HERE, frames, job.alone()), job.experiment.parts())


def named(job: Job) -> bool:
    """Return whether a job's text says all that it depends on; the rest lives in this process."""
    classes = [type(part) for part in job.experiment.parts()]
    lost = any(cls.__module__ == "__main__" or LOCAL in cls.__qualname__ for cls in classes)
    return not lost and not _frames(job)


def compute(task: bytes, sent: Versions) -> Result:
    """Return the result of `packed`, by one thread; an error of the job is a result too.

    Raises RuntimeError where this process has other versions than `sent`.
    """
    if (own := versions()) != sent:
        raise RuntimeError(f"a worker has {_listed(own)}, and this process {_listed(sent)}")
    _, sender, frames, job = pickle.loads(task)
    if sender != HERE:
        # Another kernel may have sent classes of these names, or this one before it was restarted.
        for cls in {type(part) for part in job.experiment.parts()}:
            cls.define_again()
    for frame in frames:
        reading.keep(frame)
    return job.compute(lambda round, value: None, lambda: True)


def _frames(job: Job) -> list[str]:
    paths = [getattr(part, "path", "") for part in job.experiment.parts()]
    return [path for path in paths if isinstance(path, str) and path.startswith(reading.FRAME)]


def _listed(found: Versions) -> str:
    return ", ".join(f"{name} {number}" for name, number in found.items())
