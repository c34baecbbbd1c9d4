"""Two thousand hostile tables: each oddity is read right, doubted or refused, in our own words."""

from __future__ import annotations

import csv
import gzip
import io
import re
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import fedbench as fb

ROWS = 40
FOREIGN = re.compile(
    r"pandas|pyarrow|openpyxl|numpy|codec|tokeniz|dtype|NoneType|object has no|C error|Errno|"
    r"could not convert|Traceback|charset|0x[0-9a-f]{2}|usecols|Series|DataFrame index",
    re.I,
)


@dataclass
class Sheet:
    """A table as text, with what is true of it: None is missing, and texts are as they stand."""

    names: list[str]
    cells: list[list[str]]
    truth: dict[str, list[object]]
    rng: np.random.Generator
    said: list[str] = field(default_factory=list)  # what one of the cautions has to match
    refused: bool = False  # whether nothing but a refusal is right
    header: bool = True
    client: str = ""
    time: str = ""
    before: str = ""
    after: str = ""

    def add(self, name: str, values: list[str], truth: list[object] | None = None) -> None:
        self.names.append(name)
        for row, value in zip(self.cells, values, strict=True):
            row.append(value)
        if truth is not None:
            self.truth[name] = truth

    def put(self, name: str, row: int, value: str, truth: object = ...) -> None:
        self.cells[row][self.names.index(name)] = value
        if truth is not ...:
            self.truth[name][row] = truth


def plain(seed: int) -> Sheet:
    rng = np.random.default_rng(seed)
    sheet = Sheet([], [[] for _ in range(ROWS)], {}, rng)
    dose = rng.normal(50, 10, ROWS).round(2).tolist()
    sheet.add("dose", [f"{value:.2f}" for value in dose], dose)
    town = rng.choice(["Paris", "Rom", "Ulm"], ROWS).tolist()
    sheet.add("town", town, town)
    ill = rng.choice(["no", "yes"], ROWS).tolist()
    ill[:4] = ["no", "yes", "no", "yes"]
    sheet.add("ill", ill, ill)
    return sheet


# What is planted: each changes a sheet, and what is true of it or has to be said of it

Plant = Callable[[Sheet], None]


def marks(word: str, share: float) -> Plant:
    def plant(sheet: Sheet) -> None:
        hit = sheet.rng.random(ROWS) < share
        hit[:6], hit[7] = False, True
        for row in np.flatnonzero(hit):
            sheet.put("dose", row, word, None)
        sheet.said.append("missing")

    return plant


def replaced(name: str, make: Callable[[Sheet, float], str]) -> Plant:
    """Write the numbers of a column otherwise; what they are stays."""

    def plant(sheet: Sheet) -> None:
        values = (sheet.rng.random(ROWS) * 9000 + 1000).round(2).tolist()
        sheet.add(name, [make(sheet, value) for value in values], list(values))

    return plant


def far(value: str, words: str) -> Plant:
    def plant(sheet: Sheet) -> None:
        row = int(sheet.rng.integers(ROWS))
        sheet.put("dose", row, value, float(value))
        sheet.said.append(words)

    return plant


def column(name: str, make: Callable[[Sheet], list[str]], words: str) -> Plant:
    def plant(sheet: Sheet) -> None:
        sheet.add(name, make(sheet))
        sheet.said.append(words)

    return plant


def lines(before: str, after: str, words: str = "", refused: bool = False) -> Plant:
    def plant(sheet: Sheet) -> None:
        sheet.before, sheet.after = before, after
        sheet.refused |= refused
        if words:
            sheet.said.append(words)

    return plant


def headless(sheet: Sheet) -> None:
    sheet.header, sheet.refused = False, True


def doubled_names(sheet: Sheet) -> None:
    sheet.add("dose", ["1"] * ROWS)
    sheet.refused = True


def duplicates(sheet: Sheet) -> None:
    sheet.cells[7] = list(sheet.cells[3])
    for values in sheet.truth.values():
        values[7] = values[3]
    sheet.said.append("1 rows are duplicates|duplicates of others")


def tiny_clients(sheet: Sheet) -> None:
    sites = [f"s{row // 3}" for row in range(ROWS)]
    sheet.add("site", sites, list(sites))
    sheet.client = "site"


def blank_holder(sheet: Sheet) -> None:
    tiny_clients(sheet)
    sheet.put("site", 5, " ")
    sheet.refused = True


def late_client(sheet: Sheet) -> None:
    sheet.add("site", ["early"] * 36 + ["late"] * 4)
    sheet.add("week", [str(row) for row in range(ROWS)])
    sheet.client, sheet.time = "site", "week"
    sheet.said.append("only among the latest rows")


def coarse(sheet: Sheet) -> None:
    sheet.add("day", [f"2024-01-0{1 + row // 20}" for row in range(ROWS)])
    sheet.time = "day"
    sheet.said.append("coarse")


def timeless(sheet: Sheet) -> None:
    sheet.add("day", ["2024-01-01"] * ROWS)
    sheet.time, sheet.refused = "day", True


