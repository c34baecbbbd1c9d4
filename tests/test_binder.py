"""The Binder image: the Dockerfile that repo2docker writes, and pins that say what CI tested."""

import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def pins(text: str) -> dict[str, Requirement]:
    """Requirements by canonical name; a line that pip would not take as one is an error."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


@pytest.fixture(scope="module")
def binder() -> dict[str, Requirement]:
    index, _, requirements = (ROOT / "binder/requirements.txt").read_text().partition("\n")
    option, address = index.split()
    assert option == "--extra-index-url"
    assert address.startswith("https://") and address.endswith("/whl/cpu")
    return pins(requirements)


@pytest.fixture(scope="module")
def tested() -> dict[str, Requirement]:
    return pins((ROOT / "constraints.txt").read_text())


@pytest.fixture(scope="module")
def image() -> tuple[str, str]:
    """The Dockerfile, and what repo2docker said while it wrote it; needs no container engine."""
    command = [sys.executable, "-m", "repo2docker", "--no-build"]
    user = ["--user-id", "1000", "--user-name", "jovyan"]
    done = subprocess.run([*command, *user, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_every_pin_is_the_tested_one(
    binder: dict[str, Requirement], tested: dict[str, Requirement]
) -> None:
    assert {name: str(r.specifier) for name, r in binder.items()} == {
        name: str(tested[name].specifier) for name in binder
    }


def test_every_dependency_of_library_and_workbench_is_pinned(
    binder: dict[str, Requirement],
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["lab"]
    core = [Requirement(line) for line in lines]
    assert {canonicalize_name(r.name) for r in core} <= binder.keys()
    for requirement in core:
        (pin,) = binder[canonicalize_name(requirement.name)].specifier
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version)


def test_image_is_built_on_python_3_11(image: tuple[str, str]) -> None:
    _, said = image
    assert "Building conda environment for python=3.11\n" in said


def test_requirements_come_before_the_repository_and_post_build_after(
    image: tuple[str, str],
) -> None:
    dockerfile, _ = image
    requirements = dockerfile.index('install --no-cache-dir -r "binder/requirements.txt"')
    repository = dockerfile.index("COPY --chown=1000:1000 src/ ${REPO_DIR}/")
    post_build = dockerfile.index("RUN ./binder/postBuild")
    assert requirements < repository < post_build


def test_post_build_installs_the_project_at_the_tested_versions() -> None:
    script = ROOT / "binder/postBuild"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    command = shlex.split(script.read_text().splitlines()[-1])
    assert command[:4] == ["python", "-m", "pip", "install"]
    assert command[-4:] == ["--constraint", "constraints.txt", "--editable", ".[lab]"]
