"""What stands around the code: extras, hooks, workflows, forms and the citation stay true."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fedbench

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
FOLDER = ROOT / ".github/ISSUE_TEMPLATE"
FORMS = sorted(set(FOLDER.glob("*.yml")) - {FOLDER / "config.yml"})
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

# What a module is called where its distribution has another name.
DISTRIBUTIONS = {
    "IPython": "ipykernel",  # which is IPython in Jupyter
    "pydantic_core": "pydantic",  # in step with each other
    "sklearn": "scikit-learn",
    "zmq": "pyzmq",
}
# Modules that need an extra; without it each raises an error that names the extra.
OPTIONAL = {
    "fedbench/cli/lab.py": "lab",
    "fedbench/cli/page/__init__.py": "app",
    "fedbench/data/own/formats.py": "excel",
    "fedbench/figures/shown.py": "pictures",
}


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def closure(extra: str) -> tuple[set[str], set[str]]:
    """Return the distributions that an extra adds, and the extras that it is made of."""
    names, extras = set[str](), {extra}
    for requirement in map(Requirement, EXTRAS[extra]):
        if requirement.name == PROJECT["name"]:
            for each in requirement.extras:
                more, inner = closure(each)
                names |= more
                extras |= inner
        else:
            names.add(canonicalize_name(requirement.name))
    return names, extras


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def undeclared(folder: str, declared: set[str]) -> list[tuple[str, str]]:
    own = {"fedbench", "fedbench_widgets", "__future__", *sys.stdlib_module_names}
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        extra = closure(OPTIONAL[name])[0] if name in OPTIONAL else set()
        for module in {*imported(path)} - own:
            distribution = canonicalize_name(DISTRIBUTIONS.get(module, module))
            if distribution not in declared | extra:
                found.append((name, module))
    return found


def test_whatever_a_package_imports_it_declares() -> None:
    library = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert undeclared("fedbench", library) == []
    assert undeclared("widgets/fedbench_widgets", library | closure("lab")[0]) == []
    missing = {module for _, module in undeclared("widgets/fedbench_widgets", library)}
    assert missing == {"IPython", "anywidget", "ipykernel", "ipywidgets", "traitlets"}


def test_dev_is_every_extra_and_each_requirement_is_pinned() -> None:
    _, extras = closure("dev")
    assert extras == EXTRAS.keys()
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {
        canonicalize_name(pin.name): pin.specifier
        for pin in (Requirement(line) for line in lines if not line.startswith("#"))
    }
    asked = [Requirement(line) for line in [*PROJECT["dependencies"], *chain(*EXTRAS.values())]]
    for requirement in asked:
        if requirement.name != PROJECT["name"]:
            (pin,) = pins[canonicalize_name(requirement.name)]
            assert pin.operator == "==" and requirement.specifier.contains(pin.version), requirement


def test_make_installs_extras_that_there_are() -> None:
    installed = re.findall(r"--editable '\.\[(.+)\]'", MAKEFILE)
    lab, dev = (set(each.split(",")) for each in installed)
    assert dev == {"dev"}
    assert "lab" in lab and lab <= EXTRAS.keys()


def test_every_install_line_names_an_extra_that_there_is() -> None:
    pattern = re.compile(rf"(?:{PROJECT['name']}|['\"]\.)\[([a-z,]+)\]")
    texts = [*ROOT.glob("*.md"), *(ROOT / "fedbench").rglob("*.py")]
    texts += [*(ROOT / "widgets/fedbench_widgets").rglob("*.py"), ROOT / "binder/postBuild"]
    named = {
        extra
        for path in texts
        for extras in pattern.findall(path.read_text(encoding="utf-8"))
        for extra in extras.split(",")
    }
    assert {"lab", "app", "excel", "parquet", "pictures"} <= named <= EXTRAS.keys()


def test_hooks_are_the_checks_of_make_lint_and_need_no_network() -> None:
    config = read(".pre-commit-config.yaml")
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    recipe = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    commands = [shlex.split(hook["entry"])[0] for hook in hooks]
    assert {Path(command).name for command in commands} == {"ruff", "pyright", "lint-imports"}
    for hook, command in zip(hooks, commands, strict=True):
        assert hook["language"] == "system"
        assert f"$(BIN)/{hook['name']}" in recipe
        assert Path(command).parent.as_posix() == ".venv/bin"
        assert shutil.which(Path(command).name, path=str(Path(sys.executable).parent)), command


def test_the_citation_is_of_this_version_and_has_what_the_format_requires() -> None:
    citation = read("CITATION.cff")
    assert citation.keys() >= {"cff-version", "message", "title", "authors"}
    assert citation["cff-version"] == "1.2.0"
    assert str(citation["version"]) == fedbench.__version__ == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["type"] == "software"
    assert citation["authors"] == [{"name": PROJECT["authors"][0]["name"]}]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_has_what_a_form_needs(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"] and form["description"]
    fields = [element for element in form["body"] if element["type"] != "markdown"]
    assert {element["type"] for element in fields} <= {"textarea", "input", "dropdown"}
    assert len({element["id"] for element in fields}) == len(fields) > 0
    assert all(element["attributes"]["label"] for element in fields)
    assert any(element.get("validations", {}).get("required") for element in fields)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_there_is_on_the_python_that_is_promised(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"].values()
    steps = [step for job in jobs for step in job["steps"]]
    (python,) = [s["with"]["python-version"] for s in steps if "setup-python" in s.get("uses", "")]
    assert f">={python}" == PROJECT["requires-python"]
    assert (ROOT / "binder/runtime.txt").read_text().strip() == f"python-{python}"
    scripts = re.findall(r"bash (\S+)", text)
    targets = re.findall(r"run: make (\S+)", text)
    assert scripts or targets
    assert all((ROOT / script).is_file() for script in scripts)
    assert set(targets) <= TARGETS


@pytest.mark.parametrize("script", [".ci/run", ".ci/dist"])
def test_a_script_is_sound_bash(script: str) -> None:
    subprocess.run(["bash", "-n", str(ROOT / script)], check=True)


def test_what_the_papers_of_the_project_name_is_there() -> None:
    pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ".github/PULL_REQUEST_TEMPLATE.md"]
    text = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in pages)
    files = set(re.findall(r"`((?:[\w.-]+/)*[\w-]+\.(?:md|cff|toml|txt))`", text))
    assert {"CHANGELOG.md", "constraints.txt", "CITATION.cff"} <= files
    assert sorted(name for name in files if not (ROOT / name).exists()) == []
    targets = set(re.findall(r"`make ([a-z]+)`", text))
    assert {"test", "lint", "lab", "bench", "dist"} <= targets <= TARGETS
    modules = set(re.findall(r"`python -m benchmarks\.(\w+)", text))
    assert modules and all((ROOT / f"benchmarks/{name}.py").exists() for name in modules)


def test_files_are_written_as_editorconfig_says() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    config = configparser.ConfigParser()
    config.read_string("[root]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))
    rules = config["*"]
    assert rules["max_line_length"] == str(PYPROJECT["tool"]["ruff"]["line-length"])
    listed = subprocess.run(
        [git, "-c", f"safe.directory={ROOT}", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    wrong = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".png" or not content:
            continue
        text = content.decode(rules["charset"])
        tabs = path.name == "Makefile" and config["Makefile"]["indent_style"] == "tab"
        if (
            "\r" in text
            or not text.endswith("\n")
            or (path.suffix != ".ipynb" and re.search(r"[ \t]$", text, re.MULTILINE))
            or (not tabs and re.search(r"^\t", text, re.MULTILINE))
        ):
            wrong.append(name)
    assert wrong == []
