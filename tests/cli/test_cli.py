"""The command line, as a person at a terminal meets it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import fedbench as fb
from fedbench.cli import application as app
from fedbench.cli.lab import workbench_notebook
from fedbench.config.overrides import OverrideError, override, several
from fedbench.config.template import template
from fedbench.data.files import VARIABLE
from fedbench.privacy import accounting
from fedbench.runs import store
from fedbench.scenarios import SCENARIOS, digits, medical

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
SMALL = """
rounds = 2
[data]
kind = "Wine"
[partition]
kind = "IID"
clients = 4
"""

STRATEGIES = '''
"""Strategies of a user's own, one of which presses Ctrl-C in round 3."""
import os, signal
from fedbench.strategies import FedAvg, Strategy

class Interrupting(Strategy):
    def update(self, params, payload, server, info):
        if info.round == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return super().update(params, payload, server, info)
'''


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def in_a_process(*words: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "widgets")])
    return subprocess.run(
        [sys.executable, "-m", "fedbench", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        # a background job of a plain shell is started with Ctrl-C ignored, and so are its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def write(text: str, name: str = "e.toml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def saved(folder: str) -> fb.Experiment:
    return store.load(folder).experiment


def test_version() -> None:
    assert call("--version").stdout == f"fedbench {fb.__version__}\n"


def test_new_writes_an_experiment_that_run_accepts_unchanged() -> None:
    assert call("new").exit_code == 0
    done = call("run", "experiment.toml", "--out", "o")
    assert done.exit_code == 0, done.output
    assert saved("o") == digits()
    assert "rounds    30 (all 30 rounds done)" in done.stdout
    assert re.search(r"  accuracy  0\.\d{4} \(always “.*” 0\.\d{4}", done.stdout)
    assert "at δ = 0.001, for whole clients (noise z = " in done.stdout


def test_new_never_overwrites_unless_forced() -> None:
    write("mine", "experiment.toml")
    refused = call("new")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "experiment.toml already exists" in refused.stderr
    assert Path("experiment.toml").read_text() == "mine"
    assert call("new", "--force").exit_code == 0
    assert fb.Experiment.from_toml(Path("experiment.toml").read_text()).rounds == 30


def test_new_starts_from_a_scenario_and_its_real_set() -> None:
    assert call("new", "a.toml", "--scenario", "medical").exit_code == 0
    assert call("new", "b.toml", "--scenario", "medical", "--real").exit_code == 0
    made, real = (fb.Experiment.from_toml(Path(name).read_text()) for name in ("a.toml", "b.toml"))
    assert (made, real) == (medical(), medical(real=True))


def test_scenarios_are_listed_and_told() -> None:
    lines = call("scenarios").stdout.splitlines()
    assert lines[0].split() == ["name", "title", "data", "real", "set"]
    assert [line.split()[0] for line in lines[1 : 1 + len(SCENARIOS)]] == [
        scenario.name for scenario in SCENARIOS
    ]
    told = " ".join(call("scenarios", "medical").stdout.split())
    for text in (medical.title, medical.story, *medical.questions):
        assert text in told
    refused = call("scenarios", "medcal")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == "no scenario is called 'medcal'; did you mean 'medical'?\n"


def test_a_scenario_says_whether_its_real_set_is_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    line = next(each for each in call("scenarios").stdout.splitlines() if "medical" in each)
    assert line.endswith("HeartDisease (needs a download)")
    assert "fedbench.HeartDisease().load() downloads it (40 kB)" in " ".join(
        call("scenarios", "medical").stdout.split()
    )
    for file in medical(real=True).data.files:
        place = tmp_path / "cache" / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    line = next(each for each in call("scenarios").stdout.splitlines() if "medical" in each)
    assert line.endswith(" HeartDisease")


def test_app_refuses_a_port_that_is_taken_and_a_file_that_is_wrong() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = call("app", "--no-browser", "--port", str(port))
    assert refused.exit_code == 1
    assert f"port {port} is not available: Address already in use" in refused.stderr
    refused = call("app", write(SMALL.replace("4", "0")), "--no-browser")
    assert refused.exit_code == 2
    assert "partition.clients" in refused.stderr
    assert "light" in call("app", "--theme", "grey").stderr


@pytest.mark.parametrize("command", ["app", "lab"])
@pytest.mark.parametrize("port", ["-5", "65536"])
def test_a_port_that_cannot_be_is_refused_in_words(command: str, port: str, tmp_path: Path) -> None:
    fake_jupyterlab(tmp_path)
    refused = in_a_process(command, "--no-browser", f"--port={port}")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Invalid value for '--port'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_new_names_the_nearest_scenario_and_an_impossible_place() -> None:
    assert "did you mean 'digits'?" in call("new", "--scenario", "digit").stderr
    assert call("new", "absent/e.toml").stderr.startswith(
        "absent/e.toml cannot be written: No such"
    )


@pytest.mark.parametrize(
    "experiment",
    [
        digits(),
        fb.Experiment(),
        fb.Experiment(
            data=fb.DiabetesProgression(),
            partition=fb.IID(clients=7),
            model=fb.MLP(hidden=(8, 4), activation="tanh"),
            training=fb.LocalTraining(batch_size=None, epochs=2, momentum=0.5),
            sampling=fb.FixedCohort(size=3),
            target=fb.Target(metric="rmse", value=50),
            engine=fb.LoopEngine(),
        ),
        fb.Experiment(
            data=fb.Wine(),
            partition=fb.Explicit(counts=((9, 2, 1), (1, 8, 3)), names=("north", '"south"')),
            skews=(fb.FeatureNoise(std=0.25), fb.FeatureNoise()),
        ),
    ],
)
def test_a_template_rebuilds_its_experiment(experiment: fb.Experiment) -> None:
    text = template(experiment)
    assert fb.Experiment.from_toml(text) == experiment
    assert max(map(len, text.splitlines())) <= 98


def test_a_template_shows_how_a_list_of_parts_is_written() -> None:
    lines = template(fb.Experiment()).splitlines()
    at = lines.index("# [[skews]]")
    assert any(line.startswith("#   FeatureNoise: ") for line in lines[:at])
    kind = next(line for line in lines[at:] if line.startswith("# kind = "))
    one = fb.Experiment.from_toml(f"[[skews]]\n{kind.removeprefix('# ')}\n")
    assert len(one.skews) == 1


def test_changes_reach_into_a_list_of_parts() -> None:
    data = fb.Experiment().to_dict()
    override(
        fb.Experiment, data, 'skews=[{kind = "FeatureNoise"}, {kind = "FeatureNoise", std = 2}]'
    )
    override(fb.Experiment, data, "skews.0.std=0.25")
    made = fb.Experiment.from_dict(data)
    assert made.skews == (fb.FeatureNoise(std=0.25), fb.FeatureNoise(std=2))
    override(fb.Experiment, data, "skews=[]")
    assert fb.Experiment.from_dict(data) == fb.Experiment()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("skews.0.std=1", "skews.0 is no item of a list of parts; the list is empty"),
        ("skews.first.std=1", "skews.first is no item of a list of parts"),
        ("skews.std=1", "skews.std: name the item of the list, as in skews.0.kind"),
    ],
)
def test_a_place_that_a_list_does_not_have_is_refused(change: str, reason: str) -> None:
    with pytest.raises(OverrideError, match=reason):
        override(fb.Experiment, fb.Experiment().to_dict(), change)


def test_a_template_describes_every_field() -> None:
    text = template(digits())
    assert "# Sampling rate: probability q that a client takes part in a round: " in text
    assert "at the same noise (above 0, at most 1)" in " ".join(text.replace("\n#", " ").split())
    assert "one of samples, uniform" in " ".join(text.replace("\n#", " ").split())
    assert "#   IID: Equal shares of a random order" in text
    for part in (*digits().parts(), fb.Target()):
        for field in type(part).model_fields.values():
            assert field.title and field.description
            assert f"# {field.title}: " in text


def test_settings_that_are_off_can_be_switched_on_by_removing_the_sign() -> None:
    text = template(digits())
    for off in ("# [target]", '# metric = "accuracy"', "# value = 0.95", "# noise_seed = 0"):
        assert f"\n{off}\n" in text
        text = text.replace(f"\n{off}\n", f"\n{off[2:]}\n")
    changed = fb.Experiment.from_toml(text)
    assert changed == digits().replace(target=fb.Target(), **{"privacy.noise_seed": 0})


def test_the_same_seed_prints_the_same_table() -> None:
    first, second = (call("run", write(SMALL), "--out", name).stdout for name in ("a", "b"))
    for before, after in (("'a'", "'b'"), ("resume a", "resume b"), ("in  a", "in  b")):
        first = first.replace(before, after)
    assert first == second


@pytest.mark.parametrize(("clients", "called"), [(4, "the worst"), (20, "the worst tenth")])
def test_the_worst_client_is_no_tenth_of_four(clients: int, called: str) -> None:
    file = write(SMALL.replace("clients = 4", f"clients = {clients}"))
    assert re.search(rf"clients +accuracy of {called} [01]\.", call("run", file).stdout)


def test_results_go_to_the_next_free_folder() -> None:
    file = write(SMALL)
    for _ in range(2):
        assert call("run", file).exit_code == 0
    assert saved("runs/e") == saved("runs/e-2")


@pytest.mark.parametrize(
    ("changes", "path", "value"),
    [
        (["training.lr=0.5"], "training.lr", 0.5),
        (["strategy.weighting=uniform"], "strategy.weighting", "uniform"),
        (['strategy.weighting="uniform"'], "strategy.weighting", "uniform"),
        (["training.batch_size=none"], "training.batch_size", None),
        (["target.value=0.5"], "target.value", 0.5),
        (["model.kind=MLP", "model.hidden=[16, 8]"], "model.hidden", (16, 8)),
        (["partition.kind=Dirichlet", "partition.alpha=3"], "partition.alpha", 3.0),
    ],
)
def test_set_changes_one_setting(changes: list[str], path: str, value: object) -> None:
    options = [word for change in changes for word in ("--set", change)]
    done = call("run", write(SMALL), "--set", "rounds=1", *options, "--out", "o")
    assert done.exit_code == 0, done.output
    found: object = json.loads(Path("o/summary.json").read_text())["rounds"]
    assert found == 1
    found = saved("o")
    for step in path.split("."):
        found = getattr(found, step)
    assert found == value


def test_another_kind_keeps_only_what_it_shares() -> None:
    data = digits().to_dict()
    override(fb.Experiment, data, "partition.kind=IID")
    assert data["partition"] == {"kind": "IID", "clients": 100}


def test_a_group_that_the_file_leaves_out_is_changed_from_what_it_would_have_been() -> None:
    data = {
        "privacy": {"kind": "ClientLevelDP"},
        "strategy": {"kind": "FedAvg", "weighting": "uniform"},
    }
    override(fb.Experiment, data, "sampling.rate=0.1")
    assert data["sampling"] == {"kind": "Poisson", "rate": 0.1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("lr=0.5", "no setting is called 'lr'; did you mean 'training.lr'?"),
        ("trainig.lr=1", "no setting is called 'trainig.lr'; did you mean 'training.lr'?"),
        ("strateg.weightin=1", "did you mean 'strategy.weighting'?"),
        ("foo=1", "no setting is called 'foo'; `fedbench new` writes a file with all of them"),
        ("rounds", "'rounds' has no value; write it as PATH=VALUE"),
        ("rounds.x=1", "rounds is not a group of settings"),
    ],
)
def test_paths_that_cannot_be(change: str, message: str) -> None:
    with pytest.raises(OverrideError, match=re.escape(message)):
        override(fb.Experiment, digits().to_dict(), change)
    done = call("run", write(template(digits())), "--set", change)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_number_beyond_all_bounds_is_refused_in_words() -> None:
    done = call("run", write(SMALL), "--set", "rounds=1e99")
    assert done.exit_code == 2
    assert done.stderr == "rounds: is too large for a whole number (given: 1e+99)\n"


def test_problems_are_listed_one_a_line() -> None:
    options = ["--set", "partition.alpha=-1", "--set", "training.stepz=4"]
    done = call("run", write(template(digits())), *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "partition.alpha: must be more than 0 (given: -1)",
        "training.stepz: LocalTraining has no field 'stepz'; did you mean 'steps'? (given: 4)",
    ]
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"rounds = 3\nseed = = 1\n", "e.toml:2: "),
        (b"seed = 1\nseed = 2\n", "seed"),
        (b"rounds = '\xff'", "e.toml is not UTF-8 text: "),
    ],
)
def test_files_that_are_not_toml(text: bytes, message: str) -> None:
    Path("e.toml").write_bytes(text)
    done = call("run", "e.toml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_files_that_cannot_be_read() -> None:
    assert (
        call("run", "absent.toml").stderr
        == "absent.toml cannot be read: No such file or directory\n"
    )
    assert call("run", ".").exit_code == 2


def test_a_folder_that_cannot_take_the_run_is_refused_before_training() -> None:
    file = write(SMALL)
    assert call("run", file, "--out", "o").exit_code == 0
    before = Path("o/summary.json").read_bytes()
    again = call("run", file, "--out", "o")
    assert (again.exit_code, again.stdout) == (2, "")
    assert again.stderr == "o already holds a run (history.csv); choose another folder\n"
    assert Path("o/summary.json").read_bytes() == before
    assert call("run", file, "--out", "e.toml/o").stderr.startswith("e.toml/o cannot be written to")


def test_failed_training_exits_with_1_and_saves_what_there_is() -> None:
    done = call("run", write(SMALL), "--set", "training.lr=1e38", "--out", "o")
    assert done.exit_code == 1
    assert "error: round 1: the loss is no longer finite" in done.stderr
    assert "rounds    0 (failed)" in done.stdout
    assert store.load("o").summary["ended"].startswith("failed: round 1")


def test_cautions_are_shown() -> None:
    done = call("run", write(template(digits())), "--set", "privacy.noise_seed=1", "--out", "o")
    assert "caution: privacy.noise_seed = 1: simulation only" in done.stderr
    assert store.load("o").summary["simulation_only"] is True


def test_code_of_the_users_own_is_imported_only_when_allowed() -> None:
    write(STRATEGIES, "own.py")
    file = write(SMALL + '[strategy]\nkind = "own:Interrupting"\n')
    refused = in_a_process("run", file)
    assert refused.returncode == 2
    assert "names code outside fedbench" in refused.stderr
    done = in_a_process("run", file, "--allow-imports", "--out", "o")
    assert done.returncode == 0
    # the hints say what it takes to read such a run, and to go on with it
    assert "`fedbench resume o --set rounds=4 --allow-imports`" in done.stdout
    assert "fedbench.load('o', allow_imports=True)" in done.stdout
    assert len(store.load("o").frame()) == 2


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_saves_the_rounds_that_were_done() -> None:
    write(STRATEGIES, "own.py")
    file = write(
        SMALL.replace("rounds = 2", "rounds = 1000000") + '[strategy]\nkind = "own:Interrupting"\n'
    )
    done = in_a_process("run", file, "--allow-imports", "--out", "o")
    assert done.returncode == 128 + signal.SIGINT
    assert "stopping after this round" in done.stderr
    assert "Traceback" not in done.stderr
    summary = json.loads(Path("o/summary.json").read_text())
    assert summary["ended"] == "stopped"
    assert 3 <= summary["rounds"] < 1000000
    assert Path("o/model.safetensors").exists()


def fake_jupyterlab(folder: Path) -> None:
    """A package that stands for JupyterLab and only says how it was called."""
    (folder / "jupyterlab").mkdir()
    (folder / "jupyterlab/__init__.py").touch()
    (folder / "jupyterlab/__main__.py").write_text("import sys; print(*sys.argv[1:], sep='\\n')")


def test_lab_writes_the_workbench_notebook_and_opens_it(tmp_path: Path) -> None:
    fake_jupyterlab(tmp_path)
    write("somebody's own", "workbench.ipynb")
    for _ in range(2):
        done = in_a_process("lab", "--no-browser", "--port", "8899")
        assert done.returncode == 0, done.stderr
        options = done.stdout.splitlines()
        assert options[0] == "--LabApp.default_url=/lab/tree/workbench-2.ipynb"
        assert {"--port=8899", "--no-browser"} <= set(options)
    assert Path("workbench.ipynb").read_text() == "somebody's own"
    assert Path("workbench-2.ipynb").read_text(encoding="utf-8") == workbench_notebook()
    assert not Path("workbench-3.ipynb").exists()


def test_lab_opens_the_repositorys_notebook_where_there_is_one(tmp_path: Path) -> None:
    fake_jupyterlab(tmp_path)
    Path("notebooks").mkdir()
    write(workbench_notebook(), "notebooks/workbench.ipynb")
    done = in_a_process("lab")
    assert "--LabApp.default_url=/lab/tree/notebooks/workbench.ipynb" in done.stdout
    assert not Path("workbench.ipynb").exists()


def test_the_written_notebook_is_the_repositorys() -> None:
    written = nbformat.reads(workbench_notebook(), as_version=4)
    nbformat.validate(written)
    kept = nbformat.read(ROOT / "notebooks/workbench.ipynb", as_version=4)
    assert [(c.id, c.source) for c in written.cells] == [(c.id, c.source) for c in kept.cells]


def test_lab_without_jupyterlab_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    done = call("lab")
    assert done.exit_code == 1
    assert "pip install 'fedbench-workbench[lab]'" in done.stderr
    assert not Path("workbench.ipynb").exists()


def test_plan_works_out_what_is_left_out() -> None:
    options = ("--rate", "0.1", "--noise", "1", "--rounds", "100", "--delta", "1e-5")
    done = call("plan", *options, "--clients", "1000", "--parameters", "10000")
    assert done.exit_code == 0
    assert done.output.startswith("ε = 7.047, 1,000 clients; with noise z = 1, 100 rounds")
    assert "signal to noise of the mean update, at best: 1\n" in done.output


def test_plan_refuses_what_is_said_too_often() -> None:
    done = call("plan", "--rate", "0.1", "--epsilon", "3")
    assert done.exit_code == 2
    assert done.stderr == (
        "leave out exactly one of --epsilon, --noise, --rounds, --rate, --delta; "
        "left out here: --noise, --rounds, --delta\n"
    )


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--noise", "-1", "--noise = -1.0 "),
        ("--rounds", "1e99", "--rounds = 1e+99 must be a whole number, at most 10,000,000"),
        ("--rounds", "inf", "--rounds = inf must be a whole number"),
        ("--rounds", "2.5", "--rounds = 2.5 must be a whole number"),
        ("--rate", "2", "--rate = 2.0 "),
    ],
)
def test_plan_names_options_as_the_shell_has_them(option: str, value: str, words: str) -> None:
    given = {"--rate": "0.1", "--noise": "1", "--rounds": "100", "--delta": "1e-5", option: value}
    done = call("plan", *(word for pair in given.items() for word in pair))
    assert done.exit_code == 2
    assert done.stderr.startswith(words)


def test_data_that_moved_are_named_to_go_on() -> None:
    frame = pd.DataFrame({"x": [k * k % 41 / 3 for k in range(40)], "ill": ["yes", "no"] * 20})
    frame.to_csv("a.csv", index=False)
    file = write(fb.Experiment(data=fb.Table("a.csv", target="ill"), rounds=1).to_toml())
    assert call("run", file, "--set", "partition.clients=2", "--out", "o").exit_code == 0
    Path("a.csv").rename("b.csv")
    refused = call("resume", "o", "--set", "rounds=2")
    assert refused.exit_code == 2
    assert "say where they are: --set data.path=… in a shell" in refused.stderr
    done = call("resume", "o", "--set", "rounds=2", "--set", "data.path=b.csv")
    assert done.exit_code == 0, done.stderr
    assert store.load("o-2").summary["amendments"] == [{"round": 2, "changes": {"rounds": 2}}]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_app_prints_the_port_that_it_serves_on() -> None:
    going = subprocess.Popen(
        [sys.executable, "-m", "fedbench", "app", "--port", "0", "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "widgets")])},
    )
    try:
        assert going.stdout is not None
        line = going.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found is not None, line
        with socket.create_connection(("127.0.0.1", int(found[1])), timeout=60):
            pass
    finally:
        going.terminate()
        going.communicate(timeout=60)


ASKING = """
import os, signal, time
from pathlib import Path
from fedbench.strategies import FedAvg

class Asking(FedAvg):
    def update(self, params, payload, server, info):
        if info.round == 3 and not Path("asked").exists():
            Path("asked").touch()
            os.kill(os.getppid(), signal.SIGINT)
            time.sleep(60)  # it is ended before
        return super().update(params, payload, server, info)
"""


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ("seed=0..3", [0, 1, 2, 3]),
        ("privacy.epsilon=0.5,1,inf", [0.5, 1, float("inf")]),
        ("strategy.kind = FedAvg, FedProx", ["FedAvg", "FedProx"]),
        ("training.batch_size=none,8", [None, 8]),
        ("model.hidden=[8],[8, 4]", [[8], [8, 4]]),
        ("seed=7,0..1", [7, 0, 1]),
    ],
)
def test_several_values_of_a_setting(change: str, values: list[object]) -> None:
    assert several(change) == (change.partition("=")[0].strip(), values)


def test_a_sweep_prints_its_frontier_and_keeps_its_results() -> None:
    file = write(template(digits()))
    words = ["sweep", file, "--over", "seed=0..1", "--set", "rounds=2", "--folder", "o"]
    done = call(*words, "--over", "privacy.epsilon=2,inf", "--workers", "1")
    assert done.exit_code == 0, done.output
    head, private, plain, *_ = done.stdout.splitlines()
    assert head.split()[:4] == ["privacy.epsilon", "accuracy", "low", "high"]
    assert private.split()[0] == "2" and private.split()[-1] == "*"
    assert plain.split()[0] == "inf"
    for level in ("no privacy", "pooled", "alone"):
        assert f"  {level} " in done.stdout
    rows = len(digits().federation().y_test)
    assert f"over seeds, all on the same {rows} test rows, whose own error" in done.stdout
    assert "An interval over two seeds is unreliable" in done.stdout
    files = {path: path.stat().st_mtime_ns for path in Path("o").iterdir()}
    assert len(files) == 6  # four runs, and the levels of two seeds
    again = call(*words, "--over", "privacy.epsilon=2,inf")
    assert again.stdout == done.stdout
    assert files == {path: path.stat().st_mtime_ns for path in Path("o").iterdir()}


def test_a_sweep_says_which_runs_failed() -> None:
    file = write(SMALL)
    done = call("sweep", file, "--over", "training.lr=0.1,1e38", "--workers", "1")
    assert done.exit_code == 1
    assert "failed: training.lr = 1e+38: round 1: the loss is no longer finite" in done.stderr
    assert done.stderr.endswith("error: 1 of 2 runs failed\n")
    assert done.stdout.splitlines()[1].split()[0] == "0.1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["seed"], "'seed' has no values; write it as PATH=VALUE,VALUE"),
        (["seed=1,1"], "seed = 1: this value is given twice"),
        (["seed=1", "seed=2"], "--over: a setting is given twice"),
        (["rounds=0,1"], "rounds = 0: rounds: must be at least 1"),
        (["sede=1"], "no setting is called 'sede'; did you mean 'seed'?"),
        (["training.lrr=1"], "LocalTraining has no field 'lrr'; did you mean 'lr'?"),
        (
            ["foo=1,2"],
            "no setting is called 'foo'; `fedbench new` writes a file with all of them\n",
        ),
    ],
)
def test_sweeps_that_cannot_be(options: list[str], message: str) -> None:
    done = call("sweep", write(SMALL), *(word for each in options for word in ("--over", each)))
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_keeps_the_runs_that_were_done_and_the_same_command_goes_on() -> None:
    write(ASKING, "own.py")
    file = write(SMALL + '[strategy]\nkind = "own:Asking"\n')
    words = ("sweep", file, "--over", "rounds=2,5", "--allow-imports", "--folder", "o")
    done = in_a_process(*words, "--workers", "1")
    assert done.returncode == 128 + signal.SIGINT
    assert "1 of 2 runs are done and saved in o: the same command continues" in done.stderr
    assert "Traceback" not in done.stderr
    (kept,) = Path("o").iterdir()
    before = kept.stat().st_mtime_ns
    done = in_a_process(*words)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[:3]] == ["rounds", "2", "5"]
    assert kept.stat().st_mtime_ns == before and len(list(Path("o").iterdir())) == 2


def test_a_saved_run_goes_on_and_its_ledger_with_it(tmp_path: Path) -> None:
    assert call("new").exit_code == 0
    small = ["--set", "partition.clients=10", "--set", "privacy.noise_multiplier=1.0"]
    done = call("run", "experiment.toml", *small, "--set", "rounds=2", "--quiet", "--out", "first")
    assert done.exit_code == 0, done.output
    assert "continue with `fedbench resume first --set rounds=4`" in done.output
    more = call("resume", "first", "--set", "rounds=5", "--quiet")
    assert more.exit_code == 0, more.output
    assert "5 (all 5 rounds done)" in more.output
    assert "  changed   from round 3 on rounds = 5\n" in more.output
    saved = fb.load("first-2")
    assert len(saved.frame()) == 5
    pd.testing.assert_frame_equal(saved.frame().head(2), fb.load("first").frame())
    assert saved.summary["amendments"] == [{"round": 3, "changes": {"rounds": 5}}]
    assert saved.frame()["epsilon"].iloc[-1] == pytest.approx(
        accounting.epsilon(0.5, 1.0, 5, 1e-3), rel=1e-9
    )


MORE = "first --set rounds=2 --set privacy.epsilon=20 --out first"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere"], "nowhere holds no run: experiment.toml is missing"),
        (["first", "--set", "seed=4"], "seed cannot change when a run is resumed"),
        (["first", "--set", "rounds=0"], "rounds: must be at least 1"),
        (["first", "--set", "roundz=3"], "no setting is called 'roundz'"),
        (MORE.split(), "first already holds a run"),
    ],
)
def test_what_cannot_go_on_says_why(words: list[str], reason: str) -> None:
    call("new")
    call("run", "experiment.toml", "--set", "rounds=1", "--quiet", "--out", "first")
    refused = call("resume", *words)
    assert refused.exit_code == 2
    assert reason in refused.output


def test_a_run_with_no_round_to_go_is_not_copied_but_told_what_it_takes() -> None:
    assert call("run", write(SMALL), "--out", "first").exit_code == 0
    again = call("resume", "first")
    assert (again.exit_code, again.stdout) == (2, "")
    assert again.stderr == "all 2 rounds are done; give --set rounds=4 to continue\n"
    assert sorted(each.name for each in Path().iterdir()) == ["e.toml", "first"]

    early = call("run", "e.toml", "--set", "target.value=0.01", "--out", "early").stdout
    assert "continue with `fedbench resume early --set target=none`" in early
    again = call("resume", "early")
    assert (again.exit_code, again.stdout) == (2, "")
    assert again.stderr.startswith("target reached: accuracy ")
    assert again.stderr.endswith("; give --set target=none to continue\n")
    assert call("resume", "early", "--set", "target=none").exit_code == 0


def test_a_run_without_a_target_is_given_one_when_it_goes_on() -> None:
    assert call("run", write(SMALL), "--out", "first").exit_code == 0
    changes = ["--set", "target.value=0.999", "--set", "rounds=3"]
    done = call("resume", "first", *changes, "--quiet")
    assert done.exit_code == 0, done.output
    further = fb.load("first-2")
    asked = {"target": {"metric": "accuracy", "value": 0.999}, "rounds": 3}
    assert further.summary["amendments"] == [{"round": 3, "changes": asked}]
    assert len(further.frame()) == 3


def test_a_spent_budget_is_no_reason_to_go_on() -> None:
    small = ["--set", "partition.clients=10", "--set", "rounds=2"]
    assert call("new").exit_code == 0
    done = call("run", "experiment.toml", *small, "--out", "first")
    assert done.exit_code == 0
    assert "Next: change a setting with --set, or read the run back" in done.stdout
    for words in ([], ["--set", "rounds=9"]):
        refused = call("resume", "first", *words)
        assert refused.exit_code == 2
        assert refused.stderr.startswith("privacy budget: round 3 would bring client-level ε to ")
        assert "rounds=" not in refused.stderr
        assert "; with a larger privacy.epsilon it continues with" in refused.stderr
    assert not Path("first-2").exists()
    more = call("resume", "first", "--set", "rounds=3", "--set", "privacy.epsilon=99", "--quiet")
    assert more.exit_code == 0, more.output
    assert len(fb.load("first-2").frame()) == 3
