"""The workbench without a page: commands, edits in the middle of a run, and its end."""

from __future__ import annotations

import gc
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

import fedbench as fb
from fedbench.runs import SessionError
from fedbench.scenarios import SCENARIOS
from fedbench_widgets import Workbench
from fedbench_widgets.picture import MOST_POINTS, Series
from fedbench_widgets.preview import crowd_hint, epsilon_plan, privacy_hint

WINES = fb.Experiment(data=fb.Wine(), partition=fb.Dirichlet(clients=6, alpha=1.0), rounds=5)
PRIVATE = WINES.replace(
    strategy=fb.FedAvg(weighting="uniform"),
    sampling=fb.Poisson(rate=0.5),
    privacy=fb.ClientLevelDP(epsilon=3, delta=1e-2, noise_seed=1),
)


@pytest.fixture
def workbench() -> Iterator[Workbench]:
    made = Workbench(WINES)
    yield made
    made.close()


def until(condition: Callable[[], object]) -> None:
    """Wait for what the publisher's thread is to show."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def send(workbench: Workbench, **content: object) -> None:
    workbench._heard(None, content, None)


def log(workbench: Workbench) -> list[tuple[str, str]]:
    return [(line["level"], line["text"]) for line in workbench._log]


@pytest.mark.parametrize("name", [scenario.name for scenario in SCENARIOS])
def test_the_name_of_a_scenario_is_refused_with_the_call_that_takes_it(name: str) -> None:
    with pytest.raises(TypeError) as caught:
        Workbench(name)  # pyright: ignore[reportArgumentType]
    assert str(caught.value) == (
        f"experiment = {name!r}: a workbench takes an Experiment or a Scenario; write "
        f"`from fedbench.scenarios import {name}` and `Workbench({name})`"
    )
    taken: dict[str, Any] = {}
    exec(f"from fedbench.scenarios import {name}", taken)
    made = Workbench(taken[name])
    assert made.experiment == taken[name]()
    made.close()


def test_what_is_no_experiment_is_refused() -> None:
    for wrong in ("medcal", {"rounds": 3}):
        with pytest.raises(TypeError, match=r"takes an Experiment or a Scenario$"):
            Workbench(wrong)  # pyright: ignore[reportArgumentType]


def test_a_run_becomes_a_point_and_its_numbers_are_the_historys(workbench: Workbench) -> None:
    workbench.start()
    assert workbench.wait(60) == "done"
    panel, frame = workbench.panel, workbench.history.frame()
    until(lambda: workbench.toolbar.status["state"] == "done")
    names = panel.snapshot["columns"]
    numbers = np.frombuffer(panel.series, dtype="<f4").reshape(-1, len(names))
    assert panel.snapshot["points"] == len(numbers) == 5
    columns = dict(zip(names, numbers.T, strict=True))
    np.testing.assert_allclose(columns["metric"], frame["accuracy"], rtol=1e-6)
    np.testing.assert_allclose(columns["clients_p10"], frame["clients_p10"], rtol=1e-6)
    np.testing.assert_allclose(columns["bytes_up"], frame["bytes_up"].cumsum())
    assert np.isnan(columns["epsilon"]).all()
    (point,) = panel.frontier
    assert (point["value"], point["epsilon"]) == (frame["accuracy"].iloc[-1], None)


def test_a_second_start_runs_what_the_form_now_holds(workbench: Workbench) -> None:
    for experiment in (WINES, PRIVATE):
        workbench.experiment = experiment
        send(workbench, command="start")
        assert workbench.wait(60) == "done"
    assert [run.experiment for run in workbench.runs] == [WINES, PRIVATE]
    until(lambda: [point["current"] for point in workbench.panel.frontier] == [False, False])
    assert [point["epsilon"] for point in workbench.panel.frontier] == [
        None,
        pytest.approx(3, rel=1e-3),
    ]
    send(workbench, load=1)
    assert workbench.experiment == WINES


def test_a_click_that_comes_too_late_is_a_line_in_the_log(workbench: Workbench) -> None:
    for command in ("pause", "resume"):
        send(workbench, command=command)
        level, text = log(workbench)[-1]
        assert (level, text.partition(";")[0]) == ("warning", f"cannot {command} while idle")
    workbench.experiment = WINES.replace(rounds=100_000)
    send(workbench, command="start")
    send(workbench, command="start")
    assert ("warning", "cannot start while running; possible when idle") in log(workbench)
    send(workbench, command="stop")
    assert workbench.wait(60) == "done"


def test_nothing_starts_while_the_form_is_wrong(workbench: Workbench) -> None:
    workbench.form._fields["rounds"].write(0)
    workbench.form._edited()
    assert workbench.experiment is None
    with pytest.raises(SessionError, match="Run › Rounds: must be at least 1"):
        workbench.start()
    until(lambda: workbench.toolbar.status["can_start"] is False)


def test_live_fields_fork_the_run_and_others_wait_for_the_reset(workbench: Workbench) -> None:
    send(workbench, command="step")
    assert workbench.wait(60) == "paused"
    workbench.experiment = WINES.replace(rounds=3, **{"training.lr": 0.02, "partition.alpha": 0.2})
    assert workbench.session.experiment == WINES.replace(rounds=3, **{"training.lr": 0.02})
    assert workbench._pending() == ["partition.alpha"]
    (note,) = workbench.history.amendments
    assert (note.round, note.changes) == (2, {"rounds": 3, "training.lr": 0.02})
    send(workbench, command="reset")
    assert workbench.session.experiment == workbench.experiment
    assert workbench._pending() == []


def test_a_failure_is_shown_with_its_reason_and_keeps_the_form(workbench: Workbench) -> None:
    wild = WINES.replace(**{"training.lr": 1e38})
    workbench.experiment = wild
    workbench.start()
    assert workbench.wait(60) == "failed"
    until(lambda: workbench.toolbar.status["state"] == "failed")
    error = workbench.toolbar.status["error"]
    assert "training.lr" in error["message"]
    assert "Traceback" in error["detail"]
    assert ("error", error["message"]) in log(workbench)
    assert workbench.experiment == wild
    assert workbench.panel.frontier == []


def test_a_run_that_goes_on_is_not_changed_by_looking_at_another(workbench: Workbench) -> None:
    workbench.start()
    assert workbench.wait(60) == "done"
    workbench.experiment = WINES.replace(rounds=100_000)
    workbench.start()
    send(workbench, load=1)
    assert ("warning", "cannot load a run while another is active; stop or reset it first") in log(
        workbench
    )
    send(workbench, command="stop")
    assert workbench.wait(60) == "done"
    assert workbench.history.amendments == []


class Gaps(fb.Wine):
    """Wines of which one was not measured."""

    def table(self):
        raw = super().table()
        raw.x[3, 1] = np.nan
        return raw


def test_data_that_cannot_be_dealt_out_are_a_reason_and_not_the_end(workbench: Workbench) -> None:
    workbench.experiment = WINES.replace(data=Gaps())
    until(lambda: not workbench.toolbar.status["can_start"])
    assert "'malic acid' is nan in raw row 3" in workbench.toolbar.status["why_not"]
    with pytest.raises(SessionError, match="malic acid"):
        workbench.start()
    workbench.experiment = WINES
    until(lambda: workbench.toolbar.status["can_start"])
    workbench.start()
    assert workbench.wait(60) == "done"


def test_the_map_never_shows_data_that_were_left_behind(workbench: Workbench) -> None:
    until(lambda: workbench.form.map.clients == 6)
    workbench.form.put(data=fb.Table())  # no file is chosen yet
    until(lambda: workbench.form.map.clients == 0)
    assert workbench.form.map.off == "No data to show."
    workbench.experiment = WINES.replace(rounds=7)
    until(lambda: workbench.form.map.clients == 6)
    workbench.form._fields["rounds"].assign(0)  # which is no matter of the data
    assert workbench.experiment is None
    version = workbench.panel.snapshot["version"]
    workbench._publisher.touch()
    until(lambda: workbench.panel.snapshot["version"] > version)
    assert workbench.form.map.clients == 6


def test_names_from_data_reach_the_page_as_they_are(workbench: Workbench) -> None:
    until(lambda: workbench.form.map.version)
    assert workbench.form.map.classes == ["grower 1", "grower 2", "grower 3"]
    counts = np.frombuffer(workbench.form.map.counts, dtype="<u4").reshape(6, 3)
    np.testing.assert_array_equal(counts, WINES.federation().counts())


def test_closing_stops_the_run_and_the_thread() -> None:
    made = Workbench(WINES.replace(rounds=100_000))
    made.start()
    publisher, session = made._publisher._thread, made.session
    made.close()
    assert session.wait(60) == "done"
    publisher.join(10)
    assert not publisher.is_alive()
    assert made.toolbar.status["closed"]


def test_a_closed_workbench_leaves_no_widget_behind() -> None:
    before = set(_instances)
    made = Workbench(WINES)
    made.experiment = PRIVATE  # the fields of what was chosen before are hidden, not gone
    thread, gone = made._publisher._thread, weakref.ref(made)
    made.close()
    del made
    thread.join(10)
    gc.collect()
    assert gone() is None
    assert set(_instances) == before
    assert thread not in threading.enumerate()


def test_a_long_history_is_thinned_and_keeps_its_last_round(train) -> None:
    _, rows = train(WINES, 3)
    history = fb.History(WINES)
    series = Series(history)
    for number in range(3 * MOST_POINTS):
        history.append(type(rows[0])(**{**vars(rows[number % 3]), "round": number + 1}))
    found = series.points()
    assert MOST_POINTS // 2 <= len(found) <= MOST_POINTS + 1
    assert found[0, 0] == 1
    assert found[-1, 0] == 3 * MOST_POINTS


def test_the_plan_ends_at_the_budget() -> None:
    rounds, spent = epsilon_plan(PRIVATE, None) or ((), ())
    assert rounds == (1, 2, 3, 4, 5)
    assert list(spent) == sorted(spent)
    assert spent[-1] == pytest.approx(3, rel=1e-3)
    assert epsilon_plan(WINES, None) is None
    other, dearer = epsilon_plan(PRIVATE, 0.5) or ((), ())
    assert other == rounds
    assert dearer[-1] > spent[-1]


@pytest.mark.parametrize(
    ("privacy", "sentence"),
    [
        (fb.NoPrivacy(), "No privacy is guaranteed"),
        (
            fb.ClientLevelDP(epsilon=3, delta=1e-2),
            r"^Noise z = [\d.]+: client-level ε reaches 3 at round 5\. Simulated\.$",
        ),
        (
            fb.ExampleLevelDP(epsilon=3, delta=1e-2),
            r"^Noise z = [\d.]+: example-level ε reaches 3 at round 5\. Simulated\.$",
        ),
        (
            fb.ClientLevelDP(noise_multiplier=0.5, epsilon=1, delta=1e-2),
            r"would spend client-level ε [\d.]+ in 5 rounds; the run stops before it passes 1\.",
        ),
        (fb.ClientLevelDP(epsilon=3, delta=1e-2, noise_seed=1), "Simulation only"),
        (fb.ClientLevelDP(epsilon=1e-8, delta=1e-9), "out of reach"),
    ],
)
def test_the_hint_answers_both_ways(privacy, sentence: str) -> None:
    experiment = PRIVATE.replace(privacy=privacy)
    assert re.search(sentence, privacy_hint(experiment))


def test_four_hospitals_are_told_how_many_would_be_needed() -> None:
    few = PRIVATE.replace(**{"partition.clients": 4, "sampling.rate": 1.0})
    found = re.search(
        r"4 clients are too few .* About ([\d,]+) clients are needed", crowd_hint(few)
    )
    assert found
    needed = int(found[1].replace(",", ""))
    module = few.model.template(few.federation().card)
    size = sum(each.numel() for each in module.parameters())
    known = {"epsilon": 3.0, "delta": 1e-2, "rounds": 5, "rate": 1.0}
    assert fb.plan(**known, clients=needed).signal_to_noise(size) >= 1
    assert fb.plan(**known, clients=needed - 1).signal_to_noise(size) < 1
    assert crowd_hint(few.replace(privacy=fb.ExampleLevelDP(epsilon=3, delta=1e-2))) == ""
    assert crowd_hint(few.replace(**{"privacy.epsilon": 200.0})) == ""


@pytest.mark.parametrize(
    ("privacy", "sentence"),
    [
        (fb.NoPrivacy(), "No privacy is guaranteed"),
        (
            fb.ClientLevelDP(epsilon=3, delta=1e-2),
            r"^Noise z ≈ ([\d.]+): client-level ε reaches 3 at",
        ),
        (fb.LocalLaplace(epsilon=3, delta=1e-2), r"^Noise z ≈ ([\d.]+): local ε reaches 3 at"),
        (
            fb.ExampleLevelDP(noise_multiplier=2, delta=1e-2),
            r"^Noise z = 2: example-level ε reaches ≈ ([\d.]+) at round 5",
        ),
    ],
)
def test_a_rough_hint_is_close_and_says_so(privacy, sentence: str) -> None:
    experiment = PRIVATE.replace(privacy=privacy)
    found = re.search(sentence, privacy_hint(experiment, rough=True))
    assert found
    if not found.groups():
        return
    bound = experiment.bound_privacy()
    exact = bound.solved() if privacy.epsilon else bound.spent(*experiment.releases(5))
    assert float(found[1]) == pytest.approx(exact, rel=0.1)


def test_an_edit_in_a_drag_is_hinted_roughly_and_the_last_one_exactly(workbench: Workbench) -> None:
    workbench.experiment = PRIVATE
    until(lambda: "client-level ε reaches 3 at" in workbench.form.hint.value)
    assert "≈" not in workbench.form.hint.value
    workbench._publisher.close()
    workbench._publisher._thread.join()
    # where the exact noise takes long, and more edits wait, there is time for a rough sentence
    workbench._hint_took = 1.0
    workbench._publisher._dirty.set()
    other = PRIVATE.replace(**{"privacy.epsilon": 2.5})
    workbench._hint(other)
    assert workbench.form.hint.value.startswith("Noise z ≈ ")
    assert workbench._hinted != (other, 0)
    # and then for the exact one
    workbench._publisher._dirty.clear()
    workbench._hint(other)
    assert workbench.form.hint.value == privacy_hint(other) + crowd_hint(other)
    assert workbench._hinted == (other, 0)
