"""What a person takes away from the workbench: tables and reports, made when asked for."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from fedbench.metrics import COLUMNS, Column
from fedbench.runs import History, Session
from fedbench.study import Baselines, Frontier
from fedbench_widgets.comparing import Comparing
from fedbench_widgets.picture import session_title


class File(NamedTuple):
    """A file to save: its name, its type and what is in it."""

    name: str
    type: str
    content: bytes


class Shared(NamedTuple):
    """What there is to take away from: the runs, the one that is shown, and the last sweep."""

    comparing: Comparing
    session: Session
    frontier: Frontier | None
    levels: Baselines | None = None  # of the run that is shown

    def make(self, what: str) -> File:
        """Return the file that the page asks for.

        Raises ValueError where there is nothing to put into it, and for a name of no file.
        """
        history = self.session.history
        title = session_title(history.experiment)
        match what:
            case "compare.csv":
                frame = self.comparing.frame(self.session)
                if frame.empty:
                    raise ValueError("nothing to save: no run has finished yet")
                text = frame.to_csv(index=False)
                return File("runs.csv", "text/csv", text.encode())
            case "history.csv":
                return File(f"{title}-history.csv", "text/csv", history_csv(history).encode())
            case "history.json":
                text = history_json(history)
                return File(f"{title}-history.json", "application/json", text.encode())
            case "report":
                return File(f"{title}-report.html", "text/html", self.report([history]))
            case "compare.report":
                runs = list(self.comparing.runs)
                if not runs:
                    raise ValueError("nothing to report: no run has finished yet")
                called = self.comparing.names(runs)
                histories = [run.history for run in runs]
                return File("runs-report.html", "text/html", self.report(histories, called))
            case _:
                raise ValueError(f"there is nothing called {what!r} to save")

    def report(self, histories: list[History], names: list[str] | None = None) -> bytes:
        """Return a report of some runs, with the frontier of the last sweep, as bytes."""
        from fedbench.reporting import report

        session = self.session
        mine = [history is session.history for history in histories]
        runs = [session if own else each for own, each in zip(mine, histories, strict=True)]
        levels = [self.levels if own else None for own in mine]
        return report(runs, names=names, frontier=self.frontier, baselines=levels).encode()


def deliver(send: Callable[..., None], asked: Any, shared: Shared) -> threading.Thread | None:
    """Make a file in a thread and send it; the page hears at once that it is being made.

    `asked` is `{"what": ..., "token": ...}`; the token comes back with each answer.
    """
    if not isinstance(asked, dict):
        return None
    token = asked.get("token")
    send({"shared": token, "state": "making"})

    def make() -> None:
        try:
            file = shared.make(str(asked.get("what")))
        except Exception as error:  # said where it was asked for
            send({"shared": token, "state": "failed", "words": str(error)})
            return
        about = {"name": file.name, "type": file.type}
        send({"shared": token, "state": "done", **about}, buffers=[file.content])

    thread = threading.Thread(target=make, name="fedbench-share", daemon=True)
    thread.start()
    return thread


def history_csv(history: History) -> str:
    """Return `History.frame()` as CSV. Raises ValueError before the first round."""
    _refuse_empty(history)
    return history.frame().to_csv(index=False)


def history_json(history: History) -> str:
    """Return a run as strict JSON: what it was, what it came to, and a typed row for each round.

    A number that is not there is null. Raises ValueError before the first round.
    """
    _refuse_empty(history)
    frame = history.frame()
    rows = [
        {
            name: _number(value, COLUMNS[name])
            for name, value in zip(frame.columns, row, strict=True)
        }
        for row in frame.itertuples(index=False)
    ]
    found = {
        "experiment": history.experiment.to_dict(),
        "outcome": history.summary,
        "rounds": rows,
    }
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _refuse_empty(history: History) -> None:
    if not len(history):
        title = session_title(history.experiment)
        raise ValueError(f"nothing to save: the run of {title} has no rounds yet")


def _number(value: float, column: Column) -> float | None:
    if not math.isfinite(value):
        return None
    return int(value) if column.whole else float(value)
