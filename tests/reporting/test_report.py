"""A report: what it says, that it is safe to open anywhere, and when there is none."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fedbench as fb
from fedbench.metrics import TOTALS
from fedbench.reporting import ReportError
from fedbench.runs import History

EVIL = "<img src=x onerror=alert(1)>"
FETCHING = {"src", "srcset", "href", "action", "data", "poster", "background"}


class Seen(HTMLParser):
    """The elements of a page, their attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif data.strip():
            self.words.append(data.strip())


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def wines() -> History:
    return fb.run(fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=3, seed=7))


@pytest.fixture(scope="module")
def private(wines: History) -> History:
    return fb.run(
        wines.experiment.replace(
            strategy=fb.FedAvg(weighting="uniform"),
            sampling=fb.Poisson(rate=0.5),
            privacy=fb.ClientLevelDP(epsilon=3, delta=1e-2, noise_seed=1),
        )
    )


def test_a_run_is_reported_with_its_numbers_its_promise_and_its_code(private: History) -> None:
    seen = Seen(fb.report(private))
    last = private.frame().iloc[-1]
    words = " ".join(seen.words)
    assert f"{last['accuracy']:.1%} accuracy" in seen.words
    assert f"{last['worst_tenth']:.1%}" in seen.words
    assert "worst" in seen.words and "worst tenth" not in words  # fewer than twenty clients
    assert f"client-level ε {last['epsilon']:.4g}, δ 0.01" in seen.words
    assert private.privacy_card().statement in seen.words
    assert all(line in words for pair in private.privacy_card().lines for line in pair)
    assert private.experiment.to_toml().strip() in seen.words
    assert private.experiment.to_python().strip() in seen.words
    assert all(caution in words for caution in private.experiment.cautions())
    assert f"torch {torch.__version__}" in words
    assert "Seed 7 Versions" in words
    assert "bit for bit" in words


def test_a_run_that_changed_on_its_way_is_promised_no_replay(wines: History) -> None:
    assert "bit for bit" in fb.report(wines)
    session = fb.Session(wines.experiment)
    session.step()
    session.wait()
    session.amend(**{"training.lr": 0.5})
    session.resume()
    session.wait()
    page = fb.report(session.history)
    assert "bit for bit" not in page
    assert "The code of a run that was edited while running does not reproduce it" in page
    assert "From round 2 on: training.lr = 0.5" in page


def test_each_client_is_listed_with_its_test_rows(wines: History) -> None:
    words = " ".join(Seen(fb.report(wines)).words)
    data, last = wines.experiment.federation(), wines.rows[-1].clients
    worst = int(np.nanargmin(last))
    (rows,) = data.tests_of(np.array([worst]))
    assert "test rows rounds taken part in" in words
    assert f"client {worst} {last[worst]:.1%} {rows} " in words


def test_the_figures_are_those_of_the_history(wines: History) -> None:
    (figure,) = [json.loads(text) for text in Seen(fb.report(wines)).scripts[:-2]]
    names = [trace["name"] for trace in figure["data"]]
    assert "test" in names
    assert "width" not in figure["layout"]
    assert len(Seen(fb.report([wines, wines])).scripts) == 2 + 3  # one more over both


def test_several_runs_begin_with_what_differs(wines: History, private: History) -> None:
    seen = Seen(fb.report([wines, private], title="Two of them"))
    assert "Two of them" in seen.words
    lead = next(word for word in seen.words if word.startswith("2 runs."))
    # not Strategy: they are of one kind, with another setting
    assert lead.startswith("2 runs. They differ only in Weights, Privacy and Sampling.")
    best = max(each.frame()["accuracy"].iloc[-1] for each in (wines, private))
    assert f"The best accuracy is {best:.1%}" in lead
    assert {"Weights", "Privacy", "Sampling"} <= set(seen.words)
    assert "client-level ε ≤ 3" in seen.words


def test_runs_on_different_data_do_not_compete(wines: History, private: History) -> None:
    patients = fb.run(fb.Experiment(data=fb.DiabetesProgression(), rounds=1))
    halved = fb.run(wines.experiment.replace(data=fb.Wine(test_fraction=0.5)))
    runs, names = [wines, patients, halved, private], ["a", "b", "c", "d"]
    seen = Seen(fb.report(runs, names=names))
    lead = next(word for word in seen.words if word.startswith("4 runs."))
    value = {name: run.rows[-1].metrics[run.metric] for name, run in zip(names, runs, strict=True)}
    best = max("ad", key=lambda name: value[name])
    assert f"On Wine, the best accuracy is {value[best]:.1%}, by “{best}”." in lead
    assert f"On Wine, Test share 0.5, the best accuracy is {value['c']:.1%}, by “c”." in lead
    assert f"On Diabetes progression, the best RMSE is {value['b']:.4g}, by “b”." in lead
    figures = [json.loads(text)["data"] for text in seen.scripts[:-2]][:3]
    assert [[line["name"] for line in each] for each in figures] == [["a", "d"], ["b"], ["c"]]


def test_what_was_sent_has_a_unit_that_fits(wines: History) -> None:
    sent = float(sum(row.bytes_up for row in wines.rows))
    assert 1e3 < sent < 1e6
    assert f"{sent / 1e3:.1f}\u00a0kB" in Seen(fb.report(wines)).words
    shown = [TOTALS["bytes_up"].text(count).split() for count in (12, 5800, 2.5e6, 3e9)]
    assert shown == [["12", "B"], ["5.8", "kB"], ["2.5", "MB"], ["3.0", "GB"]]


