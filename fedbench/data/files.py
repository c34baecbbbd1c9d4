"""Files of real data sets: looked for in a cache, fetched where they are missing, never trusted."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

VARIABLE = "FEDBENCH_DATA"
PACKED = ("", ".gz", ".zip")
SHOWN = 12  # hexadecimal digits that tell two files apart
CHUNK = 2**16
READABLE = 0o644  # others may share the cache


class DataFileError(ValueError):
    """A file of a data set is missing, damaged or not the expected one; says which and why."""


def home() -> Path:
    """Return the folder of all data sets: that of FEDBENCH_DATA, or the user's cache."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    return Path(platformdirs.user_cache_dir("fedbench"))


@dataclass(frozen=True)
class File:
    """One file of a data set, known by the hash of its content.

    `path` is where it lies under `home()`, as it is or with .gz or .zip behind its name; `size` and
    `sha256` are those of the content once it is unpacked, so that it does not matter who packed it.
    `url` is the official source; where that is an archive, `member` is the name inside.
    """

    path: str
    size: int
    sha256: str
    url: str
    member: str = ""

    @property
    def cached(self) -> Path | None:
        """Return where the file lies under `home()`, None if it would have to be fetched."""
        places = (home() / f"{self.path}{ending}" for ending in PACKED)
        return next((place for place in places if place.is_file()), None)

    def read(self) -> bytes:
        """Return the content, fetched if it is not in the cache yet.

        Raises DataFileError when it cannot be had or is not the file that is meant; what lies in
        the cache is left as it is.
        """
        place = self.cached
        if place is None:
            return self._fetched()
        try:
            packed = place.read_bytes()
        except OSError as error:
            raise DataFileError(f"{self.path}: {place} cannot be read ({error})") from error
        return self._checked(self._unpacked(packed, str(place)), str(place))

    def _fetched(self) -> bytes:
        import pooch
        import requests

        packed = io.BytesIO()
        # not pooch.retrieve: it can check only what comes, not what is inside, and prints its hash
        download = pooch.HTTPDownloader(chunk_size=CHUNK)
        try:
            download(self.url, packed, None)
        except (requests.RequestException, OSError, ValueError) as error:
            raise DataFileError(
                f"{self.path} is not in {home()} and could not be downloaded from {self.url} "
                f"({_why(error)}); download it elsewhere and put it at {home() / self.path}"
            ) from error
        content = self._checked(self._unpacked(packed.getvalue(), self.url), self.url)
        self._keep(home() / self.path, content)
        return content

    def _keep(self, place: Path, content: bytes) -> None:
        """Write whole or not at all: another process may be looking for the same file."""
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=place.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                Path(name).chmod(READABLE)
                Path(name).replace(place)
            finally:
                Path(name).unlink(missing_ok=True)
        except OSError as error:
            raise DataFileError(
                f"{self.path} was downloaded and cannot be written to {place.parent} "
                f"({error}); set {VARIABLE} to a folder that can be written"
            ) from error

    def _unpacked(self, packed: bytes, where: str) -> bytes:
        """Return what is inside, and never much more than there should be."""
        try:
            if packed[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
                    return file.read(self.size + 1)
            if packed[:4] == b"PK\x03\x04":
                name = self.member or Path(self.path).name
                with zipfile.ZipFile(io.BytesIO(packed)) as archive, archive.open(name) as file:
                    return file.read(self.size + 1)
        except Exception as error:  # damaged archives raise nearly anything, struct.error included
            raise self._refused(where, f"it cannot be unpacked: {_short(error)}") from error
        return packed

    def _checked(self, content: bytes, where: str) -> bytes:
        found = hashlib.sha256(content).hexdigest()
        if found == self.sha256:
            return content
        start = content[:512].lstrip().lower()
        if b"<!doctype html" in start or b"<html" in start:
            reason = "it is a web page, not data"
        elif len(content) < self.size:
            reason = f"it ends early: {len(content):,} of {self.size:,} bytes"
        elif len(content) > self.size:
            reason = f"it is too long: more than {self.size:,} bytes"
        else:
            reason = (
                f"its content differs: sha256 {found[:SHOWN]}…, expected {self.sha256[:SHOWN]}…"
            )
        raise self._refused(where, reason)

    def _refused(self, where: str, reason: str) -> DataFileError:
        remedy = "replace or delete that file"
        if where == self.url:
            remedy = f"check the page, and put the right file at {home() / self.path}"
        return DataFileError(f"{self.path}: {where} is not the expected file: {reason}; {remedy}")


def _why(error: BaseException) -> str:
    """Return why a download failed; requests would tell how urllib3 came to know it."""
    import requests

    if isinstance(error, requests.Timeout):
        return "the server does not answer"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    return _short(error)


def _short(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
