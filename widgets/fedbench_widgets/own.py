"""A table of one's own on the form: uploaded, looked at, and its columns given roles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import ipywidgets as widgets

from fedbench.config.problems import Problem
from fedbench.config.spec import Part
from fedbench.data import Natural, Table, TableError, TableFacts
from fedbench.data.own import uploads
from fedbench.data.own.cells import Notation, is_date, is_number
from fedbench_widgets.cells import made
from fedbench_widgets.guessing import likely_roles
from fedbench_widgets.upload import TablePicker

LARGEST = 200_000_000  # bytes; what is larger is better put beside the notebook
SINGLE = ("target", "client", "time", "unit")  # roles that one column can have
FEATURE, OUT = "feature", "not used"
# How a file is written, and what is named by its columns; the test set is about neither.
WRITTEN = ("header", "separator", "encoding", "sheet", "decimal", "thousands", "missing_values")
NAMES = ("ignore", "numbers", "categories")
SPLIT = ("test_fraction", "split_seed", "largest")
TO_USE = re.compile(r"pass categories=\(.*?,\) to use it")
EXAMPLES = 3
MOST_LOOKED_AT = 100_000  # rows that a role is guessed from


class Filled(Protocol):
    """The form, as far as its data go."""

    def put(self, **parts: Part) -> None:
        """Show other parts, as if a person had chosen them."""

    def reads(self) -> dict[str, Any]:
        """Return all fields as plain data."""
        ...


class Own:
    """Puts what the picker sends on the form, and shows in the picker what is on the form."""

    def __init__(self, form: Filled) -> None:
        self.picker = made(TablePicker)
        # an anywidget takes no classes once it is drawn: what is hidden and shown is around it
        self.widget = made(widgets.VBox, [self.picker])
        self.picker.roles = [FEATURE, *SINGLE, OUT]
        self.picker.on_msg(self._heard)
        self._form = form
        self._inside: dict[str, Any] = {}  # what is in the table: for the page, and not to be saved
        self._aside = ""  # how the settings of the file came about
        self._token = ""
        with suppress(OSError):
            uploads.remove_stale()
        self._content = bytearray()

    @property
    def table(self) -> Table | None:
        """Return the table on the form, None while the form has other data."""
        data = dict(self._form.reads()["data"])
        if data.pop("kind", None) != Table.kind():
            return None
        try:
            return Table.from_dict(data)
        except ValueError:  # a field that is wrong says so itself
            return None

    @property
    def step(self) -> str:
        """Return what is to be chosen next, before anything can be wrong; empty if all is."""
        table = self.table
        if table is None:
            return ""
        if not table.path:
            return "Choose a file to begin."
        try:
            table.head(1)
        except TableError:  # which is a problem, and no step that is to come
            return ""
        return "" if table.target else "Choose the column to predict: give it the role target."

    def show(self, problems: Sequence[Problem] = ()) -> None:
        """Show the columns of the table on the form, what each is taken for and what is wrong.

        What a cell holds, also in a message, travels beside the widget's state, which notebooks
        save.
        """
        table = self.table
        facts, columns = None, []
        if table is not None:
            with suppress(TableError):
                facts = table.facts
            with suppress(TableError):
                columns = _columns(table, facts)
        inside = {each["name"]: _by_role(each.pop("words")) for each in columns}
        self._inside = {
            "columns": inside,
            "cautions": [] if facts is None else [_by_role(each) for each in facts.cautions],
            "problem": "" if self.step else _plain(table, problems),
        }
        with self.picker.hold_sync():
            self.picker.columns = columns
            self.picker.chosen = table is not None
            self.picker.file = "" if table is None or not table.path else Path(table.path).name
            self.picker.words = self.step or _words(table, facts, len(columns))
            if self._aside and table is not None:
                self.picker.words += f" {self._aside}"
        self._tell()

    def _tell(self) -> None:
        self.picker.send({"inside": self._inside})

    def _heard(self, _: object, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        if "part" in content and buffers:
            self._take(content["part"], bytes(buffers[0]))
        elif "role" in content:
            self._give(str(content["role"]["column"]), str(content["role"]["role"]))
        elif "look" in content:
            self._tell()

    def _take(self, part: dict[str, Any], content: bytes) -> None:
        """Take one part of a file; with the last one the file is on the form."""
        token, size = str(part["token"]), int(part["size"])
        if token != self._token:
            self._token, self._content = token, bytearray()
        if part["at"] != len(self._content):
            return
        if size > LARGEST:
            self._refuse(
                token,
                size,
                f"{part['name']} has {size / 1e6:,.0f} MB; put it next to the notebook and type "
                f"its name as File: up to {LARGEST / 1e6:,.0f} MB can be uploaded here",
            )
            return
        self._content += content
        if len(self._content) < size:
            self.picker.received = {"token": token, "at": len(self._content)}
            return
        try:
            place = uploads.keep_upload(str(part["name"]), bytes(self._content))
        except (TableError, OSError) as error:
            self._refuse(token, size, str(error))
            return
        finally:
            self._content = bytearray()
        self._put(str(place))
        self.picker.received = {"token": token, "at": size}

    def _put(self, path: str) -> None:
        """Put a file on the form, with the settings of the one before that hold for it too."""
        before, self._aside = self.table, ""
        fields: dict[str, Any] = {"path": path}
        if before is not None:
            kept = _kept(before, path)
            fields |= kept
            self._aside = _kept_words(before, kept)
        if not any(fields.get(name) for name in SINGLE):
            with suppress(TableError):
                found = likely_roles(Table(**fields).head(MOST_LOOKED_AT))
                out = fields.get("ignore", ())
                guess = {role: name for role, name in found.items() if name not in out}
                fields |= guess
                said = " and ".join(f"{name} as {role}" for role, name in guess.items())
                self._aside = f"Guessed: {said}; change a role below." if said else self._aside
        more = {"partition": Natural()} if fields.get("client") else {}
        self._form.put(data=Table(**fields), **more)

    def _refuse(self, token: str, size: int, why: str) -> None:
        """Say why a file is not taken; what is on the form stays."""
        file = f"; still using {self.picker.file}" if self.picker.file else ""
        self._inside["problem"] = f"{why}{file}"
        self._tell()
        self.picker.received = {"token": token, "at": size}

    def _give(self, column: str, role: str) -> None:
        """Give a column a role; of roles that only one can have, it is taken from another."""
        table = self.table
        if table is None:
            return
        fields = {name: getattr(table, name) for name in type(table).model_fields}
        for name in SINGLE:
            if fields[name] == column:
                fields[name] = ""
        ignored = [name for name in fields["ignore"] if name != column]
        if role in SINGLE:
            fields[role] = column
        elif role == OUT:
            ignored.append(column)
        fields["ignore"] = tuple(ignored)
        if role == FEATURE:
            fields |= _as_feature(table, column)
        if role == "target":
            del fields["task"]  # to be inferred
        self._aside = ""
        more = {"partition": Natural()} if role == "client" else {}
        self._form.put(data=Table(**fields), **more)


def _kept(before: Table, path: str) -> dict[str, Any]:
    """Return the settings of a table that hold for another file in its place.

    A file with the column to predict, or with the same columns while none is chosen, is the next
    delivery of the same table: it keeps all but what was said of columns that are gone, and how it
    is written, unless it cannot be read so. A file without is another table.
    """
    columns = _header(before) if not before.target else set()
    marks = {"missing_values": before.missing_values}
    names: set[str] = set()
    written: dict[str, Any] = {}
    for how in ({name: getattr(before, name) for name in WRITTEN}, marks):
        written, names = _as_written(path, how)
        if before.target in names if before.target else names and names == columns:
            break
    else:
        return {name: getattr(before, name) for name in SPLIT}
    fields = {name: getattr(before, name) for name in (*SPLIT, *SINGLE, *NAMES)} | written
    for name in SINGLE:
        fields[name] = fields[name] if fields[name] in names else ""
    for name in NAMES:
        fields[name] = tuple(each for each in fields[name] if each in names)
    words = fields["missing_values"]
    known = {word: set(Notation(missing=(word,)).columns) <= names for word in words}
    fields["missing_values"] = tuple(word for word in words if known[word])
    if before.target:
        fields |= {"task": before.task, "ranked": before.ranked}
    return fields


def _kept_words(before: Table, kept: dict[str, Any]) -> str:
    """Return what became of the settings of the table before; nothing if it had none."""
    plain = Table()
    ours = (*SINGLE, *NAMES, *WRITTEN, "ranked")
    set_before = [name for name in ours if getattr(before, name) != getattr(plain, name)]
    lost = [name for name in set_before if kept.get(name, ()) != getattr(before, name)]
    if not set_before:
        return ""
    if len(lost) == len(set_before):
        return "Settings of the file before are not kept: this is another table."
    titles = ", ".join(str(Table.model_fields[name].title) for name in lost)
    return f"Settings of the file before are kept{f'; changed: {titles}' if titles else ''}."


def _as_written(path: str, how: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return which settings a file can be read by, and its columns; none if it cannot be read."""
    how = dict(how)
    while True:
        table = Table(path=path, **how)
        try:
            return how, {str(name) for name in table.head(1).columns}
        except TableError as error:
            if error.field not in how:
                return {}, set()
            del how[error.field]


