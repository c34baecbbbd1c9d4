"""What a user installs: the wheel's files, its metadata, and no host name baked in anywhere."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

import fedbench

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = {"fedbench": ROOT / "fedbench", "fedbench_widgets": ROOT / "widgets/fedbench_widgets"}

# Spelt in parts, so that this file does not name what it forbids.
INDEX_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("pytorch", "org/whl"),
        ("npmjs", "org"),
        ("npmmirror", "com"),
        ("yarnpkg", "com"),
        ("anaconda", "org"),
    )
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    builder = WheelBuilder(str(ROOT))
    (path,) = builder.build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    return zipfile.ZipFile(path)


def metadata_folder(wheel: zipfile.ZipFile) -> str:
    (folder,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    return folder


def test_wheel_holds_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    files = {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    kinds = {".py", ".pyi", ".js", ".css", ".j2", ".json", ".typed"}
    assert {Path(file).suffix for file in files} == kinds
    assert {f"{name}/py.typed" for name in PACKAGES} <= files
    assert files <= set(wheel.namelist())


def test_source_archive_builds_the_same_wheel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    (archive,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(archive) as files:
        files.extractall(tmp_path, filter="data")
    folder = tmp_path / f"fedbench_workbench-{PROJECT['version']}"
    builder = WheelBuilder(str(folder))
    (path,) = builder.build(directory=str(tmp_path / "dist"), versions=["standard"])
    with zipfile.ZipFile(path) as again:
        names = set(wheel.namelist())
        assert set(again.namelist()) == names
        assert [name for name in sorted(names) if again.read(name) != wheel.read(name)] == []


def test_wheel_holds_nothing_but_the_two_packages(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {name.split("/")[0] for name in names} == {*PACKAGES, metadata_folder(wheel)}
    assert not [name for name in names if {"node_modules", "tests"} & set(Path(name).parts)]


def test_wheel_metadata(wheel: zipfile.ZipFile) -> None:
    folder = metadata_folder(wheel)
    metadata = Parser().parsestr(wheel.read(f"{folder}/METADATA").decode())
    assert metadata["Name"] == "fedbench-workbench"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "fedbench = fedbench.cli:main" in wheel.read(f"{folder}/entry_points.txt").decode()


def test_torch_is_a_range_in_the_metadata_and_one_version_in_the_constraints(
    wheel: zipfile.ZipFile,
) -> None:
    metadata = Parser().parsestr(wheel.read(f"{metadata_folder(wheel)}/METADATA").decode())
    asked = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    (torch,) = [each.specifier for each in asked if each.name == "torch"]
    assert {each.operator for each in torch} == {">="}
    pins = [Requirement(line) for line in CONSTRAINTS.read_text().splitlines() if line[0] != "#"]
    ((pin,),) = [each.specifier for each in pins if each.name == "torch"]
    assert pin.operator == "=="
    assert torch.contains(pin.version)


def test_installed_wheel_imports_without_the_checkout(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path)
    code = "import fedbench, fedbench_widgets as w; print(fedbench.__file__, w.__file__, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path.parent,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / name / "__init__.py") for name in PACKAGES]


def test_one_version_everywhere(wheel: zipfile.ZipFile) -> None:
    version = PROJECT["version"]
    package = json.loads((ROOT / "widgets/package.json").read_text())
    lock = json.loads((ROOT / "widgets/package-lock.json").read_text())
    assert fedbench.__version__ == version
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
    assert metadata_folder(wheel) == f"fedbench_workbench-{version}.dist-info"
    assert (package["version"], lock["version"]) == (version, version)


def test_typescript_is_locked_by_hash_and_by_no_address() -> None:
    packages = json.loads((ROOT / "widgets/package-lock.json").read_text())["packages"]
    locked = {name: entry for name, entry in packages.items() if name}
    assert "node_modules/typescript" in locked
    assert all(entry["integrity"].startswith("sha512-") for entry in locked.values())
    assert not [name for name, entry in locked.items() if "resolved" in entry]


def test_only_binder_names_a_package_index() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    ours = ["-c", f"safe.directory={ROOT}"]
    files = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(
        [git, *ours, *files],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    found = [
        (name, line.strip())
        for name in listed.stdout.decode().split("\0")
        if name and (ROOT / name).is_file()
        for line in (ROOT / name).read_text(errors="ignore").splitlines()
        if any(host in line for host in INDEX_HOSTS)
    ]
    ((place, line),) = found
    assert place == "binder/requirements.txt"
    assert line.startswith("--extra-index-url ")