def rare(sheet: Sheet) -> None:
    for row in range(ROWS):
        sheet.put("ill", row, "yes" if row < 2 else "no", "yes" if row < 2 else "no")
    sheet.said.append("AUC")


def single_class(sheet: Sheet) -> None:
    sheet.put("ill", 9, "perhaps", "perhaps")
    sheet.said.append("single row")


def one_class(sheet: Sheet) -> None:
    for row in range(ROWS):
        sheet.put("ill", row, "no")
    sheet.refused = True


def untold(sheet: Sheet) -> None:
    sheet.put("ill", 9, "", None)
    sheet.said.append("1 rows without")


def grades(sheet: Sheet) -> None:
    for row in range(ROWS):
        sheet.put("ill", row, str(row % 4), float(row % 4))
    sheet.said.append("taken for classes")


def other_case(sheet: Sheet) -> None:
    sheet.put("town", 0, "PARIS", "PARIS")
    sheet.put("town", 1, "Paris", "Paris")
    sheet.said.append("case")


MARKS = ("-", "--", ".", "None", "none", "n/a", "NA", "#N/A", "NULL", "null", "?", "unknown", "*")
PLANTS: tuple[Plant, ...] = (
    *(marks(word, share) for word in MARKS for share in (0.02, 0.09, 0.12, 0.5, 0.9)),
    replaced("pay", lambda _, v: f"{v:.2f}".replace(".", ",")),
    replaced("pay", lambda _, v: f"{v:,.2f}"),
    replaced("pay", lambda _, v: f"{v:,.2f}".replace(",", "'")),
    replaced("pay", lambda _, v: f"{v:,.2f}".replace(",", " ").replace(".", ",")),
    replaced("pay", lambda _, v: f"{v:.2f} kg"),
    replaced("pay", lambda _, v: f"${v:.2f}"),
    replaced("pay", lambda _, v: f"{v:.2f}%"),
    replaced("pay", lambda s, v: f"{v:.2f}" if s.rng.random() < 0.9 else f"<{v:.2f}"),
    replaced("pay", lambda s, v: f"{v:.2f}" if s.rng.random() < 0.6 else f"{v:.0f} or so"),
    replaced("pay", lambda s, v: f"{v:e}"),
    replaced("pay", lambda s, v: f" {v} "),
    far("999", "beyond 10 SD"),
    far("-9999", "beyond 10 SD"),
    far("1e25", "beyond 10 SD"),
    far("1e300", "never said: refused"),
    far("inf", "never said: refused"),
    far("0", "far from the others|beyond 10 SD"),
    column(
        "zip", lambda s: [f"{v:05}" for v in s.rng.integers(501, 99950, ROWS)], "zip.*(code|ID)"
    ),
    column("plz", lambda s: list(map(str, s.rng.integers(10000, 99999, ROWS))), "'plz' looks like"),
    column("id", lambda s: list(map(str, s.rng.permutation(10**6)[:ROWS])), "'id' looks like"),
    column("name", lambda s: [f"P{k:03}x" for k in s.rng.permutation(ROWS)], "'name' .*ID"),
    column("", lambda _: list(map(str, range(ROWS))), "only numbers the rows"),
    column("row", lambda _: list(map(str, range(1, ROWS + 1))), "only numbers the rows"),
    column("again", lambda s: [row[0] for row in s.cells], "'again' says the same as 'dose'"),
    column("town2", lambda s: [row[1].upper() for row in s.cells], "'town2' says the same"),
    column("leak", lambda s: [{"no": "3", "yes": "7"}[r[2]] for r in s.cells], "'leak' alone"),
    column("leak", lambda s: [{"no": "a", "yes": "b"}[r[2]] for r in s.cells], "'leak' alone"),
    column("flat", lambda _: ["7"] * ROWS, "'flat' is not used"),
    column("void", lambda _: [""] * ROWS, "never said: refused"),
    column("seen", lambda s: [f"2024-01-{d:02}" for d in s.rng.integers(1, 28, ROWS)], "dates"),
    column("seen", lambda s: [f"{d}/02/2024" for d in s.rng.integers(1, 28, ROWS)], "dates"),
    column("mix", lambda s: [str(s.rng.choice(["12", "V40", "V41", "7"])) for _ in s.cells], "mix"),
    *(headless, doubled_names, duplicates, tiny_clients, blank_holder, late_client, coarse),
    *(timeless, rare, single_class, one_class, untold, grades, other_case),
    lines("A report of last year\n", "", refused=True),
    lines("", "12.5\n", "fewer cells"),
    lines("", "SEPS", refused=True),
    lines("", '"never closed', refused=True),
    lambda _: None,
)
TEXTS = {  # towns that are written in it
    "utf-8": ("Köln", "北京"),
    "utf-8-sig": ("Köln", "北京"),
    "utf-16": ("Köln", "北京"),
    "utf-16-le": ("Köln", "Ulm"),
    "utf-16-be": ("Köln", "Ulm"),
    "utf-32": ("Köln", "北京"),
    "latin-1": ("Köln", "Orléans"),
    "cp1252": ("Zürich", "Œuvre"),
    "cp1250": ("Łódź", "Kraków"),
    "cp1251": ("Москва", "Казань"),
    "koi8-r": ("Москва", "Казань"),
    "gbk": ("北京", "上海"),
    "big5": ("臺北", "高雄"),
    "shift_jis": ("東京", "大阪"),
    "euc_kr": ("서울", "부산"),
}
SEPARATORS = (",", ";", "\t", "|", " ")
PACKINGS = ("plain", "plain", "plain", "gz", "zip", "xlsx", "parquet", "frame")


