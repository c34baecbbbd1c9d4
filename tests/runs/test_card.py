"""The privacy card says what was promised, by what, and what was not."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import fedbench as fb
from fedbench.rounding import rounded_up
from fedbench.runs.card import privacy_card


def card(experiment: fb.Experiment, epsilon: float = 1.5, noise: float = 2.0) -> dict[str, str]:
    found = privacy_card(experiment, epsilon=epsilon, rounds=3, noise_multiplier=noise)
    return dict(found.lines) | {"statement": found.statement, "rest": " ".join(found.not_covered)}


def test_a_client_level_card(private: fb.Experiment) -> None:
    lines = card(private)
    assert lines["statement"].startswith(
        "After 3 rounds the run is (1.5, 0.01)-differentially private for each client"
    )
    assert "SIMULATION ONLY" in lines["statement"]
    assert lines["Unit"] == "client (client-level ε)"
    assert lines["ε spent"] == "1.5 in 3 rounds"
    assert lines["Noise"] == "z = 2; drawn from a fixed seed, in floating point"
    assert lines["Clipping"] == "each update to Euclidean norm 1 (FlatClipping)"
    assert lines["Sampling"] == "clients by Poisson sampling at rate 0.5, by a public seed"
    assert lines["Budget"] == "none"
    assert "A server that adds no noise" in lines["rest"]


def test_what_is_split_and_what_adapts_is_said(private: fb.Experiment) -> None:
    privacy = fb.ClientLevelDP(
        epsilon=4, clipping=fb.AdaptiveClipping(share=0.25), evaluation_share=0.25
    )
    lines = card(private.replace(privacy=privacy), noise=1.0)
    assert (
        "split over one release: 1.415 on updates, 2 on clipping, 2 on evaluation" in lines["Noise"]
    )
    assert "the operating system" in lines["Noise"] and "SIMULATION" not in lines["statement"]
    assert lines["Clipping"].endswith("norm 1, at first (AdaptiveClipping)")
    assert lines["Budget"] == "ε ≤ 4; the run stops before"
    assert "accuracy measured under privacy is covered" in lines["rest"]


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"sampling": fb.Shuffled(size=2)}, "Sampling", "Shuffled; no amplification is claimed"),
        ({"sampling": fb.Shuffled(size=2)}, "Neighbours differ in that", "or nothing"),
        ({"sampling": fb.Shuffled(size=2)}, "Accounting", "one account per client"),
        ({"sampling": fb.Everyone()}, "Sampling", "every client in every round"),
        ({}, "Neighbours differ in that", "what they are, or nothing; the number of clients is"),
        ({"privacy": fb.ExampleLevelDP()}, "Neighbours differ in that", "client has is public"),
        (
            {"privacy": fb.ClientLevelDP()},
            "Stopping rule",
            "4 rounds; the budget, which depends on no data",
        ),
        ({"target": fb.Target()}, "Stopping rule", "accuracy 0.95, by exact scores of held-out"),
        ({"target": fb.Target()}, "rest", "When the run stops: target = accuracy looks at exact"),
        ({}, "rest", "before any noise: the mean and scale of features."),
        ({"data": fb.Digits()}, "rest", "only the model and this card are private"),
        ({"data": fb.Traffic()}, "rest", "the mean and scale of the target"),
        (
            {"partition": fb.Population(clients=1000, samples=20), "data": fb.Digits()},
            "rest",
            "a row is held by 13.9 clients on average",
        ),
        (
            {"data": fb.Traffic(), "privacy": fb.ExampleLevelDP(), "model": fb.Linear()},
            "rest",
            "one reading is part of up to 13 examples",
        ),
        ({"privacy": fb.ExampleLevelDP()}, "Mechanism", "each sum of clipped gradients (DP-SGD)"),
        ({"privacy": fb.ExampleLevelDP()}, "rest", "All examples of a person together"),
        ({"privacy": fb.LocalGaussian()}, "Mechanism", "Gaussian noise added by each client to it"),
        ({"privacy": fb.LocalLaplace()}, "Mechanism", "Laplace noise"),
        ({"privacy": fb.LocalLaplace()}, "Clipping", "sum of absolute values 1"),
        (
            {"privacy": fb.ExampleLevelDP(), "strategy": fb.Ditto(weighting="uniform")},
            "rest",
            "have no noise",
        ),
    ],
)
def test_other_promises(private: fb.Experiment, changes: dict, name: str, words: str) -> None:
    assert words in card(private.replace(**changes))[name]


def test_without_privacy_nothing_is_promised(private: fb.Experiment) -> None:
    history = fb.run(private.replace(privacy=fb.NoPrivacy(), rounds=1), progress=False)
    assert history.privacy_card().statement.startswith("No privacy is guaranteed")
    assert history.privacy_card().lines == ()


def test_the_card_goes_with_the_run(private: fb.Experiment, tmp_path: Path) -> None:
    session = fb.Session(private.replace(rounds=1))
    session.start()
    session.wait()
    fb.save(session, tmp_path / "run")
    text = (tmp_path / "run/privacy.md").read_text(encoding="utf-8")
    made = session.history.privacy_card()
    assert text == made.to_markdown() == made._repr_markdown_()
    assert f"| ε spent | {rounded_up(session.history.rows[-1].epsilon, 6)} in 1 round |" in text
    assert made.to_dict()["lines"]["δ"] == "0.01"


def test_an_amended_run_is_told_as_it_is_now(private: fb.Experiment) -> None:
    session = fb.Session(private.replace(**{"privacy.epsilon": 50.0}))
    session.step()
    session.wait()
    session.amend(rounds=2)
    session.resume()
    session.wait()
    lines = dict(session.history.privacy_card().lines)
    assert lines["ε spent"].endswith("in 2 rounds")
    assert lines["Changed while running"].startswith("from round 2 on rounds = 2")


def test_a_run_that_went_on_says_so(private: fb.Experiment, tmp_path: Path) -> None:
    session = fb.Session(private.replace(rounds=1))
    session.start()
    session.wait()
    fb.save(session, tmp_path)
    more = fb.resume(tmp_path, rounds=2, **{"privacy.noise_multiplier": 3.0})
    more.start()
    more.wait()
    made = more.history.privacy_card()
    assert dict(made.lines)["Noise"].startswith("z = 3;")
    changed = dict(made.lines)["Changed while running"]
    assert "from round 2 on privacy.noise_multiplier = 3.0" in changed
    assert any("Other runs resumed from the same files" in each for each in made.not_covered)


def test_every_branching_point_is_named(private: fb.Experiment, tmp_path: Path) -> None:
    session = fb.Session(private.replace(rounds=1))
    session.start()
    session.wait()
    for rounds in (2, 3):
        folder = tmp_path / str(rounds)
        fb.save(session, folder)
        session = fb.resume(folder, rounds=rounds)
        session.start()
        session.wait()
    rest = " ".join(session.history.privacy_card().not_covered)
    assert "resumed from the same files after round 1 and round 2" in rest


def test_what_a_table_learns_from_its_rows_is_on_the_card(private: fb.Experiment) -> None:
    frame = pd.DataFrame(
        {
            "age": [*range(39), None],
            "town": ["Ulm", "Bonn", "Kiel", "Jena"] * 10,
            "ill": ["yes", "no"] * 20,
        }
    )
    experiment = private.replace(data=fb.Table(frame, target="ill"), partition=fb.IID(clients=2))
    rest = card(experiment)["rest"]
    for words in ("the levels of each category", "the medians", "the classes"):
        assert words in rest
    said = " ".join(experiment.cautions())
    assert (
        "ε does not cover the mean and scale of features, the medians that fill missing numbers, "
        "the levels of each category, which columns have missing cells and the classes, computed "
        "from the training rows before any noise; one unusual row can show in the levels of each "
        "category, which columns have missing cells and the classes"
    ) in said
    whole = experiment.replace(data=fb.Table(frame.dropna(), target="ill"))
    assert "medians" not in card(whole)["rest"] + " ".join(whole.cautions())
    plain = experiment.replace(privacy=fb.NoPrivacy())
    assert "levels of each category" not in " ".join(plain.cautions())


class Clinics(fb.Wine):
    """A source of the user's own, whose preparation is the usual one."""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (fb.Wine(), "the mean and scale of features"),
        (Clinics(), "the mean and scale of features"),
        (fb.HeartDisease(), "the mean and scale of features"),
        (fb.Ratings(), "the mean and scale of the target"),
        (fb.Traffic(), "the mean and scale of features and the mean and scale of the target"),
        (
            fb.Arriving(data=fb.Traffic()),
            "the mean and scale of features and the mean and scale of the target",
        ),
        (
            fb.GEFCom2012(),
            "the mean and scale of features, the mean and scale of the target and the mean of each "
            "series",
        ),
        (fb.Digits(), ""),
        (fb.Reviews(), ""),
    ],
    ids=lambda each: each.kind() if isinstance(each, fb.Source) else "",
)
def test_what_is_computed_from_rows_is_said_before_a_run_as_on_the_card(
    private: fb.Experiment, data: fb.Source, words: str
) -> None:
    model = fb.MatrixFactorisation() if isinstance(data, fb.Ratings) else fb.Linear()
    model = fb.TextClassifier() if isinstance(data, fb.Reviews) else model
    experiment = private.replace(
        data=data, partition=fb.Natural() if data.natural else fb.IID(clients=4), model=model
    )
    said = [each for each in experiment.cautions() if "before any noise" in each]
    if words:
        assert said == [
            f"data = {data.kind()}: ε does not cover {words}, computed from the training rows "
            "before any noise"
        ]
    else:
        assert said == []
    rest = card(experiment)["rest"]
    assert all(each in rest for each in data.fitted)
    assert ("before any noise" in rest) == bool(words)
    plain = experiment.replace(privacy=fb.NoPrivacy())
    assert "before any noise" not in " ".join(plain.cautions())