def test_the_best_of_an_error_is_the_least() -> None:
    patients = fb.Experiment(data=fb.DiabetesProgression(), rounds=2)
    runs = [fb.run(patients.replace(seed=seed)) for seed in (0, 1)]
    least = min(run.frame()["rmse"].iloc[-1] for run in runs)
    lead = next(word for word in Seen(fb.report(runs)).words if word.startswith("2 runs."))
    assert f"The best RMSE is {least:.4g}, by “Seed" in lead


def test_names_are_text_whatever_they_hold() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=120), "site": rng.choice([EVIL, "</script>"], 120)})
    frame["ill"] = np.where(frame["x"] > 0, "yes", "no")
    table = fb.Table(frame, target="ill", client="site")
    history = fb.run(fb.Experiment(data=table, partition=fb.Natural(), rounds=1))
    text = fb.report([history, history], title=EVIL, names=[EVIL, "<b>"])
    seen = Seen(text)
    assert seen.words.count(EVIL) >= 3  # title, heading, row
    assert "img" not in seen.tags
    assert "b" not in seen.tags
    assert not any(name.startswith("on") for name, _ in seen.attributes)
    assert seen.tags.count("script") == text.count("</script>") == 5
    assert all("<" not in script for script in seen.scripts[:-2])


def test_a_page_asks_for_nothing_outside_itself(wines: History) -> None:
    seen = Seen(fb.report(wines))
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(seen.tags)
    assert not FETCHING & {name for name, _ in seen.attributes}
    policy = next(value for name, value in seen.attributes if value.startswith("default-src"))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("; style-src")[0]
    assert "http" not in policy
    style = fb.report(wines).partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import", style)


def test_a_frontier_is_drawn_as_well(wines: History) -> None:
    sweep = fb.sweep(wines.experiment, {"seed": range(2), "rounds": [1, 2]}, workers=1)
    sweep.wait()
    seen = Seen(fb.report(wines, frontier=sweep.frontier()))
    assert "Sweep" in seen.words
    assert len(seen.scripts) == 2 + 2


def test_nothing_is_reported_of_nothing() -> None:
    with pytest.raises(ReportError, match=r"^nothing to report: there are no runs$"):
        fb.report([])
    session = fb.Session(fb.Experiment(data=fb.Wine()))
    with pytest.raises(
        ReportError, match=r"^nothing to report: the run of Wine has no rounds yet$"
    ):
        fb.report(session)


def test_each_run_has_a_name(wines: History) -> None:
    with pytest.raises(ReportError, match="names: 1 for 2 runs"):
        fb.report([wines, wines], names=["one"])


def test_a_report_takes_the_place_of_a_report_and_of_nothing_else(
    wines: History, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    first = fb.report(wines, path)
    assert path.read_text("utf-8") == first
    second = fb.report(wines, path, title="Anew")
    assert path.read_text("utf-8") == second != first
    other = tmp_path / "notes.html"
    other.write_text("mine")
    with pytest.raises(ReportError, match=r"notes\.html already exists and is not a report"):
        fb.report(wines, other)
    assert other.read_text() == "mine"
    fb.report(wines, other, force=True)
    assert other.read_text("utf-8") == first


def test_a_path_that_cannot_be_written_is_named(wines: History, tmp_path: Path) -> None:
    with pytest.raises(
        ReportError, match=r"nowhere/report\.html cannot be written: there is no folder .*nowhere$"
    ):
        fb.report(wines, tmp_path / "nowhere" / "report.html")
    with pytest.raises(ReportError, match="cannot be written: Is a directory"):
        fb.report(wines, tmp_path)
    for force in (False, True):  # whether or not it is looked at first
        with pytest.raises(ReportError, match=r"cannot be written: File name too long$"):
            fb.report(wines, tmp_path / ("a" * 300), force=force)
    if os.geteuid() != 0:  # who may do anything
        (tmp_path / "closed").mkdir(mode=0)
        with pytest.raises(ReportError, match=r"cannot be written: Permission denied$"):
            fb.report(wines, tmp_path / "closed" / "report.html")


def test_one_history_gives_one_report(wines: History) -> None:
    assert fb.report(wines) == fb.report(wines)


def test_a_report_says_who_gains_and_what_needs_no_model() -> None:
    experiment = fb.Experiment(
        data=fb.Hospitals(hospitals=4, patients=800),
        partition=fb.Natural(),
        training=fb.LocalTraining(lr=0.1),
        rounds=4,
    )
    session = fb.Session(experiment)
    session.start()
    assert session.wait(60) == "done"
    levels = fb.baselines(experiment)
    assert levels is not None and levels.predictions is not None
    page = fb.report(session, baselines=levels)
    seen = Seen(page)
    gains = fb.who_gains(session.predictions(), levels.predictions)
    assert "Who gains?" in seen.words and str(gains) in seen.words
    verdicts = [word for word in seen.words if word in ("gains", "loses", "cannot tell")]
    assert sorted(verdicts) == sorted(gains.verdicts)
    figures = " ".join(seen.scripts)
    for name in ("pooled", "alone", "always", "chance"):
        assert name in figures
    assert "(always “" in page
    bare = fb.report(session.history)
    assert "Who gains?" not in Seen(bare).words and "(always “" in bare
    with pytest.raises(ReportError, match="baselines: 2 for 1 runs"):
        fb.report(session, baselines=[levels, levels])
    other = fb.baselines(experiment.replace(data=fb.Hospitals(hospitals=4, patients=400)))
    with pytest.raises(ReportError, match="different test rows"):
        fb.report(session, baselines=other)


def test_a_report_has_the_cautions_of_the_run() -> None:
    history = fb.run(fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=3), rounds=1))
    history.cautions.append("The model is getting <worse>.")
    history.unproven = "No better than chance."
    words = Seen(fb.report(history)).words
    assert "The model is getting <worse>." in words
    assert any("No better than chance." in each for each in words)