def text(sheet: Sheet, separator: str, end: str, trailing: int) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=end)
    tail = [""] * trailing
    if sheet.header:
        writer.writerow(sheet.names + tail)
    for row in sheet.cells:
        writer.writerow(row + tail)
    after = separator.join("x" * 9) + end if sheet.after == "SEPS" else sheet.after
    return sheet.before.replace("\n", end) + out.getvalue() + after


def write(
    folder: Path, sheet: Sheet, separator: str, encoding: str, end: str, trailing: int, packing: str
) -> object:
    if packing in ("xlsx", "parquet", "frame"):
        frame = pd.DataFrame(sheet.cells, columns=[name or "Unnamed: 3" for name in sheet.names])
        if packing == "frame":
            return frame
        place = folder / f"t.{packing}"
        if packing == "parquet":
            frame.to_parquet(place)
        else:
            frame.to_excel(place, index=False)
        return place
    content = text(sheet, separator, end, trailing).encode(encoding)
    place = folder / {"plain": "t.csv", "gz": "t.csv.gz", "zip": "t.zip"}[packing]
    if packing == "zip":
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr("inner.csv", content)
    else:
        place.write_bytes(gzip.compress(content) if packing == "gz" else content)
    return place


def is_right(table: fb.Table, sheet: Sheet, encoding_matters: bool) -> str:
    """Return what is read otherwise than it was written, or nothing."""
    frame = table._read().frame
    roles = {each.name: each.role for each in table.facts.columns}
    for name, truth in sheet.truth.items():
        if name not in frame.columns:
            return f"{name} is lost"
        column = frame[name]
        if len(column) < len(truth):
            return f"{len(column)} rows"
        if all(value is None or isinstance(value, float) for value in truth):
            if roles[name] not in ("number", "target"):
                return f"{name} is {roles[name]}"
            found = pd.to_numeric(column[: len(truth)], errors="coerce").to_numpy(float)
            wanted = np.array([np.nan if v is None else v for v in truth], dtype=float)
            if not np.allclose(found, wanted, equal_nan=True, rtol=1e-9):
                return f"{name} is {found[:5]} and not {wanted[:5]}"
        else:
            found = [None if pd.isna(v) else str(v) for v in column[: len(truth)]]
            if encoding_matters and found != truth:
                return f"{name} is {found[:5]} and not {truth[:5]}"
    return ""


@pytest.mark.slow
@settings(
    derandomize=True,
    max_examples=2000,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.integers(0, 2**32),
    st.sampled_from(PLANTS),
    st.sampled_from(sorted(TEXTS)),
    st.sampled_from(SEPARATORS),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([0, 0, 0, 2]),
    st.sampled_from(PACKINGS),
)
def test_none_is_silent_and_none_speaks_of_libraries(
    seed: int,
    plant: Plant,
    encoding: str,
    separator: str,
    end: str,
    trailing: int,
    packing: str,
) -> None:
    sheet = plain(seed)
    for row in range(0, ROWS, 3):
        town = TEXTS[encoding][row % 2]
        sheet.put("town", row, town, town)
    plant(sheet)
    whole = packing in ("xlsx", "parquet", "frame")
    if whole and (
        sheet.before or sheet.after or not sheet.header or len(set(sheet.names)) < len(sheet.names)
    ):
        return  # what is wrong with lines of text
    with tempfile.TemporaryDirectory() as folder:
        data = write(
            Path(folder),
            sheet,
            separator,
            encoding,
            end,
            0 if separator == " " else trailing,
            packing,
        )
        try:
            table = fb.Table(data, target="ill", client=sheet.client, time=sheet.time)
            cautions = [*table.facts.cautions, *table.cautions()]
            wrong = is_right(table, sheet, encoding_matters=True)
            repr(table.facts)
            loaded = table.load()
            assert np.isfinite(loaded.x).all()
            if sheet.client:
                experiment = fb.Experiment(data=table, partition=fb.Natural())
                assert experiment.federation().sizes.min() >= 1
        except fb.TableError as error:
            assert error.field in fb.Table.model_fields
            assert not FOREIGN.search(str(error).replace(str(data), "")), str(error)
            assert len(str(error)) > 20
            return
    assert not sheet.refused, cautions
    for words in sheet.said:
        assert any(re.search(words, each) for each in cautions), (words, cautions)
    doubted = wrong and any("encoding" in each for each in cautions)
    assert not wrong or doubted, (wrong, cautions)
    for each in cautions:
        assert not FOREIGN.search(each), each
