"""The browser modules: their unit tests under node, and the loader that joins them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fedbench_widgets import esm
from fedbench_widgets.panel import Panel
from fedbench_widgets.partition import PartitionMap
from fedbench_widgets.toolbar import Toolbar

WIDGETS = Path(esm.__file__).parent
ENTRIES = ["toolbar/toolbar.js", "panel/panel.js", "partition/partition.js"]


def node() -> str:
    beside = Path(sys.executable).parent / "node"
    found = str(beside) if beside.exists() else shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    return found


def evaluate(source: str, tmp_path: Path) -> object:
    """Import `source` as a module in node and return its default export."""
    module = tmp_path / "joined.mjs"
    module.write_text(source, encoding="utf-8")
    script = (
        f"import({json.dumps(module.as_uri())}).then(m => console.log(JSON.stringify(m.default)))"
    )
    done = subprocess.run([node(), "-e", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def write(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return folder / "entry.js"


@pytest.mark.parametrize("suite", sorted((Path(__file__).parent / "esm").glob("*.test.mjs")))
def test_unit_tests_pass_under_node(suite: Path) -> None:
    done = subprocess.run(
        [node(), "--test", str(suite)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_equal_names_in_two_modules_stay_apart(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        a="const size = 1;\nexport function one() { return size; }\n",
        b="const size = 20;\nexport const twenty = () => size;\n",
        entry='import { one } from "./a.js";\nimport { twenty as many } from "./b.js";\n'
        "const size = 300;\nexport default one() + many() + size;\n",
    )
    assert evaluate(esm.load(entry), tmp_path) == 321


def test_a_module_that_two_import_runs_once(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        shared="export const calls = [];\ncalls.push(1);\n",
        a='import { calls } from "./shared.js";\nexport const first = calls;\n',
        entry='import { first } from "./a.js";\nimport {\n  calls,\n} from "./shared.js";\n'
        "export default [first === calls, calls.length];\n",
    )
    text = esm.load(entry)
    assert text.count("// shared.js") == 1
    assert evaluate(text, tmp_path) == [True, 1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('import * as all from "./a.js";', "cannot inline"),
        ('import x from "./a.js";', "cannot inline"),
        ('import { x } from "lodash";', "cannot inline"),
        ('export { x } from "./a.js";', "cannot inline"),
    ],
)
def test_what_cannot_be_inlined_is_refused(tmp_path: Path, line: str, message: str) -> None:
    entry = write(tmp_path, a="export const x = 1;\n", entry=f"{line}\nexport default 1;\n")
    with pytest.raises(ValueError, match=message):
        esm.load(entry)


def test_circular_imports_are_named(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        a='import { y } from "./entry.js";\nexport const x = 1;\n',
        entry='import { x } from "./a.js";\nexport const y = x;\n',
    )
    with pytest.raises(ValueError, match=r"entry\.js -> a\.js -> entry\.js"):
        esm.load(entry)


def test_an_imported_default_is_refused(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        a="export const x = 1;\nexport default 2;\n",
        entry='import { x } from "./a.js";\nexport default x;\n',
    )
    with pytest.raises(ValueError, match="a default"):
        esm.load(entry)


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_widgets_join_into_one_module_without_imports(entry: str, tmp_path: Path) -> None:
    text = esm.load(WIDGETS / entry)
    lines = text.splitlines()
    assert not [line for line in lines if line.startswith("import ")]
    assert [line for line in lines if line.startswith("export ")] == ["export default { render };"]
    assert evaluate(text, tmp_path) == {}, "functions have no JSON: the object is there and empty"


@pytest.mark.parametrize("entry", [*ENTRIES, *(f"chart/{n}.js" for n in ("lines", "dom", "map"))])
def test_no_module_parses_text_as_html(entry: str) -> None:
    text = esm.load(WIDGETS / entry)
    for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert risky not in text


@pytest.mark.parametrize(
    ("widget", "plain"),
    [
        (Toolbar, "fedbench toolbar"),
        (Panel, "fedbench panel"),
        (PartitionMap, "fedbench partition map"),
    ],
)
def test_widgets_have_a_fixed_text(widget: type, plain: str) -> None:
    first, second = widget()._repr_mimebundle_(), widget()._repr_mimebundle_()
    assert first[0]["text/plain"] == second[0]["text/plain"] == plain


def test_style_sheets_are_scoped() -> None:
    css = esm.style(*sorted(WIDGETS.rglob("*.css")))
    selectors = [
        line.strip().rstrip("{, ")
        for line in css.splitlines()
        if line.rstrip().endswith(("{", ",")) and not line.lstrip().startswith(("@", "--", "/*"))
    ]
    own = ("fb-", "fedbench-", "data-fb")
    values = ("system-ui", "-apple-system", '"Segoe UI"', '"DejaVu Sans"')
    loose = [s for s in selectors if not any(o in s for o in own) and s not in values]
    assert not loose
