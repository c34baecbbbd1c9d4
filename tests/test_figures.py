"""Figures from plain tables: what is drawn, and that names from data stay text."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import fedbench as fb
from fedbench.figures import comparison_figure, frontier_figure, history_figure
from fedbench.figures.theme import plain
from fedbench.scenarios import digits

EVIL = "<b>bold</b> & <a href='javascript:x'>$\\alpha$</a>"


def table(
    rounds: int = 3, private: bool = True, metric: str = "accuracy", unit: str = "client"
) -> pd.DataFrame:
    ramp = np.linspace(0.2, 0.8, rounds)
    return pd.DataFrame(
        {
            "round": np.arange(1, rounds + 1),
            metric: ramp,
            "loss": 1 - ramp,
            "train_loss": 0.9 - ramp,
            "personal": math.nan,
            "epsilon": ramp * 4 if private and unit == "client" else math.nan,
            "example_epsilon": ramp * 4 if private and unit == "example" else math.nan,
            "clients_p10": ramp - 0.1,
            "clients_p90": ramp + 0.1,
        }
    )


def drawn(figure) -> dict[str, list[float]]:
    return {trace.name: list(trace.y) for trace in figure.data}


def words(figure) -> str:
    return " ".join(note.text for note in figure.layout.annotations)


def test_levels_are_dashed_lines_with_their_names_as_text() -> None:
    figure = history_figure(table(), "accuracy", levels={"pooled": 0.75, EVIL: 0.5})
    lines = [(shape.y0, shape.y1, shape.line.dash) for shape in figure.layout.shapes]
    assert lines == [(0.5, 0.5, "dash"), (0.75, 0.75, "dash")]
    assert "pooled 75.0%" in words(figure)
    assert "<b>bold" not in words(figure).replace("<b>80.0%</b>", "")


def test_a_private_history_has_three_panels_and_draws_what_the_table_holds() -> None:
    frame = table()
    lines = drawn(history_figure(frame, "accuracy", "a run"))
    assert lines == {
        "clients, 90th percentile": list(frame["clients_p90"]),
        "clients, 10th percentile": list(frame["clients_p10"]),
        "accuracy": list(frame["accuracy"]),
        "test": list(frame["loss"]),
        "train": list(frame["train_loss"]),
        "client-level ε": list(frame["epsilon"]),
    }


@pytest.mark.parametrize(
    ("unit", "name", "other"),
    [("client", "epsilon", "example"), ("example", "example_epsilon", "client")],
)
def test_the_privacy_panel_names_the_unit_that_is_protected(unit, name, other) -> None:
    frame = table(unit=unit)
    figure = history_figure(frame, "accuracy")
    assert drawn(figure)[f"{unit}-level ε"] == list(frame[name])
    assert f"{unit}-level ε" in words(figure)
    assert f"{other}-level" not in str(figure.to_dict())


def test_models_of_ones_own_are_a_line_of_their_own_and_the_band_is_theirs() -> None:
    frame = table()
    assert "personal models" not in str(history_figure(frame, "accuracy").to_dict())
    frame["personal"] = frame["accuracy"] + 0.1
    figure = history_figure(frame, "accuracy")
    (own,) = [trace for trace in figure.data if trace.name == "personal models"]
    assert list(own.y) == list(frame["personal"])
    dashes = [trace.line.dash for trace in figure.data if trace.xaxis == "x"]
    assert dashes == [None, None, "solid", "dash"]
    text = words(figure)
    assert "band: personal models, 10th to 90th percentile" in text
    shifts = {note.text: note.yshift for note in figure.layout.annotations}
    assert shifts["<b>own 90.0%</b>"] > 0 > shifts["<b>global 80.0%</b>"]


def test_the_band_is_filled_between_the_percentiles() -> None:
    high, low, *_ = history_figure(table(), "accuracy").data
    assert (high.name, low.name) == ("clients, 90th percentile", "clients, 10th percentile")
    assert (high.fill, low.fill) == ("none", "tonexty")


def test_there_is_no_privacy_panel_without_privacy() -> None:
    figure = history_figure(table(private=False), "accuracy")
    assert not any("ε" in name for name in drawn(figure))
    assert "Privacy" not in words(figure)
    assert "xaxis3" not in figure.layout.to_plotly_json()


def test_lines_are_labelled_at_their_ends() -> None:
    text = words(history_figure(table(), "accuracy"))
    for label in ("80.0%", "test 0.20", "train 0.10", "ε 3.2"):
        assert f"<b>{label}</b>" in text


def test_labels_of_the_losses_part_from_each_other() -> None:
    frame = table()
    shifts = {
        note.text: note.yshift
        for note in history_figure(frame, "accuracy").layout.annotations
        if note.text.startswith(("<b>test", "<b>train"))
    }
    assert shifts["<b>test 0.20</b>"] > 0 > shifts["<b>train 0.10</b>"]


@pytest.mark.parametrize("rounds", [0, 1])
def test_short_histories_can_be_drawn(rounds: int) -> None:
    figure = history_figure(table(rounds), "accuracy")
    assert len(drawn(figure)["accuracy"]) == rounds
    # a single round must be seen as a point: a line of one point has no length
    assert {trace.mode for trace in figure.data} == {"markers"}


def test_an_empty_last_cohort_leaves_out_the_training_label() -> None:
    frame = table()
    frame.loc[2, "train_loss"] = math.nan
    assert "train" not in words(history_figure(frame, "accuracy")).split("<b>test")[1]


def test_regression_is_not_in_per_cent() -> None:
    figure = history_figure(table(metric="rmse"), "rmse")
    assert "<b>0.8</b>" in words(figure)
    assert "RMSE" in words(figure)
    assert figure.layout.yaxis.tickformat is None


def test_hover_is_shared_by_the_lines_of_a_panel() -> None:
    assert history_figure(table(), "accuracy").layout.hovermode == "x unified"


def test_names_are_shown_as_they_are() -> None:
    assert plain(EVIL) == (
        "&lt;b&gt;bold&lt;/b&gt; &amp; &lt;a href='javascript:x'&gt;&#36;\\alpha&#36;&lt;/a&gt;"
    )
    figure = history_figure(table(metric=EVIL), EVIL, EVIL)
    frontier = frontier_figure(
        pd.DataFrame({"epsilon": [1.0, math.nan], "value": [0.5, 0.9], "label": [EVIL, EVIL]}),
        EVIL,
        EVIL,
    )
    for each in (figure, frontier):
        assert each.layout.title.text == plain(EVIL)
        assert EVIL not in str(each.to_dict())
    assert frontier.data[0].text == (plain(EVIL),)


def test_a_history_draws_itself() -> None:
    history = fb.run(digits().replace(rounds=2))
    figure = history.figure()
    assert drawn(figure)["accuracy"] == list(history.frame()["accuracy"])
    assert figure.layout.title.text == history.experiment.describe()


def test_a_frontier_is_in_order_of_budget_and_unprivate_runs_are_levels() -> None:
    figure = frontier_figure(
        pd.DataFrame(
            {
                "epsilon": [8.0, 1.0, math.nan],
                "value": [0.9, 0.6, 0.95],
                "label": ["ε 8", "ε 1", "no privacy"],
            }
        )
    )
    (line,) = figure.data
    assert (list(line.x), list(line.y), list(line.text)) == ([1, 8], [0.6, 0.9], ["ε 1", "ε 8"])
    (level,) = figure.layout.shapes
    assert (level.y0, level.y1) == (0.95, 0.95)
    assert [note.text for note in figure.layout.annotations] == ["no privacy 95.0%"]
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.xaxis.title.text == "client-level ε"
    assert line.hovertemplate.startswith("client-level ε %{x")


def test_units_of_privacy_share_neither_a_curve_nor_an_axis() -> None:
    nan = math.nan
    frame = pd.DataFrame(
        {
            "epsilon": [8.0, nan, 1.0, nan, nan],
            "example_epsilon": [nan, 5.0, nan, 2.0, nan],
            "value": [0.9, 0.8, 0.6, 0.7, 0.95],
            "label": ["a", "b", "c", "d", "no privacy"],
        }
    )
    figure = frontier_figure(frame)
    clients, examples = figure.data
    assert (list(clients.x), list(clients.y), clients.xaxis) == ([1, 8], [0.6, 0.9], "x")
    assert (list(examples.x), list(examples.y), examples.xaxis) == ([2, 5], [0.7, 0.8], "x2")
    axes = figure.layout.xaxis, figure.layout.xaxis2
    assert [axis.title.text for axis in axes] == ["client-level ε", "example-level ε"]
    assert [level.xref for level in figure.layout.shapes] == ["x domain", "x2 domain"]
    (alone,) = frontier_figure(frame[frame["epsilon"].isna()].drop(columns="epsilon")).data
    assert (list(alone.x), alone.hovertemplate[:15]) == ([2, 5], "example-level ε")


def test_an_empty_frontier_can_be_drawn() -> None:
    for name in ("epsilon", "example_epsilon"):
        empty = pd.DataFrame({name: [], "value": [], "label": []}, dtype=float)
        assert sum(len(line.x) for line in frontier_figure(empty).data) == 0


def test_figures_stand_on_the_lowest_floor() -> None:
    code = (
        "import sys, fedbench.figures; "
        "print(*sorted(n for n in sys.modules if n.startswith(('fedbench', 'torch'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    inner = ("fedbench.figures.", "fedbench.metrics.")
    loaded = [name for name in done.stdout.split() if not name.startswith(inner)]
    assert loaded == ["fedbench", "fedbench.figures", "fedbench.metrics", "fedbench.rounding"]


def test_the_axis_of_the_metric_is_fitted_to_what_is_drawn() -> None:
    small = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=3)
    frame = fb.run(small).frame()
    low, high = fb.History(small).figure().layout.yaxis.range or (None, None)
    assert low is None and high is None  # before the first round there is nothing to fit
    figure = history_figure(frame, "accuracy", levels={"always “no”": 0.05})
    low, high = figure.layout.yaxis.range
    drawn = frame[["accuracy", "clients_p10", "clients_p90"]].to_numpy()
    assert 0 <= low < 0.05 and drawn.max() <= high <= 1.02
    several = comparison_figure([("a", frame)], "accuracy")
    low, high = several.layout.yaxis.range
    assert 0 < frame["accuracy"].min() - low < 0.1 and high > frame["accuracy"].max()
    assert figure.layout.yaxis2.rangemode == "tozero"  # a loss of 0 means something
