"""Results of a sweep as files, so that nothing is computed twice."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import fedbench
from fedbench.runs.files import Claim, write
from fedbench.runs.store import RESULTS
from fedbench.study.job import Job, Outcome, Result

# Names of levels in files of an earlier state of this version.
BEFORE = {"oracle": "true model", "local-only": "alone"}


class SweepError(RuntimeError):
    """A folder that cannot keep results, or holds something else."""


class Kept:
    """A folder with a JSON file for each result, named by a hash of its experiment.

    Sweeps may share it, also at the same time: each result is computed by the one that holds its
    claim. The hash covers the settings, the source files of user classes, what of the user's own
    they import, and the files that fields called `path` name. It does not cover other data files:
    where these have changed, use a new folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._claims: dict[str, Claim] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with Claim(self._lock("folder")) as claim:
                claim.take()
        except OSError as error:
            raise SweepError(f"{folder} cannot be written to: {error.strerror or error}") from error
        if held := [name for name in RESULTS if (self.folder / name).exists()]:
            raise SweepError(f"{folder} holds a run ({held[0]}); choose another folder for a sweep")

    def take(self, job: Job) -> Result | bool:
        """Claim a job: True if it is to be computed here, False if another sweep computes it.

        Where it was computed meanwhile, its result. Raises SweepError as `find` does, and OSError.
        """
        claim = Claim(self._lock(job.key))
        if not claim.take():
            return False
        self._claims[job.key] = claim
        if (result := self.find(job)) is None:
            return True
        self.release(job)
        return result

    def release(self, *jobs: Job) -> None:
        """Give up the claims on some jobs, or on all."""
        for key in [job.key for job in jobs] or list(self._claims):
            if claim := self._claims.pop(key, None):
                claim.release()

    def find(self, job: Job) -> Result | None:
        """Return the result of a job, None if there is none yet.

        Raises SweepError for a file that cannot be read or belongs to another experiment.
        """
        path = self._path(job)
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SweepError(f"{path} cannot be read: {error}; remove it") from error
        named = isinstance(held, dict) and (held.get("kind"), held.get("experiment"))
        if named != (job.kind, job.toml):
            raise SweepError(f"{path} belongs to another experiment than its name; remove it")
        if held.get("versions", {}).get("fedbench") != fedbench.__version__:
            return None  # what another version came to is computed anew, and written over
        try:
            return _checked(job, held["result"])
        except (TypeError, KeyError, ValueError) as error:
            raise SweepError(f"{path} holds no result: {error}; remove it") from error

    def keep(self, job: Job, result: Result) -> None:
        """Write the result of a job. Raises OSError."""
        versions = {"fedbench": fedbench.__version__, "torch": version("torch")}
        held = {
            "kind": job.kind,
            "experiment": job.toml,
            "result": result,
            "versions": versions,
        }
        text = json.dumps(held, indent=1, ensure_ascii=False, allow_nan=False)
        write(self._path(job), text)

    def _lock(self, name: str) -> Path:
        return self.folder / f".{name}.lock"

    def _path(self, job: Job) -> Path:
        return self.folder / f"{job.key}.json"


def _checked(job: Job, result: Result) -> Result:
    if job.kind == "run":
        Outcome.from_dict(result)
        return result
    levels = {BEFORE.get(name, name): float(value) for name, value in result["levels"].items()}
    return {**result, "levels": levels}
