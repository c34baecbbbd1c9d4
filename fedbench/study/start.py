"""What `fedbench.sweep` is given is checked, and a `Sweep` is made and started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from fedbench.config.problems import expect
from fedbench.engine.processes import cores
from fedbench.experiment import Experiment
from fedbench.participation.sampling import MANY
from fedbench.study.grid import axes_of, grid
from fedbench.study.kept import Kept
from fedbench.study.sweep import Sweep


def sweep(
    experiment: Experiment,
    axes: Mapping[str, Iterable[Any]],
    *,
    folder: str | Path | None = None,
    workers: int | None = None,
    levels: bool | None = None,
    executor: Executor | None = None,
) -> Sweep:
    """Run `experiment` with every combination of the values of some settings, in the background.

    `axes` gives the values by path, as in `{"privacy.epsilon": [1, 8, math.inf], "seed": range(5)}`
    where an infinite budget is no privacy. Results are kept in `folder`, if there is one, and not
    computed again. `workers` processes, one a core if left out, take whole runs; what lives in this
    process only (a class of a notebook's, a DataFrame) is run in it. `levels` to compare with are
    computed at the end, if left out where privacy is swept.

    In place of worker processes an `executor` takes the runs, such as a `ProcessPoolExecutor` that
    spawns its processes (forked ones may hang) or Dask's `client.get_executor()`. Classes and
    DataFrames of this process travel with their runs. Where processors and versions are the same
    so are the bits of results. The executor is never shut down, and says less: a point begins when
    it is submitted, its rounds are not heard of, and `cancel` and Ctrl-C in `wait` withdraw what
    has not begun without ending what has. A run that it loses is submitted once more, and fails if
    it is lost again.

    Raises ValueError for axes and points that cannot be, before anything starts, TypeError for an
    `executor` that is none, and SweepError for a folder that cannot be used.
    """
    expect(experiment, Experiment, "experiment")
    if executor is not None:
        _expect_executor(executor)
    if workers is not None and workers < 1:
        raise ValueError(f"workers = {workers}: give at least one")
    if workers is not None and executor is not None:
        raise ValueError(
            f"workers = {workers}: leave it out, as the executor has workers of its own"
        )
    found = axes_of(axes)
    points = grid(experiment, found)
    if levels is None:
        private = any(path.partition(".")[0] == "privacy" for path in found)
        levels = private and points[0].experiment.clients <= MANY
    kept = None if folder is None else Kept(folder)
    made = Sweep(points, found, kept, workers or cores() if executor is None else executor, levels)
    made.resume()
    return made


def _expect_executor(value: object) -> None:
    try:
        expect(value, Executor, "executor")
    except TypeError as error:
        if hasattr(value, "get_executor"):  # a client of Dask's: its futures are of another kind
            raise TypeError(f"{error}; give what its get_executor() returns") from None
        raise
