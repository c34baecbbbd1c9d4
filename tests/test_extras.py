"""What needs an extra that is not installed says how to get it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[1]
APP = "from fedbench.cli import main; sys.argv[1:] = ['app', '--no-browser']; main()"
LAB = "from fedbench.cli import main; sys.argv[1:] = ['lab', '--no-browser']; main()"
PARQUET = "import fedbench as fb; fb.Table('rows.parquet', target='y').table()"
EXCEL = "import fedbench as fb; fb.Table('rows.xlsx', target='y').table()"
WORKBENCH = "from fedbench_widgets import Workbench"
FIGURE = "import plotly.graph_objects as go; from fedbench.figures import show; show(go.Figure({}))"
LIBRARY = """
import fedbench as fb
from fedbench.cli import main
history = fb.run(fb.Experiment(data=fb.Wine(), rounds=2), progress=False)
history.figure()
fb.report(history, "report.html")
sys.argv[1:] = ["new", "experiment.toml"]
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
sys.argv[1:] = ["run", "experiment.toml", "--set", "rounds=2", "--out", "run"]
main()
"""


def without(modules: Iterable[str], code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `code` in `folder`, where none of `modules` can be imported."""
    absent = f"import sys; sys.modules.update(dict.fromkeys({sorted(modules)!r}))"
    return subprocess.run(
        [sys.executable, "-c", f"{absent}\n{code}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "widgets")])},
        capture_output=True,
        text=True,
    )


def test_the_library_needs_nothing_of_an_extra(tmp_path: Path) -> None:
    extras = ["IPython", "anywidget", "ipykernel", "ipywidgets", "jupyterlab", "nbformat"]
    extras += ["traitlets", "voila", "zmq", "openpyxl", "pyarrow", "kaleido", "pytest"]
    done = without(extras, LIBRARY, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").exists() and (tmp_path / "run").is_dir()


@pytest.mark.parametrize(
    ("module", "extra", "code"),
    [
        ("voila", "app", APP),
        ("jupyterlab", "lab", LAB),
        ("anywidget", "lab", WORKBENCH),
        ("IPython", "lab", FIGURE),
        ("pyarrow", "parquet", PARQUET),
        ("openpyxl", "excel", EXCEL),
    ],
)
def test_an_absent_extra_is_named_with_its_install_line(
    module: str, extra: str, code: str, tmp_path: Path
) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    with zipfile.ZipFile(tmp_path / "rows.xlsx", "w") as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
    done = without([module], code, tmp_path)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert module.lower() in said.lower()
    assert f"pip install 'fedbench-workbench[{extra}]'" in said


def test_without_kaleido_a_figure_is_shown_and_its_picture_is_named() -> None:
    code = (
        "import sys; sys.modules['kaleido'] = None\n"
        "import plotly.graph_objects as go\n"
        "from fedbench.figures import show\n"
        "show(go.Figure())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "application/vnd.plotly.v1+json" in done.stdout
    assert "pip install 'fedbench-workbench[pictures]'" in done.stderr


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('no such\\n  switch')", "RuntimeError: no such switch"),
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_a_voila_that_does_not_import_says_what_failed(
    code: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "voila").mkdir()
    (tmp_path / "voila/__init__.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {APP}"],
        cwd=tmp_path,  # whose packages come first
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "widgets")])},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (
        1,
        f"error: Voila is installed but cannot be imported: {said}; get it with: "
        "pip install 'fedbench-workbench[app]'\n",
    )


def test_outside_a_notebook_the_workbench_says_where_to_go(tmp_path: Path) -> None:
    program = "from fedbench_widgets import Workbench\nprint(repr(Workbench()))\n"
    (tmp_path / "mine.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "mine.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "widgets")])},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "fedbench workbench\n")
    first, line = done.stderr.splitlines()
    assert "mine.py:2: UserWarning: the workbench does not run in a plain script" in first
    assert line.strip() == "print(repr(Workbench()))"
    for way in ("fedbench lab", "make lab", "fedbench app", "fedbench run"):
        assert f"`{way}`" in first


def test_a_script_with_a_workbench_and_a_run_ends(tmp_path: Path) -> None:
    # the workbench goes only when the interpreter does, and no thread can be started by then
    lines = [
        "import fedbench as fb",
        "from fedbench_widgets import Workbench",
        "experiment = fb.Experiment(rounds=2)",
        "print(repr(Workbench(experiment)))",
        "print(len(fb.run(experiment, progress=False).rows))",
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join(lines)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "widgets")])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "fedbench workbench\n2\n")
    assert done.stderr == ""
