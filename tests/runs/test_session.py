"""Sessions: states, determinism, budgets and failures."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

import fedbench as fb
from fedbench.channel.privacy import accounting
from fedbench.runs import Event, RoundDone, SessionError
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
        if isinstance(event, RoundDone) and event.round == 3:
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