def test_units_that_occur_several_times_are_cautioned(private: fb.Experiment) -> None:
    shared = private.replace(data=fb.Digits(), partition=fb.Population(clients=1000, samples=20))
    assert "held by 13.9 clients" in " ".join(shared.cautions())
    series = private.replace(data=fb.Traffic(), privacy=fb.ExampleLevelDP(), model=fb.Linear())
    assert "part of up to 13 examples" in " ".join(series.cautions())
    later = private.replace(data=fb.Arriving(data=fb.Traffic()), privacy=fb.ExampleLevelDP())
    assert "part of up to 13 examples" in " ".join(later.cautions())
    assert "part of up to" not in " ".join(series.replace(privacy=private.privacy).cautions())


def test_epsilon_is_never_rounded_down(private: fb.Experiment) -> None:
    for epsilon, words in ((2.27216, "(2.273,"), (8.0, "(8,"), (0.00012344, "(0.0001235,")):
        made = privacy_card(private, epsilon=epsilon, rounds=1, noise_multiplier=1.0)
        assert words in made.statement


class Pipes(fb.Poisson):
    """A name that Markdown would take as markup."""

    @classmethod
    def kind(cls) -> str:
        """Return a hostile name."""
        return "<b>|*"


def test_names_are_shown_as_they_are(private: fb.Experiment) -> None:
    experiment = private.replace(sampling=Pipes(rate=0.5), privacy=fb.LocalGaussian())
    text = privacy_card(experiment, epsilon=1.0, rounds=1, noise_multiplier=1.0).to_markdown()
    assert r"\<b\>\|\*; no amplification" in text
