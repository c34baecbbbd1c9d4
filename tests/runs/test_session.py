"""Sessions: states, determinism, budgets and failures."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from pydantic import Field
from torch import nn

import fedbench as fb
from fedbench.data import Card
from fedbench.metrics import RoundRecord
from fedbench.models import Model
from fedbench.privacy import accounting
from fedbench.runs import Cautioned, Event, SessionError, StateChanged
from fedbench.runs.script import RunFailed

SMALL = fb.Experiment(
    data=fb.Wine(),
    partition=fb.Dirichlet(clients=8, alpha=0.5),
    model=fb.MLP(hidden=(8,)),
    rounds=6,
)
PRIVATE = fb.Experiment(
    data=fb.Wine(),
    partition=fb.IID(clients=20),
    strategy=fb.FedAvg(weighting="uniform"),
    privacy=fb.ClientLevelDP(noise_multiplier=1.5, epsilon=4.0, delta=1e-2, noise_seed=3),
    rounds=50,
)


def facts(history: fb.History) -> tuple[object, ...]:
    rows = [(row.metrics, row.cohort.tolist(), row.epsilon) for row in history.rows]
    return rows, np.stack([row.clients for row in history.rows]).tobytes()


def test_the_same_seed_gives_the_same_history_to_the_bit() -> None:
    first = fb.run(SMALL)
    assert len(first) == 6
    assert facts(first) == facts(fb.run(SMALL))
    assert facts(first) != facts(fb.run(SMALL.replace(seed=1)))


def test_pauses_and_steps_change_nothing() -> None:
    session = fb.Session(SMALL)

    def pause_once(event: Event) -> None:
        if isinstance(event, RoundRecord) and event.round == 3:
            session.pause()

    session.subscribe(pause_once)
    session.step()
    assert session.wait(30) == "paused"
    assert len(session.history) == 1
    session.resume()
    assert session.wait(30) == "paused"
    assert len(session.history) == 3
    session.step()
    assert session.wait(30) == "paused"
    session.resume()
    assert asyncio.run(session.wait_async(30)) == "done"
    assert facts(session.history) == facts(fb.run(SMALL))
    assert session.history.ended == "all 6 rounds done"


def test_a_run_stops_before_the_round_that_would_pass_its_budget() -> None:
    with pytest.warns(UserWarning, match="noise is predictable"):
        history = fb.run(PRIVATE)
    spent = [row.epsilon for row in history.rows]
    curve = [accounting.epsilon(0.5, 1.5, n, 1e-2) for n in range(1, len(spent) + 2)]
    assert spent == pytest.approx(curve[:-1])
    assert spent[-1] <= 4.0 < curve[-1]
    assert history.ended.startswith("privacy budget")


def test_a_target_ends_the_run() -> None:
    history = fb.run(SMALL.replace(target=fb.Target(metric="accuracy", value=0.5), rounds=200))
    accuracy = history.frame()["accuracy"].to_numpy()
    assert accuracy[-1] >= 0.5
    assert (accuracy[:-1] < 0.5).all()
    assert history.ended.startswith("target reached: accuracy")


def test_divergence_fails_with_the_round_and_the_remedy_and_keeps_the_history() -> None:
    wild = SMALL.replace(**{"training.lr": 1e30})
    with pytest.raises(RunFailed, match=r"round \d+.*training\.lr") as caught:
        fb.run(wild)
    assert caught.value.history.ended.startswith("failed: round")
    session = fb.Session(wild)
    session.start()
    assert session.wait(30) == "failed"
    assert session.failure is not None
    assert "Traceback" in session.failure.detail


class Unaccountable(fb.ClientLevelDP):
    """A δ beyond what ε is defined for, which the class allows in so many words."""

    delta: Annotated[float, Field(lt=2)] = 1.5


class Mute(Exception):
    """An exception without a text."""

    def __str__(self) -> str:
        raise ValueError("no text")


class Failing(fb.LocalTraining):
    """Fails in the third round, beyond those that are tried."""

    def rate(self, round: int) -> float:
        if round == 3:
            raise Mute
        return 0.1


def test_a_run_fails_in_words_even_where_its_privacy_cannot_be_accounted_for() -> None:
    session = fb.Session(PRIVATE.replace(privacy=Unaccountable(noise_multiplier=1.0)))
    session.start()
    assert session.wait(30) == "failed"
    found = (
        r"^failed: delta = 1\.5 is not .*; what the round spent could not be recorded: delta = 1"
    )
    assert session.history.ended is not None and re.match(found, session.history.ended)


def test_a_run_fails_by_an_exception_that_cannot_be_printed() -> None:
    session = fb.Session(SMALL.replace(training=Failing()))
    session.start()
    assert session.wait(30) == "failed"
    assert session.failure is not None and "raised Mute (" in session.failure.message


@pytest.mark.parametrize("rate", [-0.1, float("nan"), None])
def test_a_rate_of_ones_own_is_checked_in_every_round(rate: Any) -> None:
    class Rated(fb.LocalTraining):
        """Goes wrong in the third round."""

        def rate(self, round: int) -> Any:
            return rate if round == 3 else 0.1

    told = rf"Rated\.rate\(\): returned {rate} for round 3; return a number of 0 or more"
    with pytest.raises(RunFailed, match=told) as caught:
        fb.run(SMALL.replace(training=Rated()))
    assert len(caught.value.history) == 2


def test_settings_may_change_in_the_middle_and_the_history_says_so() -> None:
    session = fb.Session(SMALL)
    session.step()
    session.wait(30)
    session.amend(rounds=3, **{"training.lr": 0.01})
    with pytest.raises(SessionError, match=r"partition\.alpha cannot change"):
        session.amend(**{"partition.alpha": 2.0})
    session.resume()
    assert session.wait(30) == "done"
    assert len(session.history) == 3
    (note,) = session.history.amendments
    assert (note.round, note.changes) == (2, {"rounds": 3, "training.lr": 0.01})


def test_commands_that_do_not_fit_the_state_are_refused() -> None:
    session = fb.Session(SMALL)
    for command in (session.pause, session.resume):
        with pytest.raises(SessionError, match="while idle"):
            command()
    session.start()
    session.wait(30)
    with pytest.raises(SessionError, match="while done"):
        session.start()
    old = session.history
    session.reset()
    assert session.state == "idle"
    assert len(old) == 6
    assert len(session.history) == 0


def test_the_table_has_a_row_a_round() -> None:
    history = fb.run(SMALL)
    frame = history.frame()
    assert list(frame["round"]) == [1, 2, 3, 4, 5, 6]
    assert {"accuracy", "loss", "epsilon", "bytes_up", "bytes_down", "seconds"} <= {*frame}
    weights = 13 * 8 + 8 + 8 * 3 + 3
    assert (frame["bytes_up"] == 8 * weights * 4).all()
    assert history.clients().shape == (8, 6)
    assert history.participation().to_numpy().all()


@pytest.mark.filterwarnings("ignore:a listener raised")
@pytest.mark.parametrize("kind", [RuntimeError, SystemExit])
def test_a_listener_that_raises_hears_no_more_and_the_run_goes_on(kind: type) -> None:
    session, heard = fb.Session(SMALL), []

    def breaks(event: Event) -> None:
        raise kind("not mine to bear")

    session.subscribe(breaks)
    session.subscribe(heard.append)
    session.start()
    assert session.wait(30) == "done"
    assert len(session.history) == 6
    (caution,) = [event for event in heard if isinstance(event, Cautioned)]
    assert "not mine to bear" in caution.text
    assert [event.round for event in heard if isinstance(event, RoundRecord)] == [1, 2, 3, 4, 5, 6]


def test_a_listener_may_give_any_command() -> None:
    session = fb.Session(SMALL)
    seen: list[str] = []

    def again(event: Event) -> None:
        if isinstance(event, StateChanged):
            seen.append(event.state)
            if event.state == "done" and seen.count("done") == 1:
                session.reset()
                session.start()

    session.subscribe(again)
    session.start()
    assert session.wait(30) == "done"
    assert seen == ["running", "done", "idle", "running", "done"]
    assert len(session.history) == 6


def test_listeners_are_told_without_the_lock() -> None:
    session, free = fb.Session(SMALL), []

    def probe(event: Event) -> None:
        def ask() -> None:
            free.append(session._changed.acquire(timeout=5))
            session._changed.release()

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    session.subscribe(probe)
    session.step()
    assert session.wait(30) == "paused"
    assert len(free) == 3 and all(free)


def test_an_amendment_is_recorded_at_the_round_that_goes_by_it() -> None:
    session = fb.Session(SMALL)

    def in_the_third_round(event: Event) -> None:
        if isinstance(event, RoundRecord) and event.round == 3:
            session.amend(rounds=5)

    session.subscribe(in_the_third_round)
    session.start()
    session.amend(**{"training.lr": 0.01})  # perhaps before the first round is prepared
    assert session.wait(30) == "done"
    early, late = session.history.amendments
    assert early.changes == {"training.lr": 0.01}
    assert (late.round, late.changes) == (4, {"rounds": 5})
    assert len(session.history) == 5
    assert session.history.experiment == SMALL
    with pytest.raises(SessionError, match=r"cannot amend while done.*reset first"):
        session.amend(rounds=9)


def test_what_is_amended_before_the_start_is_the_experiment() -> None:
    session = fb.Session(SMALL)
    session.amend(rounds=2)
    session.start()
    assert session.wait(30) == "done"
    assert session.history.amendments == []
    assert session.history.experiment.rounds == len(session.history) == 2


def test_stepping_through_the_last_round_ends_the_run() -> None:
    session = fb.Session(SMALL.replace(rounds=2))
    session.step()
    assert session.wait(30) == "paused"
    session.step()
    assert session.wait(30) == "done"


def test_runs_at_once_replay_and_leave_the_users_random_numbers_alone() -> None:
    for engine in (fb.LoopEngine(), fb.StackedEngine()):
        experiment = SMALL.replace(engine=engine)
        alone = facts(fb.run(experiment))
        sessions = [fb.Session(experiment) for _ in range(3)]
        for session in sessions:
            session.start()
        for session in sessions:
            assert session.wait(60) == "done"
            assert facts(session.history) == alone
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fb.run(SMALL)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.process
def test_a_script_that_leaves_in_the_middle_of_a_run_ends_well() -> None:
    script = (
        "import fedbench as fb\n"
        "session = fb.Session(fb.Experiment(rounds=100_000))\n"
        "session.start()\n"
        "while not session.history: session.wait(0.01)\n"
    )
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.process
def test_a_script_waits_for_a_thread_that_still_frees_its_session() -> None:
    # The thread has the session a little longer than the script, which ends while it is freed.
    script = (
        "import time\n"
        "import fedbench as fb\n"
        "class Slow:\n"
        "    def __del__(self, sleep=time.sleep):\n"
        "        sleep(1.5)\n"
        "        print('freed', flush=True)\n"
        "deliver = fb.Session._deliver\n"
        "fb.Session._deliver = lambda session: (deliver(session), time.sleep(0.5))\n"
        "session = fb.Session(fb.Experiment(rounds=1))\n"
        "session.slow = Slow()\n"
        "session.start()\n"
        "session.wait()\n"
        "del session\n"
        "time.sleep(1)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "freed\n", "")


def test_cautions_are_the_callers_own_warnings() -> None:
    with pytest.warns(UserWarning, match="predictable") as caught:
        fb.run(PRIVATE.replace(rounds=1))
    assert caught[0].filename == __file__


def test_cohorts_of_a_private_run_are_secret_unless_its_noise_is_fixed() -> None:
    hidden = PRIVATE.replace(**{"privacy.noise_seed": None, "rounds": 6})
    cohorts = [[row.cohort.tolist() for row in fb.run(hidden).rows] for _ in range(2)]
    assert cohorts[0] != cohorts[1]


def test_only_an_experiment_makes_a_session() -> None:
    with pytest.raises(TypeError, match="experiment = 'x' is not an Experiment"):
        fb.Session("x")  # pyright: ignore[reportArgumentType]


class Dropping(Model):
    """A module that draws random numbers while it trains."""

    def build(self, card: Card) -> nn.Module:
        """Return the layers."""
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, 32), nn.Dropout(0.5), nn.Linear(32, card.outputs)
        )


def test_runs_side_by_side_do_not_disturb_each_other() -> None:
    experiments = [
        fb.Experiment(
            partition=fb.IID(clients=6),
            model=model,
            rounds=3,
            seed=seed,
            engine=fb.StackedEngine(workers=0),
        )
        for seed in range(3)
        for model in (Dropping(), fb.CNN(channels=(4,), hidden=8))
    ]

    def losses(session: fb.Session) -> list[float]:
        assert session.wait(120) == "done"
        return [row.metrics["loss"] for row in session.history.rows]

    alone = []
    for experiment in experiments:
        session = fb.Session(experiment)
        session.start()
        alone.append(losses(session))
    together = [fb.Session(experiment) for experiment in experiments]
    for session in together:
        session.start()
    assert [losses(session) for session in together] == alone


def test_a_cohort_too_small_for_its_rule_changes_nothing() -> None:
    experiment = fb.Experiment(
        partition=fb.IID(clients=12),
        aggregator=fb.Krum(byzantine=1),
        sampling=fb.Poisson(rate=0.45),
        rounds=12,
    )
    assert any("needs 5 clients, and a round has fewer" in text for text in experiment.cautions())
    session = fb.Session(experiment)
    session.start()
    assert session.wait(60) == "done"
    rows = session.history.rows
    small = [k for k, row in enumerate(rows) if k and len(row.cohort) < 5]
    assert small and any(len(row.cohort) >= 5 for row in rows)
    for k in small:
        assert rows[k].metrics == rows[k - 1].metrics
