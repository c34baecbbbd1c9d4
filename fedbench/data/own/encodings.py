"""In which encoding a text file is written."""

from __future__ import annotations

import codecs
import re

from fedbench.data.own.doubts import Doubt, TableError

# By Python's names. A file that is not Unicode is compared with the others, the commonest first.
UNICODE = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
LEGACY = (
    *("cp1252", "latin-1", "cp1250", "iso8859-2", "cp1251", "koi8-r", "cp1253", "cp1254"),
    *("cp1255", "cp1256", "cp1257", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"),
    *("cp850", "mac_roman"),
)
SINGLE = ("cp1252", "cp1250", "cp1251", "koi8-r", "cp1253")  # bytes a letter
DOUBLE = ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr")
LATIN = ("cp1252", "cp1250")  # either makes letters of what the other writes
PAIRS = re.compile(rb"[\x80-\xff]{2}")
MARKS = (  # the longer first
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ORDERLY = 0.2
ALMOST = 0.02  # of charset-normalizer's measure of disorder, from 0 to 1


def same_codec(name: object) -> object:
    """Return the name in `UNICODE` or `LEGACY` of an encoding that goes by several names."""
    if not isinstance(name, str):
        return name
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        return name
    codec = {"utf-8-sig": "utf-8", "gbk": "gb18030", "gb2312": "gb18030"}.get(codec, codec)
    known = {codecs.lookup(each).name: each for each in (*UNICODE, *LEGACY)}
    return known.get(codec, name)


def found(place: str, start: bytes) -> tuple[str, Doubt | None]:
    """Return the encoding of a text that begins with `start`, and what should be known of it.

    Raises TableError at `encoding` where several are as likely, the likeliest first.
    """
    for mark, name in MARKS:
        if start.startswith(mark):
            return name, None
    if (name := _unmarked(start)) is not None:
        return name, Doubt(f"read as {name}; if letters are wrong, choose another encoding")
    if b"\0" in start:
        raise TableError("path", f"{place!r} is not text; use a CSV, Excel or Parquet file")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)  # it may end within a character
        return "utf-8", None
    except UnicodeDecodeError:
        return legacy(place, start)


def legacy(place: str, text: bytes) -> tuple[str, Doubt]:
    """Return the likeliest encoding of a text that is not UTF-8, and a word of doubt.

    Raises TableError at `encoding` where several are as likely.
    """
    from charset_normalizer import from_bytes

    # what tells encodings apart are the lines that are not ASCII
    lines = b"\n".join(line for line in text.splitlines() if not line.isascii())
    candidates = [*SINGLE, *(DOUBLE if PAIRS.search(lines) else ())]
    matches = from_bytes(lines, cp_isolation=candidates, enable_fallback=False)
    ranked = sorted(matches, key=lambda each: (round(each.chaos / ALMOST), -each.coherence))
    names = [_named(each.could_be_from_charset) for each in ranked]
    likely = [
        each
        for each, name in zip(ranked, names, strict=True)
        if each.chaos <= ranked[0].chaos + ALMOST or (name in LATIN and names[0] in LATIN)
    ]
    if len(likely) == 1 and likely[0].chaos < ORDERLY:
        return names[0], Doubt(
            f"read as {names[0]}, because it is not UTF-8; if letters are wrong, pass encoding= "
            "another, or save it as UTF-8"
        )
    choice = list(dict.fromkeys([*names, *LEGACY[:4]]))[:6]
    raise TableError(
        "encoding",
        f"{place!r} is not UTF-8; pass encoding={choice[0]!r}, the likeliest, or one of "
        f"{', '.join(map(repr, choice[1:]))}, or save it as UTF-8 (in Excel: CSV UTF-8)",
    )


def _named(candidates: list[str]) -> str:
    names = [str(same_codec(each)) for each in candidates]
    return min(names, key=lambda name: LEGACY.index(name) if name in LEGACY else len(LEGACY))


def _unmarked(start: bytes) -> str | None:
    """Return which UTF-16 a text without a mark is in: half of what is mostly ASCII is zeros."""
    if b"\n\0" not in start and b"\0\n" not in start:
        return None
    even, odd = start[0::2], start[1::2]
    zeros = even.count(0) / max(1, len(even)), odd.count(0) / max(1, len(odd))
    if min(zeros) > 0.1 or max(zeros) < 0.3:
        return None
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
