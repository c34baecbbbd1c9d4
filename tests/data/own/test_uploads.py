"""Uploaded tables: read by nobody else, gone with the process."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fedbench as fb
from fedbench.data.own import uploads

UPLOAD = (
    "import sys; from fedbench.data.own.uploads import keep_upload; "
    "print(keep_upload('wards.csv', b'id,ill\\n1,2\\n'), flush=True); sys.stdin.read()"
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(uploads, "_held", None)
    yield tmp_path / uploads.UPLOADS
    uploads._leave()


def other(cache: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that has a table uploaded to it, and return where that is."""
    process = subprocess.Popen(
        [sys.executable, "-c", UPLOAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def mode(place: Path) -> int:
    return stat.S_IMODE(place.stat().st_mode)


def test_nobody_else_can_read_it_whatever_the_umask(cache: Path) -> None:
    before = os.umask(0)
    try:
        place = uploads.keep_upload("wards.csv", b"id,ill\n1,2\n")
    finally:
        os.umask(before)
    assert place.name == "wards.csv"
    assert mode(place) == 0o600
    folder = place.parent
    while folder != cache.parent:
        assert mode(folder) == 0o700
        folder = folder.parent
    assert uploads.keep_upload("wards.csv", b"id,ill\n1,2\n") == place
    assert uploads.keep_upload("wards.csv", b"id,ill\n1,3\n").read_bytes() == b"id,ill\n1,3\n"


def test_it_goes_with_the_process_and_a_killed_one_is_cleared_by_the_next(cache: Path) -> None:
    ended, one = other(cache)
    killed, two = other(cache)
    assert one.exists()
    assert two.exists()
    ended.communicate("")
    assert not one.exists()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert two.exists()
    uploads.remove_stale()
    assert list(cache.iterdir()) == []


def test_what_others_use_stays(cache: Path) -> None:
    living, place = other(cache)
    mine = uploads.keep_upload("wards.csv", b"id,ill\n1,2\n")
    uploads.remove_stale()
    assert place.exists()
    assert mine.exists()
    living.communicate("")


def test_copies_of_an_earlier_version_are_closed_to_others(cache: Path) -> None:
    cache.mkdir()
    old = cache / "0123456789ab-wards.csv"
    old.write_text("id\n1\n")
    old.chmod(0o644)
    uploads.keep_upload("a.csv", b"a\n")
    assert mode(old) == 0o600


def test_its_name_is_harmless_and_a_file_that_is_no_table_is_refused(cache: Path) -> None:
    place = uploads.keep_upload("../../<b>my data</b>.csv", b"a,b\n1,2\n")
    assert place.parents[2] == cache
    assert place.name == "b_.csv"
    with pytest.raises(fb.TableError, match=r"'evil\.pkl' is not a kind of table"):
        uploads.keep_upload("evil.pkl", b"")
