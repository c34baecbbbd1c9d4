"""Files of data sets: fetched once, checked always, and never damaged by a refusal."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fedbench.data.files import VARIABLE, DataFileError, File, home

CONTENT = b"age,ill\n" + b"".join(b"%d,%d\n" % (k, k % 2) for k in range(2000))
PAGE = b"<!DOCTYPE html>\n<html><body>The page you wanted is gone.</body></html>"
NOWHERE = "http://127.0.0.1:9/ages.csv"  # the port of discard, where nobody listens


def ages(url: str = NOWHERE, member: str = "") -> File:
    return File("ages/ages.csv", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), url, member)


def zipped(content: bytes, member: str = "ages.csv") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", "not this one")
        archive.writestr(member, content)
    return packed.getvalue()


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def everything(folder: Path) -> dict[str, bytes]:
    """Return each file below a folder with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def put(cache: Path, packed: bytes, ending: str = "") -> Path:
    place = cache / "ages" / f"ages.csv{ending}"
    place.parent.mkdir(parents=True)
    place.write_bytes(packed)
    return place


class Site(ThreadingHTTPServer):
    """A web server on this machine that gives one answer and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answer, self.status, self.promised, self.asked = CONTENT, 200, 0, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ages.csv"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = self.server
        assert isinstance(site, Site)
        site.asked += 1
        self.send_response(site.status)
        self.send_header("Content-Length", str(site.promised or len(site.answer)))
        self.end_headers()
        self.wfile.write(site.answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# What lies in the cache


@pytest.mark.parametrize("ending", ["", ".gz", ".zip"])
def test_a_file_is_read_however_it_is_packed(cache: Path, ending: str) -> None:
    packed = {"": CONTENT, ".gz": gzip.compress(CONTENT), ".zip": zipped(CONTENT)}[ending]
    place = put(cache, packed, ending)
    assert ages().cached == place
    assert ages().read() == CONTENT


def test_what_is_packed_is_told_by_its_content_not_its_name(cache: Path) -> None:
    put(cache, gzip.compress(CONTENT))
    assert ages().read() == CONTENT


def test_a_member_of_an_archive_may_have_another_name(cache: Path) -> None:
    put(cache, zipped(CONTENT, "old/Ages 1988.csv"), ".zip")
    assert ages(member="old/Ages 1988.csv").read() == CONTENT


CUT = len(CONTENT) // 2
PACKED, ARCHIVE = gzip.compress(CONTENT), zipped(CONTENT)
DIFFERS = r"its content differs: sha256 [0-9a-f]{12}…, expected [0-9a-f]{12}…"
DAMAGED = {
    "a byte": ("", flipped(CONTENT, 100), DIFFERS),
    "a byte of a gz": (".gz", flipped(PACKED, len(PACKED) // 2), "it cannot be unpacked"),
    "a sum of a gz": (".gz", flipped(PACKED, len(PACKED) - 6), "it cannot be unpacked: CRC"),
    "a byte of a zip": (".zip", flipped(ARCHIVE, len(ARCHIVE) // 2), "it cannot be unpacked"),
    "cut": ("", CONTENT[:CUT], rf"it ends early: {CUT:,} of {len(CONTENT):,} bytes"),
    "cut gz": (".gz", PACKED[: len(PACKED) // 2], "it cannot be unpacked: Compressed file ended"),
    "cut zip": (".zip", ARCHIVE[: len(ARCHIVE) // 2], "it cannot be unpacked: File is not a zip"),
    "a shorter one packed": (".gz", gzip.compress(CONTENT[:CUT]), r"it ends early: 6,"),
    "empty": ("", b"", rf"it ends early: 0 of {len(CONTENT):,} bytes"),
    "too long": ("", CONTENT + b"1", rf"it is too long: more than {len(CONTENT):,} bytes"),
    "a bomb": (".gz", gzip.compress(bytes(10**7)), rf"too long: more than {len(CONTENT):,} bytes"),
    "a bomb in a zip": (".zip", zipped(bytes(10**7)), r"too long: more than"),
    "a page": ("", PAGE, "it is a web page, not data"),
    "an XHTML page": ("", b'<?xml version="1.0"?>\n' + PAGE, "it is a web page, not data"),
    "no member": (
        ".zip",
        zipped(CONTENT, "b.csv"),
        "cannot be unpacked: .*no item named 'ages.csv",
    ),
}


@pytest.mark.parametrize(("ending", "packed", "reason"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_and_left_as_it_is(
    cache: Path, ending: str, packed: bytes, reason: str
) -> None:
    place = put(cache, packed, ending)
    before = everything(cache)
    with pytest.raises(DataFileError, match=reason) as refusal:
        ages().read()
    said = str(refusal.value)
    assert said.startswith(f"ages/ages.csv: {place} is not the expected file: ")
    assert said.endswith("; replace or delete that file")
    assert everything(cache) == before


def test_no_flipped_byte_gets_through_an_archive(cache: Path) -> None:
    # among them are the flags of encryption and the number of the method
    short = File("ages/ages.csv", 3, hashlib.sha256(b"1,0").hexdigest(), NOWHERE)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("ages.csv", b"1,0")
    whole = archive.getvalue()
    place = put(cache, whole, ".zip")
    for k in range(4, len(whole)):
        for bit in (1, 8, 64):
            place.write_bytes(whole[:k] + bytes([whole[k] ^ bit]) + whole[k + 1 :])
            try:
                assert short.read() == b"1,0"
            except DataFileError as refusal:
                assert "is not the expected file" in str(refusal)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(cache: Path) -> None:
    put(cache, CONTENT).chmod(0)
    with pytest.raises(DataFileError, match=r"ages.csv cannot be read \(.*Permission denied"):
        ages().read()


# What has to be fetched


@pytest.mark.parametrize("packed", [CONTENT, PACKED, ARCHIVE], ids=["plain", "gz", "zip"])
def test_a_missing_file_is_fetched_once_and_kept_unpacked(
    cache: Path, site: Site, packed: bytes
) -> None:
    site.answer = packed
    file = ages(site.url)
    assert file.cached is None
    assert file.read() == CONTENT
    assert everything(cache) == {"ages/ages.csv": CONTENT}  # and no half of it beside it
    assert stat.S_IMODE((cache / "ages" / "ages.csv").stat().st_mode) == 0o644
    assert file.read() == CONTENT
    assert site.asked == 1


def test_fetching_says_nothing_on_the_screen(
    cache: Path, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    ages(site.url).read()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (PAGE, "it is a web page, not data"),
        (CONTENT[:CUT], "it ends early"),
        (flipped(CONTENT, 7), "its content differs"),
        (PACKED[:-20], "it cannot be unpacked"),
        (zipped(CONTENT, "b.csv"), "no item named"),
    ],
    ids=["page", "cut", "byte", "cut gz", "no member"],
)
def test_what_is_fetched_is_checked_before_it_is_kept(
    cache: Path, site: Site, answer: bytes, reason: str
) -> None:
    site.answer = answer
    with pytest.raises(DataFileError, match=reason) as refusal:
        ages(site.url).read()
    assert f"ages/ages.csv: {site.url} is not the expected file" in str(refusal.value)
    assert str(refusal.value).endswith(f"put the right file at {cache / 'ages' / 'ages.csv'}")
    assert everything(cache) == {}
    site.answer = CONTENT  # the site is well again: nothing stands in the way
    assert ages(site.url).read() == CONTENT


def test_a_connection_that_breaks_off(cache: Path, site: Site) -> None:
    site.answer, site.promised = CONTENT[:CUT], len(CONTENT)
    with pytest.raises(DataFileError, match=r"could not be downloaded from http.*put it at"):
        ages(site.url).read()
    assert everything(cache) == {}


def test_a_file_that_is_no_longer_there(cache: Path, site: Site) -> None:
    site.answer, site.status = PAGE, 404
    with pytest.raises(DataFileError, match=r"could not be downloaded from .*404 Client Error"):
        ages(site.url).read()
    assert everything(cache) == {}


def test_without_a_network_it_says_which_file_to_put_where(cache: Path) -> None:
    with pytest.raises(DataFileError) as refusal:
        ages().read()
    said = str(refusal.value)
    assert said.startswith(f"ages/ages.csv is not in {cache} and could not be downloaded from")
    assert NOWHERE in said
    assert said.endswith(f"; download it elsewhere and put it at {cache / 'ages' / 'ages.csv'}")
    put(cache, CONTENT)  # as it says
    assert ages().read() == CONTENT


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a file where the folder should be: even root cannot write below it
    (tmp_path / "cache").write_text("mine")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(
        DataFileError,
        match=rf"was downloaded and cannot be written to .*; set {VARIABLE} to a folder",
    ):
        ages(site.url).read()
    assert everything(tmp_path) == {"cache": b"mine"}


def test_a_write_that_fails_leaves_no_half_behind(cache: Path, site: Site) -> None:
    (cache / "ages" / "ages.csv").mkdir(parents=True)  # a folder with the name of the file
    with pytest.raises(DataFileError, match="cannot be written"):
        ages(site.url).read()
    assert everything(cache) == {}


def test_many_who_want_the_same_file_at_once(cache: Path, site: Site) -> None:
    found: list[bytes] = []
    asking = [threading.Thread(target=lambda: found.append(ages(site.url).read())) for _ in "12345"]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert found == [CONTENT] * 5
    assert everything(cache) == {"ages/ages.csv": CONTENT}


# Where the cache is


def test_the_cache_is_where_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "~/sets")
    assert home() == Path.home() / "sets"


def test_without_the_variable_it_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, ""):
        if value is None:
            monkeypatch.delenv(VARIABLE, raising=False)
        else:
            monkeypatch.setenv(VARIABLE, value)
        assert home().is_absolute() and home().name == "fedbench"
