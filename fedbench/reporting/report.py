"""One page about some runs: what was run, what it came to and promises, how to run it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from fedbench.reporting.markup import Html, tag, together
from fedbench.runs import History, Session, SessionError
from fedbench.study.differences import differences, names as distinct, titles

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from fedbench.study import Baselines, Frontier, Gains

OURS = "fedbench report"  # the generator that a report names; a file without it is somebody else's
LOOKED_AT = 2000  # bytes at its start in which a file says so


class ReportError(ValueError):
    """Runs that there is nothing to report of, or a file that cannot be written."""


def report(
    runs: History | Session | Iterable[History | Session],
    path: str | Path | None = None,
    *,
    title: str = "",
    names: Sequence[str] | None = None,
    frontier: Frontier | None = None,
    baselines: Baselines | Sequence[Baselines | None] | None = None,
    force: bool = False,
) -> str:
    """Return a report of one or several runs as an HTML page, and write it to `path` if given.

    The page is one file that asks for nothing outside itself: figures, numbers, privacy cards and
    the code that runs each of the experiments again. `names` are those of the runs, by default what
    tells them apart; `frontier` is drawn as well. `baselines`, one for each run, are what its
    clients get without the federation: levels of the figure, and who gains. A file at `path` is
    overwritten if it is a report, or by `force`. Raises ReportError for runs without a round, and
    for a path that cannot be written.
    """
    given = list(runs) if isinstance(runs, Iterable) else [runs]
    histories = [_history(each) for each in given]
    if not histories:
        raise ReportError("nothing to report: there are no runs")
    for history in histories:
        if not len(history):
            kind = history.experiment.data.kind().rpartition(":")[2]
            raise ReportError(f"nothing to report: the run of {kind} has no rounds yet")
    if names is not None and len(names) != len(histories):
        raise ReportError(f"names: {len(names)} for {len(histories)} runs; give one for each")
    levels = _levels(baselines, len(histories))
    gains = [_gains(run, found) for run, found in zip(given, levels, strict=True)]
    target = None if path is None else Path(path)
    if target is not None:
        refuse_others(target, force)
    text = _page(histories, title, names, frontier, list(zip(levels, gains, strict=True)))
    if target is not None:
        try:
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise _unwritable(target, error) from error
    return text


def _levels(
    given: Baselines | Sequence[Baselines | None] | None, runs: int
) -> Sequence[Baselines | None]:
    if given is None:
        return [None] * runs
    found = list(given) if isinstance(given, Sequence) else [given]
    if len(found) != runs:
        raise ReportError(f"baselines: {len(found)} for {runs} runs; give one, or None, for each")
    return found


def _gains(run: History | Session, levels: Baselines | None) -> Gains | None:
    """Return who gains in a run whose model is at hand."""
    from fedbench.study import who_gains

    if levels is None or levels.predictions is None:
        return None
    try:
        return who_gains(run.predictions(), levels.predictions)
    except SessionError:  # rounds go on
        return None
    except ValueError as error:
        raise ReportError(f"baselines: {error}") from error


def _history(run: object) -> History:
    """Return the history of a run, live or saved. Raises ReportError for what is no run."""
    history = getattr(run, "history", run)
    if not isinstance(history, History):
        raise ReportError(
            f"runs: a {type(run).__name__} is not a run; give what fb.run or fb.load returned, or "
            "a Session"
        )
    return history


def _unwritable(path: Path, error: OSError) -> ReportError:
    missing = isinstance(error, FileNotFoundError)
    why = f"there is no folder {path.parent}" if missing else error.strerror or error
    return ReportError(f"{path} cannot be written: {why}")


def refuse_others(path: Path, force: bool) -> None:
    """Raise ReportError where a file that is no report would be overwritten."""
    try:
        if force or not path.is_file():
            return
        with path.open("rb") as file:
            start = file.read(LOOKED_AT)
    except OSError as error:  # not even looking is allowed in a folder of somebody else's
        raise _unwritable(path, error) from error
    if OURS.encode() not in start:
        raise ReportError(
            f"{path} already exists and is not a report; choose another name, or overwrite it "
            "with force"
        )


def _page(
    histories: list[History],
    title: str,
    names: Sequence[str] | None,
    frontier: Frontier | None,
    compared: Sequence[tuple[Baselines | None, Gains | None]],
) -> str:
    from plotly.offline import get_plotlyjs

    from fedbench.reporting import parts

    experiments = [history.experiment for history in histories]
    called = names or distinct(experiments, range(1, len(experiments) + 1))
    paths = differences(experiments)
    figures: list[go.Figure] = []
    kinds = dict.fromkeys(each.data.kind().rpartition(":")[2] for each in experiments)
    heading = title or f"Federated learning on {', '.join(kinds)}"
    body = [tag("h1", heading), parts.summary(histories, called, titles(experiments[0], paths))]
    if len(histories) > 1:
        body += parts.together_drawn(histories, called, figures)
    if frontier is not None and frontier.points:
        body.append(parts.frontier(frontier, figures))
    body.append(parts.results(histories, called, paths))
    for history, name, (levels, gains) in zip(histories, called, compared, strict=True):
        alone = len(histories) == 1
        body.append(parts.run(history, name, figures, alone=alone, levels=levels, gains=gains))
    body.append(parts.provenance(histories))
    data = [
        tag("script", parts.data(figure), type="application/json", class_="figure-data")
        for figure in figures
    ]
    here = files("fedbench.reporting")
    style, boot = (here.joinpath(f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    # the only "</script" of plotly's is inside of a string
    library = get_plotlyjs().replace("</script", "<\\/script")
    policy = parts.policy(library, boot)
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="generator", content=OURS),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", heading),
        tag("style", Html(style)),
    ]
    scripts = [*data, tag("script", Html(library)), tag("script", Html(boot))]
    main = tag("main", together(body))
    inside = tag("head", together(head)) + "\n" + tag("body", main, together(scripts))
    return f"<!doctype html>\n{tag('html', Html(inside), lang='en')}\n"