def _header(table: Table) -> set[str]:
    with suppress(TableError):
        return {str(name) for name in table.head(1).columns}
    return set()


def _as_feature(table: Table, column: str) -> dict[str, tuple[str, ...]]:
    """Return the setting that makes a feature of a column that is left out by itself, if any does.

    Dates are none as they are, and a column with the same value in every row tells nothing.
    """
    with suppress(TableError):
        cells: Any = table.head(MOST_LOOKED_AT)[column]
        if column in table.ignore or column not in _left_out(table) or is_date(cells):
            return {}
        name = "numbers" if is_number(cells) else "categories"
        setting = {name: (*getattr(table, name), column)}
        return {} if column in _left_out(table.replace(**setting)) else setting
    return {}


def _left_out(table: Table) -> set[str]:
    return {each.name for each in table.facts.columns if each.role == OUT}


def _columns(table: Table, facts: TableFacts | None) -> list[dict[str, str]]:
    if facts is not None:
        return [
            {
                "name": each.name,
                "role": FEATURE if each.role in ("number", "category") else each.role,
                "words": " · ".join(
                    [
                        each.role if each.role in ("number", "category") else each.why,
                        *([f"{each.missing} missing"] if each.missing else []),
                        ", ".join(each.examples),
                    ]
                ),
            }
            for each in facts.columns
        ]
    head = table.head(EXAMPLES)
    named = {name: role for role in SINGLE if (name := getattr(table, role))}
    named |= dict.fromkeys(table.ignore, OUT)
    return [
        {
            "name": str(name),
            "role": named.get(str(name), FEATURE),
            "words": ", ".join(str(value) for value in head.iloc[:, k]),
        }
        for k, name in enumerate(head.columns)
    ]


def _by_role(words: str) -> str:
    """Return what is said of a column with the role to choose in place of the setting to pass."""
    return TO_USE.sub("give it the role feature to use it", words)


def _plain(table: Table | None, problems: Sequence[Problem]) -> str:
    """Return what is wrong, with the name of the file and not the folder that uploads are in."""
    words = "; ".join(each.message for each in problems)
    return words if table is None else words.replace(table.path, Path(table.path).name)


def _words(table: Table | None, facts: TableFacts | None, columns: int) -> str:
    if table is None or facts is None:
        return ""
    told = f"{len(facts.classes)} classes" if facts.classes else "a number"
    clients = f", {len(facts.clients)} clients" if facts.clients else ""
    return f"{facts.rows:,} rows, {columns} columns{clients}; {table.target} is {told}."
